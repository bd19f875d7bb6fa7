"""
What happens to sessions while Redis is away, and how Redis hears of it afterwards.

Every session that this process has seen, or that it finds in a fallback which others
share, goes on here. Beside each changed record stands its base, what Redis was last
known to hold, so that on return the changes are merged and nothing is overwritten.
"""

import threading
from dataclasses import dataclass
from enum import Enum

from sessions_backend import budget as budgets
from sessions_backend import health, names, record, sealing
from sessions_backend.breaker import Breaker
from sessions_backend.copies import Copies
from sessions_backend.exceptions import DamagedRecord, StorageUnavailable
from sessions_backend.merge import merge
from sessions_backend.signals import tell_ended
from sessions_backend.stores.base import (
    Blocking,
    Entry,
    Replacement,
    Rotated,
    Stored,
)
from sessions_backend.stores.local import LocalStore

# What a label holds after its login was ended; no session id has this character.
REVOKED = b"!"
_BASE_PREFIX = f"{names.AUXILIARY_PREFIX}base:"
_GONE_PREFIX = f"{names.AUXILIARY_PREFIX}gone:"
# Longer than an outage; the session itself ends before.
KEPT_SECONDS = 30 * 86400
_SETTLED_SECONDS = 30
_MOST_MERGES = 16
_MOST_ENDED = 10_000


class _Kind(Enum):
    CHANGED = "changed"
    ENDED = "ended"
    PUT = "put"


@dataclass(slots=True)
class _Change:
    kind: _Kind
    size: int
    listed_in: str | None = None


