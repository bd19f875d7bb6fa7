"""
Spans of whole days where the restaurant stands (settings.TIME_ZONE).

A day begins at midnight there, not in UTC, and has 23 or 25 hours twice a year.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.utils import timezone

# A custom span; longer ones would be charts nobody can read.
MOST_DAYS = 5 * 366
DAYS_OF = {"today": 1, "week": 7, "month": 30, "quarter": 90, "year": 365}
LABELS = {
    "today": "Today",
    "week": "7 days",
    "month": "30 days",
    "quarter": "90 days",
    "year": "365 days",
    "custom": "Other dates",
}


@dataclass(frozen=True)
class Period:
    """From the first day's midnight up to, not including, that after the last."""

    first: date
    last: date

    @classmethod
    def until(cls, today: date, *, days: int) -> "Period":
        return cls(today - timedelta(days=days - 1), today)

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def begins_at(self) -> datetime:
        return midnight(self.first)

    @property
    def ends_at(self) -> datetime:
        return midnight(self.last + timedelta(days=1))

    @property
    def before(self) -> "Period":
        """The span of the same length that ended the day before."""
        length = timedelta(days=self.days)
        return Period(self.first - length, self.last - length)

    def __iter__(self) -> Iterator[date]:
        return (self.first + timedelta(days=n) for n in range(self.days))

    def __str__(self) -> str:
        if self.first == self.last:
            return f"{self.first:%d %b %Y}"
        return f"{self.first:%d %b %Y} – {self.last:%d %b %Y}"


def midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, timezone.get_default_timezone())


def local_day(moment: datetime) -> date:
    return moment.astimezone(timezone.get_default_timezone()).date()


def group_start(day: date, grouping: str) -> date:
    """Return the first day of the week (ISO: a Monday) or month that a day is in."""
    if grouping == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if grouping == "month" else day
