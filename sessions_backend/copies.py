"""
What this process knows of sessions in Redis, for the time that Redis is away.

Bounded in number, bytes and age. A copy is what Redis has last said or been told.
"""

import threading
import time
from collections import OrderedDict
from math import inf

from sessions_backend.stores.base import Stored

# The bytes, and by the monotonic clock, which nobody sets, when they end, when they
# were seen, and when this process wrote the key last. A plain tuple: one is made with
# every load.
type _Copy = tuple[bytes, float, float, float]

_NONE: _Copy = (b"", -inf, -inf, -inf)


class Copies:
    def __init__(self, *, most: int, most_bytes: int, age_seconds: float) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._age_seconds = age_seconds
        self._copies: OrderedDict[str, _Copy] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def __contains__(self, key: str) -> bool:
        return key in self._copies

    def note(
        self, key: str, raw: bytes, remaining: float, *, is_written: bool = False
    ) -> None:
        now = time.monotonic()
        with self._lock:
            copies = self._copies
            former = copies.get(key, _NONE)
            copies[key] = raw, now + remaining, now, now if is_written else former[3]
            copies.move_to_end(key)
            self._bytes += len(raw) - len(former[0])
            while len(copies) > self._most or self._bytes > self._most_bytes:
                _, oldest = copies.popitem(last=False)
                self._bytes -= len(oldest[0])

    def renew(self, key: str, remaining: float) -> None:
        """Note that Redis has moved the end of a key."""
        with self._lock:
            copy = self._copies.get(key)
            if copy is not None:
                now = time.monotonic()
                self._copies[key] = (copy[0], now + remaining, now, copy[3])

    def get(self, key: str, *, away_since: float) -> Stored | None:
        """Return a copy that was not too old when Redis went away."""
        copy = self._copies.get(key)
        return None if copy is None else self._alive(copy, away_since)

    def raw(self, key: str) -> bytes | None:
        """Return what Redis last said that a key holds, however long ago."""
        copy = self._copies.get(key)
        return None if copy is None else copy[0]

    def forget(self, key: str) -> bool:
        """Drop a copy; say whether there was one."""
        with self._lock:
            copy = self._copies.pop(key, None)
            if copy is not None:
                self._bytes -= len(copy[0])
        return copy is not None

    def latest(self) -> str | None:
        """Return the key that was noted last."""
        with self._lock:
            return next(reversed(self._copies), None)

    def clear(self) -> None:
        with self._lock:
            self._copies.clear()
            self._bytes = 0

    def all(self, *, away_since: float) -> dict[str, Stored]:
        with self._lock:
            present = list(self._copies.items())
        found = ((key, self._alive(copy, away_since)) for key, copy in present)
        return {key: stored for key, stored in found if stored is not None}

    def seen_at(self, key: str) -> float:
        """Return the Unix time at which a copy was true; 0 if there is none."""
        copy = self._copies.get(key)
        return 0.0 if copy is None else time.time() - time.monotonic() + copy[2]

    def written_since(self, moment: float) -> dict[str, bytes]:
        """Return what this process has written since a moment."""
        with self._lock:
            present = list(self._copies.items())
        return {key: copy[0] for key, copy in present if copy[3] > moment}

    def _alive(self, copy: _Copy, away_since: float) -> Stored | None:
        raw, ends_at, seen_at, _ = copy
        remaining = ends_at - time.monotonic()
        if remaining <= 0 or seen_at < away_since - self._age_seconds:
            return None
        return Stored(raw, remaining)
