"""
The near cache (SESSION_NEAR_CACHE): a load that this process answers from memory.

Redis tells which of the keys that were read here have changed (client-side caching,
with one RESP3 connection for each process that all others redirect to). Before each
answer from memory that connection is drained. Where it drops, or does not answer for
some seconds, everything is forgotten, and nothing is kept until it is back.
"""

import threading
import time
from collections import OrderedDict
from typing import Any, NamedTuple

import hiredis
from redis.connection import ConnectionPool
from redis.exceptions import RedisError

from sessions_backend import conf, health
from sessions_backend.stores.base import Stored, Unreadable
from sessions_backend.stores.opening import open_wire
from sessions_backend.stores.redis import RedisStore, loaded, pack, reading
from sessions_backend.stores.transport import Command, Preamble, Transport
from sessions_backend.stores.wire import Wire

_OPENING_SECONDS = 1.0
_RETRY_SECONDS = 1.0
# How long a connection may be silent, which is how stale an answer may be at worst.
_ASK_AFTER_SECONDS = 1.0
_SILENCE_SECONDS = 3.0
_PING = pack(("PING",))


class _Near(NamedTuple):
    raw: bytes
    ends_at: float


class NearCache:
    """What one process has read, as long as Redis has not said that it changed."""

    def __init__(self, pool: ConnectionPool, *, most: int, most_bytes: int) -> None:
        self._pool = pool
        self._most, self._most_bytes = most, most_bytes
        self._lock = threading.RLock()
        self._near: OrderedDict[str, _Near] = OrderedDict()
        self._bytes = 0
        # Loads under way: what changes meanwhile is not kept.
        self._expected: dict[str, object] = {}
        self._wire: Wire | None = None
        self._preamble: Preamble | None = None
        self._is_opening = False
        self._is_closed = False
        self._tried_at = 0.0
        self._asked_at = self._heard_at = 0.0

    def get(self, key: str) -> Stored | None:
        with self._lock:
            if not self._is_current():
                return None
            near = self._near.get(key)
            if near is None:
                return None
            remaining = near.ends_at - time.time()
            if remaining <= 0:
                self._drop(key)
                return None
            self._near.move_to_end(key)
        health.count_often("near_hits")
        return Stored(near.raw, remaining)

    def expect(self, key: str) -> tuple[object, Preamble | None]:
        """Announce a load; return its token, and what makes Redis track it."""
        token = object()
        with self._lock:
            self._expected[key] = token
            return token, self._preamble

    def note(self, key: str, stored: Any, token: object) -> None:
        """Keep what was loaded, unless it has changed since the load began."""
        with self._lock:
            if self._expected.get(key) is not token:
                return
            del self._expected[key]
            if type(stored) is not Stored or not self._is_current():
                return
            self._drop(key)
            self._near[key] = _Near(stored.raw, time.time() + stored.remaining)
            self._bytes += len(stored.raw)
            while len(self._near) > self._most or self._bytes > self._most_bytes:
                self._drop(next(iter(self._near)))

    def forget(self, key: str) -> None:
        with self._lock:
            self._expected.pop(key, None)
            self._drop(key)

    def clear(self) -> None:
        with self._lock:
            self._near.clear()
            self._expected.clear()
            self._bytes = 0

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            self._lose()

    def _drop(self, key: str) -> None:
        near = self._near.pop(key, None)
        if near is not None:
            self._bytes -= len(near.raw)

    def _is_current(self) -> bool:
        """Take in what Redis has said; False while it may have said more."""
        if self._wire is None:
            self._open_in_background()
            return False
        now = time.monotonic()
        try:
            self._drain(self._wire)
            if now - self._asked_at > _ASK_AFTER_SECONDS:
                self._asked_at = now
                self._wire.send_now(_PING)
        except (OSError, hiredis.HiredisError):
            self._lose()
            return False
        if self._asked_at - self._heard_at > _SILENCE_SECONDS:
            self._lose()
            return False
        return True

    def _drain(self, wire: Wire) -> None:
        for message in wire.drain():
            self._heard_at = time.monotonic()
            if isinstance(message, list) and message and message[0] == b"invalidate":
                self._invalidate(message[1])

    def _invalidate(self, keys: list[bytes] | None) -> None:
        if keys is None:
            # The whole database was flushed.
            self.clear()
            return
        for key in keys:
            self.forget(key.decode("utf-8", "replace"))

    def _lose(self) -> None:
        self.clear()
        if self._wire is not None:
            self._wire.close()
        self._wire = self._preamble = None

    def _open_in_background(self) -> None:
        # Nobody's request is to wait for what would only save others some time.
        now = time.monotonic()
        if self._is_opening or self._is_closed or now - self._tried_at < _RETRY_SECONDS:
            return
        self._is_opening, self._tried_at = True, now
        threading.Thread(
            target=self._open, name="sessions-near-cache", daemon=True
        ).start()

    def _open(self) -> None:
        try:
            deadline = time.monotonic() + _OPENING_SECONDS
            wire = open_wire(self._pool, deadline=deadline)
            commands = pack(("HELLO", 3)) + pack(("CLIENT", "ID"))
            hello, number = wire.exchange(commands, 2, deadline)
            if isinstance(hello, Exception) or isinstance(number, Exception):
                wire.close()
                return
            wire.unblock()
            with self._lock:
                if self._is_closed:
                    wire.close()
                    return
                self._wire = wire
                self._asked_at = self._heard_at = time.monotonic()
                self._preamble = _track_for(number)
        except (OSError, RedisError, hiredis.HiredisError):
            pass  # tried again by a later load
        finally:
            self._is_opening = False


class NearStore(RedisStore):
    """RedisStore with a near cache before its loads."""

    def __init__(self, transport: Transport, near: NearCache) -> None:
        super().__init__(transport)
        self._near = near

    def cached(self, key: str) -> Stored | None:
        return self._near.get(key)

    async def load(self, key: str) -> Stored | Unreadable | None:
        token, preamble = self._near.expect(key)
        stored, most = None, conf.load().longest_read
        try:
            raw, remaining = await self._ask(
                *reading(key, most), tolerated="WRONGTYPE", preamble=preamble
            )
            stored = loaded(raw, remaining, most)
        finally:
            # A load that failed is expected no more, either.
            self._near.note(key, stored, token)
        return stored

    def close(self) -> None:
        self._near.close()
        super().close()

    async def _ask(self, *commands: Command, **options: Any) -> list[Any]:
        try:
            return await super()._ask(*commands, **options)
        finally:
            # Redis will say so, too; this process is to read what it has written.
            if options.get("preamble") is None:
                for key, _ in commands:
                    self._near.forget(key)


def _track_for(client_id: int) -> Preamble:
    off = pack(("CLIENT", "TRACKING", "OFF"))
    on = pack(("CLIENT", "TRACKING", "ON", "REDIRECT", client_id))
    return Preamble(str(client_id), off + on, 2)