class Journal:
    """
    Serve what is known, remember what was changed, and settle it with Redis.

    :raises StorageUnavailable: from each method that is asked for a key that this
        process has never seen, and where the journal is full
    """

    def __init__(
        self,
        local: LocalStore,
        copies: Copies,
        breaker: Breaker,
        *,
        most: int,
        most_bytes: int,
    ) -> None:
        self._local, self._copies, self._breaker = local, copies, breaker
        self._most, self._most_bytes = most, most_bytes
        self._changes: dict[str, _Change] = {}
        self._bytes = 0
        # What ended last, here or elsewhere.
        self._ended: dict[str, None] = {}
        # Each step below is one step for the settling thread, too.
        self._lock = threading.RLock()

    def __contains__(self, key: str) -> bool:
        """Whether a key was changed here and Redis has not heard of it yet."""
        return key in self._changes

    def __len__(self) -> int:
        return len(self._changes)

    @property
    def size_in_bytes(self) -> int:
        return self._bytes

    @property
    def keeps_own_memory(self) -> bool:
        return self._local.is_own_memory

    # What a store does -------------------------------------------------------

    def load(self, key: str) -> Stored | None:
        if self._is_gone(key):
            return None
        present = self._present(key)
        is_known = key in self._changes or key.startswith(names.SUPERSEDED_PREFIX)
        if present is None and not is_known:
            raise _never_seen()
        return present

    def create(
        self, key: str, raw: bytes, ttl: int, *, listed_in: str | None = None
    ) -> bool:
        with self._lock:
            if self._present(key) is not None:
                return False
            self._note(key, self._kind_of_new(key), len(raw), listed_in)
            return self._local.create(key, raw, ttl)

    def replace(
        self,
        key: str,
        expected: bytes | None,
        raw: bytes,
        ttl: int,
        *,
        listed_in: str | None = None,
    ) -> Replacement | bytes:
        with self._lock:
            if not self._take_in(key, expected):
                return Replacement.GONE
            self._note(key, _Kind.CHANGED, len(raw), listed_in)
            return self._local.replace(key, expected, raw, ttl)

    def renew(self, key: str, ttl: int, *, listed_in: str | None = None) -> bool:
        with self._lock:
            if not self._take_in(key, None):
                return False
            self._note(key, _Kind.CHANGED, 0, listed_in)
            return self._local.renew(key, ttl)

    def load_renewed(
        self, key: str, ttl: int, *, listed_in: str | None = None
    ) -> Stored | None:
        self.renew(key, ttl, listed_in=listed_in)
        return self.load(key)

    def remove(self, key: str) -> bool:
        with self._lock:
            if self._is_gone(key):
                return False
            self._note(key, _Kind.ENDED, 0)
            self.remember_ended(key)
            self._local.put(_GONE_PREFIX + key, b"", KEPT_SECONDS)
            self._copies.forget(key)
            self._local.remove(key)
            return True

    def take(self, key: str, *, leaving: Entry | None = None) -> bytes | None:
        with self._lock:
            present = self.load(key)
            if leaving is not None:
                self._local.put(*leaving)
            if present is not None:
                self.remove(key)
            return None if present is None else present.raw

    def rotate(
        self,
        key: str,
        goes_on: Entry,
        *,
        leaving: Entry | None = None,
        listed_in: str | None = None,
    ) -> Rotated:
        with self._lock:
            # First, for it may not be known: then nothing has happened.
            self.load(key)
            is_created = self.create(*goes_on, listed_in=listed_in)
            return Rotated(self.take(key, leaving=leaving), is_created)

    def put(self, key: str, raw: bytes, ttl: int) -> bytes | None:
        """
        Keep `raw`, and tell Redis of it later.

        :raises StorageUnavailable: after it was noted, if nobody here knows what
            stood there before
        """
        with self._lock:
            former = self._present(key)
            self._note(key, _Kind.PUT, len(raw))
            self._local.remove(_GONE_PREFIX + key)
            self._copies.forget(key)
            self._local.put(key, raw, ttl)
        if former is None:
            raise _never_seen()
        return former.raw

    def claim(self, key: str, raw: bytes, ttl: int) -> bytes:
        with self._lock:
            present = self._present(key)
            if present is not None:
                return present.raw
            self._note(key, self._kind_of_new(key), len(raw))
            return self._local.claim(key, raw, ttl)

    def known_records(self) -> dict[str, Stored]:
        """Return the records that this process could serve without Redis."""
        since = self._breaker.last_success
        keys = set(self._copies.all(away_since=since))
        with self._lock:
            keys |= self._changes.keys()
        found = {key: self._present(key) for key in keys if names.is_record(key)}
        return {
            key: stored
            for key, stored in found.items()
            if stored is not None and not self._is_gone(key)
        }

    # What Redis hears of it --------------------------------------------------

    def changed_keys(self) -> list[str]:
        with self._lock:
            return list(self._changes)

    def note_ended(self, key: str) -> None:
        """Take notice that another process has ended a key, or written it anew."""
        with self._lock:
            self._copies.forget(key)
            self.remember_ended(key)
            if key in self._changes and names.is_record(key):
                self.remove(key)
        tell_ended(key)

    def remember_ended(self, key: str) -> None:
        """Remember, among the last ten thousand, a key that is missing for good."""
        with self._lock:
            if len(self._ended) >= _MOST_ENDED:
                del self._ended[next(iter(self._ended))]
            self._ended[key] = None

    def has_ended(self, key: str) -> bool:
        """Whether this process has ended a key lately, or heard that another has."""
        return key in self._ended

    def settle(self, key: str, redis: Blocking, *, is_emptied: bool) -> None:
        """
        Bring one key's changes to Redis, merged with what others have stored.

        `is_emptied` says that Redis has lost its data, so that what is missing there
        was not deleted.

        :raises StorageUnavailable: if Redis went away again; the change stays noted
        """
        change = self._changes.get(key)
        if change is None:
            return
        if names.is_lease(key):
            # It was for this process alone.
            self._forget(key)
            return
        if change.kind is _Kind.ENDED:
            redis.remove(key)
            self._forget_unless_changed(key, change)
            return
        present = self._local.load(key)
        stored: bytes | None = None
        if present is not None:
            stored = self._heard(key, present, change, redis, is_emptied=is_emptied)
        with self._lock:
            if self._changes.get(key) is not change:
                if present is not None:
                    # Written again meanwhile: what Redis has heard is the new base.
                    self._local.put(_BASE_PREFIX + key, present.raw, KEPT_SECONDS)
                return
            self._forget(key, heard=None if present is None else present.raw)
            if present is None or stored is None:
                self._copies.forget(key)
            else:
                self._copies.note(key, stored, present.remaining)

    def _forget_unless_changed(self, key: str, change: _Change) -> None:
        with self._lock:
            if self._changes.get(key) is change:
                self._forget(key)

    def _heard(
        self,
        key: str,
        present: Stored,
        change: _Change,
        redis: Blocking,
        *,
        is_emptied: bool,
    ) -> bytes | None:
        """Tell Redis what a key holds now; return what stands there, None if gone."""
        raw, ttl = present.raw, max(int(present.remaining), 1)
        if not names.is_record(key):
            if change.kind is _Kind.PUT:
                return _settle_put(key, raw, ttl, redis)
            return _settle_label(key, raw, ttl, redis)
        if change.kind is _Kind.PUT:
            # Ended here, and begun anew: what Redis still holds is not its base.
            listed_in = change.listed_in
            outcome = redis.replace(key, None, raw, ttl, listed_in=listed_in)
            if outcome is Replacement.GONE:
                redis.create(key, raw, ttl, listed_in=listed_in)
            return raw
        return self._settle_record(key, present, change, redis, is_emptied=is_emptied)

    def _settle_record(
        self,
        key: str,
        present: Stored,
        change: _Change,
        redis: Blocking,
        *,
        is_emptied: bool,
    ) -> bytes | None:
        raw, ttl = present.raw, max(int(present.remaining), 1)
        base = self._local.load(_BASE_PREFIX + key)
        expected: bytes
        if base is None or is_emptied:
            if redis.create(key, raw, ttl, listed_in=change.listed_in):
                return raw
            found = redis.load(key)
            if not isinstance(found, Stored):
                return None
            expected, merged = found.raw, merged_records(key, base, found.raw, raw)
        elif base.raw == raw:
            is_there = redis.renew(key, ttl, listed_in=change.listed_in)
            return raw if is_there else None
        else:
            expected, merged = base.raw, raw
        for _ in range(_MOST_MERGES):
            outcome = redis.replace(
                key, expected, merged, ttl, listed_in=change.listed_in
            )
            if outcome is Replacement.DONE:
                return merged
            if outcome is Replacement.GONE:
                return None
            expected, merged = outcome, merged_records(key, base, outcome, raw)
        raise StorageUnavailable("Too many requests write this session at once.")

    # What is known here ------------------------------------------------------

    def _is_gone(self, key: str) -> bool:
        return self._local.exists(_GONE_PREFIX + key)

    def _present(self, key: str) -> Stored | None:
        """Return what is known of a key that was not ended."""
        since = self._breaker.last_success_at
        present = self._local.load(key)
        if present is not None and (
            key in self._changes or self._local.written_at(key) > since
        ):
            return present
        return self._copies.get(key, away_since=self._breaker.last_success)

    def _kind_of_new(self, key: str) -> _Kind:
        """Let a key that was ended here begin anew, whatever Redis still holds."""
        if not self._is_gone(key):
            return _Kind.CHANGED
        self._local.remove(_GONE_PREFIX + key)
        return _Kind.PUT

    def _take_in(self, key: str, expected: bytes | None) -> bool:
        """Make a key changeable here; False if it was ended."""
        if self._is_gone(key):
            return False
        if key in self._changes:
            return True
        known = self._present(key)
        if known is None and expected is None:
            raise _never_seen()
        # What the caller has loaded a moment ago will do, too.
        known = known or Stored(expected or b"", KEPT_SECONDS)
        ttl = max(int(min(known.remaining, KEPT_SECONDS)), 1)
        is_from_another = self._local.written_at(key) > self._breaker.last_success_at
        if not is_from_another:
            self._local.put(_BASE_PREFIX + key, known.raw, KEPT_SECONDS)
            self._local.put(key, known.raw, ttl)
        return True

    def _note(
        self, key: str, kind: _Kind, size: int, listed_in: str | None = None
    ) -> None:
        former = self._changes.get(key)
        # A logout needs next to nothing, and is not to be refused for a full cart.
        most = self._most * 2 if kind is _Kind.ENDED else self._most
        if former is None and (
            len(self._changes) >= most or self._bytes + size > self._most_bytes
        ):
            raise StorageUnavailable("Redis is away, and the journal is full.")
        if former is not None:
            self._bytes -= former.size
            size = size or former.size
            listed_in = listed_in or former.listed_in
            if kind is _Kind.CHANGED:
                kind = former.kind
        self._changes[key] = _Change(kind, size, listed_in)
        self._bytes += size
        self._tell_size()

    def _forget(self, key: str, *, heard: bytes | None = None) -> None:
        change = self._changes.pop(key, None)
        self._bytes -= change.size if change else 0
        self._tell_size()
        if self._local.is_own_memory:
            for name in (_BASE_PREFIX + key, _GONE_PREFIX + key, key):
                self._local.remove(name)
            return
        # Another process may still be without Redis, and look here for a while.
        self._local.renew(key, _SETTLED_SECONDS)
        self._local.renew(_GONE_PREFIX + key, _SETTLED_SECONDS)
        if heard is not None:
            self._local.put(_BASE_PREFIX + key, heard, _SETTLED_SECONDS)

    def _tell_size(self) -> None:
        health.note("journal_changes", len(self._changes))
        health.note("journal_bytes", self._bytes)


