"""
StoredSession: what a session knows of its record, and how the two are kept equal.

It remembers the bytes it has loaded. A save names them, so the store can tell whether
another request was faster; then the two are merged, and nothing is lost.
"""

import re
import secrets
from datetime import UTC, datetime
from typing import Any

from django.contrib.sessions.backends.base import (
    CreateError,
    SessionBase,
    UpdateError,
)

from sessions_backend import conf, damaged, failover, health, lifetimes, record
from sessions_backend.exceptions import (
    DamagedRecord,
    StorageUnavailable,
    UnstorableValue,
)
from sessions_backend.lifetimes import Lifetime
from sessions_backend.merge import absorb, merge
from sessions_backend.record import Record
from sessions_backend.stores.base import Replacement, Unreadable

_ID_BYTES = 20
_VALID_ID = re.compile(r"[A-Za-z0-9_-]{8,128}", re.ASCII)
# Each lost race means that another writer won one: this many in a row is a fault.
_MOST_MERGES = 64
_LONGEST_TTL = 10 * 365 * 86400


class StoredSession(SessionBase):
    """The part of the engine that speaks to the store."""

    _session_cache: Record
    _raw: bytes | None
    _remaining: float
    _lifetime: Lifetime | None

    def __init__(self, session_key: str | None = None) -> None:
        self._forget_stored()
        super().__init__(session_key)

    def renew(self) -> None:
        """
        Move the session's end to one full age from now.

        :raises UpdateError: if the session ended before this call
        """
        ttl = self._ttl()
        if ttl <= 0 or not failover.store().renew(self._key(), ttl):
            raise UpdateError
        self._remaining = ttl

    def get_expiry_age(self, **kwargs: Any) -> int:
        age: int = super().get_expiry_age(**kwargs)
        return self._at_most_until_the_end(age, **kwargs)

    def _validate_session_key(self, key: object) -> bool:
        return isinstance(key, str) and _VALID_ID.fullmatch(key) is not None

    def _get_new_session_key(self) -> str:
        # Nobody is asked whether it is free: create() finds out on the same trip.
        return secrets.token_hex(_ID_BYTES)

    def _key(self) -> str:
        return f"{conf.load().key_prefix}{self.session_key}"

    def _read(self) -> tuple[Record, bytes, float, Lifetime | None] | None:
        store = failover.store()
        stored = store.load(self._key())
        if stored is None:
            return None
        if isinstance(stored, Unreadable):
            damaged.note_unreadable(self._key(), stored.reason)
            return None
        try:
            data = record.decode(stored.raw)
            lifetime = self._take_lifetime(data)
            lifetimes.check_expiry(data)
        except DamagedRecord as error:
            damaged.set_aside(store, self._key(), stored.raw, str(error))
            return None
        if lifetime and lifetime.remaining_seconds(datetime.now(UTC)) <= 0:
            return None
        return data, stored.raw, stored.remaining, lifetime

    def _save_new(self) -> None:
        self._get_session(no_load=True)  # type: ignore[attr-defined]  # see above
        raw = self._encoded()
        ttl = self._ttl()
        # An end in the past, as set_expiry allows: over before it begins.
        if ttl > 0 and not failover.store().create(self._key(), raw, ttl):
            raise CreateError
        self._note_stored(raw, ttl)

    def _save_existing(self) -> None:
        for _ in range(_MOST_MERGES):
            raw = self._encoded()
            if raw == self._raw:
                self.renew()
                return
            ttl = self._ttl()
            if ttl <= 0:
                self._end()
                return
            outcome = failover.store().replace(self._key(), self._raw, raw, ttl)
            if outcome is Replacement.DONE:
                self._note_stored(raw, ttl)
                return
            if outcome is Replacement.GONE:
                raise UpdateError
            self._merge(self._raw or b"{}", outcome)
            self._raw = outcome
        raise StorageUnavailable("Too many requests write this session at once.")

    def _end(self) -> None:
        if not failover.store().remove(self._key()):
            raise UpdateError

    def _merge(self, base: bytes, earlier: bytes) -> None:
        """Take another writer's changes into this session, before it is stored."""
        try:
            theirs = record.decode(earlier)
        except DamagedRecord:
            theirs = record.decode(base)
        merged = merge(
            base=record.decode(base),
            earlier=theirs,
            later=record.decode(self._encoded()),
        )
        self._lifetime = self._take_lifetime(merged)
        absorb(self._session_cache, merged)
        health.count("merged_saves")

    def _encoded(self) -> bytes:
        if self._lifetime is None:
            self._lifetime = self._fresh_lifetime()
        return record.encode(self._as_stored())

    def _as_stored(self) -> Record:
        if self._lifetime is None:
            return self._session_cache
        return self._lifetime.written_into(self._session_cache)

    def _differs_from_stored(self) -> bool:
        if self._raw is None or not hasattr(self, "_session_cache"):
            return False
        try:
            present = self._as_stored()
        except UnstorableValue:
            return True
        if record.quick_encode(present) == self._raw:
            return False
        # Another order of keys, or other spaces, are no change.
        return not record.same(record.decode(self._raw), present)

    def _note_stored(self, raw: bytes, ttl: int) -> None:
        self._raw, self._remaining = raw, ttl

    def _forget_stored(self) -> None:
        self._raw = None
        self._remaining = 0.0
        self._lifetime = None

    def _fresh_lifetime(self) -> Lifetime | None:
        age = conf.load().absolute_age_seconds
        if age is None:
            return None
        return Lifetime.starting(datetime.now(UTC), age_seconds=age)

    def _take_lifetime(self, data: Record) -> Lifetime | None:
        if conf.load().absolute_age_seconds is None:
            return None
        return Lifetime.taken_from(data)

    def _ttl(self) -> int:
        return min(int(self.get_expiry_age()), _LONGEST_TTL)

    def _at_most_until_the_end(self, age: int, **kwargs: Any) -> int:
        if self._lifetime is None:
            return age
        now = kwargs.get("modification") or datetime.now(UTC)
        return min(age, self._lifetime.remaining_seconds(now))
