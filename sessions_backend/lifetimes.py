"""
How long a session lives: idle (the key's time to live) and absolute (in the record).

The two keys of the absolute life belong to the engine. They stand in the stored
record, and not among the session's own keys, whenever SESSION_ABSOLUTE_AGE is set.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from django.conf import settings

from sessions_backend.exceptions import DamagedRecord, UnstorableValue
from sessions_backend.record import Record

CREATED_AT = "created_at"
EXPIRES_AT = "expires_at"
# A busy page costs one renewal for each tenth of its session's age.
RENEWAL_SHARE = 0.1
# What can still be written as a cookie's date.
_FIRST_YEAR, _LAST_YEAR = 1970, 9998


@dataclass(frozen=True, slots=True)
class Lifetime:
    """From when until when a session may live, however often it is used."""

    created_at: datetime
    expires_at: datetime
    # Both as the record has them.
    texts: tuple[str, str]

    @classmethod
    def starting(cls, now: datetime, *, age_seconds: int) -> Self:
        begin = now.replace(microsecond=0)
        end = begin + timedelta(seconds=age_seconds)
        return cls(begin, end, (begin.isoformat(), end.isoformat()))

    @classmethod
    def taken_from(cls, record: Record) -> Self | None:
        """
        Remove the engine's two keys from a record that was read; None if it has none.

        :raises DamagedRecord: if they are not two moments in time
        """
        created_at = record.pop(CREATED_AT, None)
        expires_at = record.pop(EXPIRES_AT, None)
        if created_at is None and expires_at is None:
            return None
        moments = _moment(created_at), _moment(expires_at)
        return cls(*moments, (created_at, expires_at))

    def written_into(self, record: Record) -> Record:
        """
        Return a record with the engine's keys at its end.

        :raises UnstorableValue: if the session has keys of these names
        """
        if CREATED_AT in record or EXPIRES_AT in record:
            raise UnstorableValue(
                f"The session's {CREATED_AT!r} and {EXPIRES_AT!r} cannot be stored: "
                "while SESSION_ABSOLUTE_AGE is set they belong to the session engine."
            )
        created_at, expires_at = self.texts
        return {**record, CREATED_AT: created_at, EXPIRES_AT: expires_at}

    @property
    def is_over(self) -> bool:
        return self.remaining_seconds(datetime.now(UTC)) <= 0

    def remaining_seconds(self, now: datetime) -> int:
        # Without a time zone it is the local time, as where USE_TZ is off.
        return int((self.expires_at - now.astimezone(UTC)).total_seconds())


def is_renewal_due(*, remaining: float, age: int) -> bool:
    """
    Say whether a session that was only read should have its end moved.

    Also true if its end lies further away than its age, as after an operator's
    PERSIST: the age it was given is what counts.
    """
    return remaining < age * (1 - RENEWAL_SHARE) or remaining > age + 1


def check_expiry(record: Record) -> None:
    """
    Make sure that Django's own `_session_expiry` is one that Django can read.

    :raises DamagedRecord: if it is not
    """
    expiry = record.get("_session_expiry")
    if expiry is None:
        return
    if isinstance(expiry, str):
        _moment(expiry, has_zone=settings.USE_TZ)
    elif type(expiry) not in {int, float}:
        raise DamagedRecord(f"an expiry of type {type(expiry).__name__}")


def _moment(text: object, *, has_zone: bool = True) -> datetime:
    try:
        moment = datetime.fromisoformat(text)  # type: ignore[arg-type]  # caught below
    except (TypeError, ValueError) as error:
        raise DamagedRecord("a lifetime that is not a moment in time") from error
    if (moment.tzinfo is not None) != has_zone:
        raise DamagedRecord("a lifetime in no known time zone")
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise DamagedRecord("a lifetime beyond all calendars")
    return moment