def merged_records(
    key: str, base: Stored | None, earlier: bytes, later: bytes
) -> bytes:
    """
    Merge two states of one record, sealed or not, that came of `base` or of nothing.

    :raises DamagedRecord: if `base` or `later` is no record
    """
    seals = sealing.seals()
    try:
        held = seals.decode(earlier, key)
    except DamagedRecord:
        return later
    merged = merge(
        base={} if base is None else seals.decode(base.raw, key),
        earlier=held,
        later=seals.decode(later, key),
    )
    # Whatever its size: both were acknowledged.
    return record.encode(seals.sealed(merged, key))


def _settle_put(key: str, raw: bytes, ttl: int, redis: Blocking) -> bytes:
    former = redis.put(key, raw, ttl)
    if raw == REVOKED and former not in {None, REVOKED}:
        redis.remove(names.record_key(names.RecordName((former or b"").decode())))
    return raw


def _settle_label(key: str, raw: bytes, ttl: int, redis: Blocking) -> bytes:
    """Lead a label to the session of the login that was later, unless it was ended."""
    present = redis.claim(key, raw, ttl)
    if present == REVOKED:
        redis.remove(names.record_key(names.RecordName(raw.decode())))
    elif present != raw:
        redis.replace(key, None, raw, ttl)
        return raw
    return present


def _never_seen() -> StorageUnavailable:
    outage = StorageUnavailable("Redis is away, and this session was never seen here.")
    budgets.current().outage = outage
    return outage
