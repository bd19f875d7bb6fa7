"""
When the restaurant is open: weekly periods on the clock of its wall.

A period that ends at or before its begin ends on the next day; one that ends when it
begins lasts a whole day. No period at all means that it never closes.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

MAX_PERIODS = 28
_DAY = timedelta(days=1)
# An opening that lasts beyond this is called open, without an end.
_HORIZON_DAYS = 8
_PERIOD = re.compile(r"\s*(\d\d?)[:.](\d\d)\s*[-–]\s*(\d\d?)[:.](\d\d)\s*")
_MIDNIGHT_AT_THE_END = (24, 0)


class Weekday(models.TextChoices):
    MONDAY = "monday", "Monday"
    TUESDAY = "tuesday", "Tuesday"
    WEDNESDAY = "wednesday", "Wednesday"
    THURSDAY = "thursday", "Thursday"
    FRIDAY = "friday", "Friday"
    SATURDAY = "saturday", "Saturday"
    SUNDAY = "sunday", "Sunday"


_WEEK = list(Weekday)


@dataclass(frozen=True)
class Period:
    """From when to when it is open on one day of the week."""

    weekday: Weekday
    opens: time
    closes: time

    def __str__(self) -> str:
        return f"{self.opens:%H:%M}–{self.closes:%H:%M}"

    @property
    def length(self) -> timedelta:
        lasts = _since_midnight(self.closes) - _since_midnight(self.opens)
        return lasts % _DAY or _DAY

    def on(self, day: date) -> tuple[datetime, datetime]:
        """Say when this period begins and ends if it begins on that day."""
        ends_on = day if self.closes > self.opens else day + _DAY
        return _moment(day, self.opens), _moment(ends_on, self.closes)


@dataclass(frozen=True)
class Opening:
    """Whether it is open at a moment, and when that changes, if it does."""

    is_open: bool
    changes_at: datetime | None
    asked_at: datetime

    @property
    def words(self) -> str:
        """Say it as "Open until 22:00" or "Closed; opens Friday 17:00"."""
        if self.changes_at is None:
            return "Open" if self.is_open else "Closed"
        at, asked = map(timezone.localtime, (self.changes_at, self.asked_at))
        if self.is_open:
            return f"Open until {at:%H:%M}"
        day = "at" if at.date() == asked.date() else f"{at:%A}"
        return f"Closed; opens {day} {at:%H:%M}"


def opening_at(periods: Sequence[Period], moment: datetime) -> Opening:
    """Say whether it is open at that moment, and when it closes or opens next."""
    if not periods:
        return Opening(is_open=True, changes_at=None, asked_at=moment)
    for begins_at, ends_at in _spans(periods, timezone.localtime(moment).date()):
        if moment < begins_at:
            return Opening(is_open=False, changes_at=begins_at, asked_at=moment)
        if moment < ends_at:
            is_endless = ends_at - moment > (_HORIZON_DAYS - 1) * _DAY
            until = None if is_endless else ends_at
            return Opening(is_open=True, changes_at=until, asked_at=moment)
    raise AssertionError("Each period comes once a week.")


def read_day(weekday: Weekday, text: str) -> list[Period]:
    """
    Read periods as people write them: 11:30-14:30, 17:00-23:00.

    :raises ValidationError: naming what cannot be read
    """
    return [_read(weekday, part) for part in text.split(",") if part.strip()]


def _read(weekday: Weekday, text: str) -> Period:
    found = _PERIOD.fullmatch(text)
    if found is None:
        raise _no_period(text)
    opens_hour, opens_minute, hour, minute = map(int, found.groups())
    if (hour, minute) == _MIDNIGHT_AT_THE_END:
        hour = 0
    try:
        return Period(weekday, time(opens_hour, opens_minute), time(hour, minute))
    except ValueError as error:
        raise _no_period(text) from error


def _no_period(text: str) -> ValidationError:
    return ValidationError(
        f"“{text.strip()}” is no period. Write it like 17:00-23:00, and several "
        "with commas between.",
        code="period",
    )


def check_overlaps(periods: Iterable[Period]) -> None:
    """:raises ValidationError: if it would open while it is open"""
    week = sorted(
        (_WEEK.index(one.weekday) * _DAY + _since_midnight(one.opens), one.length)
        for one in periods
    )
    for (begin, length), (following, _) in zip(week, week[1:] + week[:1], strict=True):
        # From the last one to the first of the next week.
        until_next = (following - begin) % (7 * _DAY) or 7 * _DAY
        if length > until_next or (len(week) > 1 and until_next == 7 * _DAY):
            raise ValidationError(
                "Two periods overlap. Please make them one.", code="overlap"
            )


def _since_midnight(at: time) -> timedelta:
    return timedelta(hours=at.hour, minutes=at.minute)


def _spans(
    periods: Sequence[Period], today: date
) -> Iterator[tuple[datetime, datetime]]:
    """Return the spans from yesterday's on; what touches is one span."""
    found = sorted(
        period.on(day)
        for day in (today + number * _DAY for number in range(-1, _HORIZON_DAYS + 1))
        for period in periods
        if _WEEK[day.weekday()] == period.weekday
    )
    begins_at, ends_at = found[0]
    for next_begins_at, next_ends_at in found[1:]:
        if next_begins_at > ends_at:
            yield begins_at, ends_at
            begins_at = next_begins_at
        ends_at = max(ends_at, next_ends_at)
    yield begins_at, ends_at


def _moment(day: date, at: time) -> datetime:
    # In UTC: two times of one zone are compared by their walls' clocks, which go back
    # once a year.
    local = datetime.combine(day, at, timezone.get_default_timezone())
    return local.astimezone(UTC)
