"""RedisStore: sessions in Redis or Valkey (7.0 or newer), one round trip a call."""

import hashlib
import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import hiredis
from django.core.cache import caches
from django.core.exceptions import ImproperlyConfigured
from redis.exceptions import RedisError

from sessions_backend import budget as budgets
from sessions_backend.exceptions import StorageUnavailable
from sessions_backend.stores.base import Replacement, Stored, Unreadable
from sessions_backend.stores.opening import open_wire
from sessions_backend.stores.scripts import REPLACE, Script
from sessions_backend.stores.wire import ClosedBeforeReply, Wire

# Its stub takes a tuple of one.
_pack: Callable[[tuple[Any, ...]], bytes] = hiredis.pack_command
_SCAN_COUNT = 500

logger = logging.getLogger("sessions_backend")


class RedisStore:
    """One connection for each thread of each process, made as the alias says."""

    def __init__(self, cache_alias: str) -> None:
        client: Any = getattr(caches[cache_alias], "client", None)
        if not hasattr(client, "get_client"):
            raise ImproperlyConfigured(
                f"SESSION_CACHE_ALIAS is {cache_alias!r}, which is not a cache of "
                "django-redis: set its BACKEND to 'django_redis.cache.RedisCache'."
            )
        self._pool = client.get_client(write=True).connection_pool
        # Set by who chose this store; the start-up ping has lines of its own.
        self.is_serving = False
        self._is_away = False
        self._start_anew()
        _stores.add(self)

    def load(self, key: str) -> Stored | Unreadable | None:
        # Both answers in one round trip: the bytes, and whether renewal is due.
        raw, remaining = self._ask(_pack(("GET", key)) + _pack(("TTL", key)), 2)
        if type(raw) is bytes:
            return Stored(raw, remaining if remaining != -1 else float("inf"))
        if raw is None:
            return None
        if str(raw).startswith("WRONGTYPE"):
            return Unreadable(str(raw))
        raise self._refusal(raw)

    def create(self, key: str, raw: bytes, ttl: int) -> bool:
        return self._ask_one("SET", key, raw, "NX", "EX", ttl) is not None

    def replace(
        self, key: str, expected: bytes | None, raw: bytes, ttl: int
    ) -> Replacement | bytes:
        if expected is None:
            done = self._ask_one("SET", key, raw, "XX", "EX", ttl)
            return Replacement.GONE if done is None else Replacement.DONE
        digest = hashlib.sha1(expected, usedforsecurity=False).hexdigest()
        answer = self._run(REPLACE, key, digest, raw, ttl)
        if answer == 1 or answer == raw:  # noqa: PLR1714  # bytes and a number
            # The same bytes stand there: they are this call's own, sent again after
            # a connection broke before its reply, or another writer's equal ones.
            return Replacement.DONE
        if answer == 0:
            return Replacement.GONE
        return bytes(answer)

    def renew(self, key: str, ttl: int) -> bool:
        return bool(self._ask_one("EXPIRE", key, ttl))

    def remove(self, key: str) -> bool:
        return bool(self._ask_one("DEL", key))

    def take(self, key: str) -> bytes | None:
        # Not sent twice: the second answer would be "gone" for what the first took.
        (raw,) = self._ask(_pack(("GETDEL", key)), 1, is_repeatable=False)
        if isinstance(raw, hiredis.ReplyError):
            raise self._refusal(raw)
        return raw  # type: ignore[no-any-return]  # bytes or None, as Redis says

    def put(self, key: str, raw: bytes, ttl: int) -> bytes | None:
        former: bytes | None = self._ask_one("SET", key, raw, "EX", ttl, "GET")
        return former

    def claim(self, key: str, raw: bytes, ttl: int) -> bytes:
        present = self._ask_one("SET", key, raw, "NX", "EX", ttl, "GET")
        return raw if present is None else bytes(present)

    def exists(self, key: str) -> bool:
        return bool(self._ask_one("EXISTS", key))

    def keys(self, prefix: str, *, limit: int) -> Iterator[str]:
        pattern = "".join(f"\\{sign}" if sign in "\\*?[]" else sign for sign in prefix)
        cursor, seen = b"0", 0
        while True:
            cursor, found = self._ask_one(
                "SCAN", cursor, "MATCH", f"{pattern}*", "COUNT", _SCAN_COUNT
            )
            for key in found:
                if seen == limit:
                    return
                seen += 1
                yield key.decode("utf-8", "replace")
            if cursor == b"0":
                return

    def ping(self) -> None:
        """
        Ask Redis whether it serves.

        :raises StorageUnavailable: caused by `Refused` if Redis answers, and says no
        """
        self._ask_one("PING")

    def close(self) -> None:
        """Close the connections of all threads; a later call opens another."""
        with self._lock:
            wires = list(self._wires)
        for wire in wires:
            wire.close()

    def _start_anew(self) -> None:
        self._local = threading.local()
        self._wires: weakref.WeakSet[Wire] = weakref.WeakSet()
        self._lock = threading.Lock()

    def _ask_one(self, *command: Any) -> Any:
        (reply,) = self._ask(_pack(command), 1)
        if isinstance(reply, hiredis.ReplyError):
            raise self._refusal(reply)
        return reply

    def _run(self, script: Script, key: str, *arguments: Any) -> Any:
        (reply,) = self._ask(_pack(("EVALSHA", script.sha, 1, key, *arguments)), 1)
        if isinstance(reply, hiredis.ReplyError):
            if not str(reply).startswith("NOSCRIPT"):
                raise self._refusal(reply)
            # Redis was restarted or its scripts flushed; this also loads it again.
            return self._ask_one("EVAL", script.source, 1, key, *arguments)
        return reply

    def _ask(
        self, request: bytes, count: int, *, is_repeatable: bool = True
    ) -> list[Any]:
        budget = budgets.current()
        if budget.remaining <= 0:
            budget.outage = StorageUnavailable("The request's time is used up.")
            raise budget.outage
        started = time.monotonic()
        try:
            replies = self._exchange(
                request, count, started + budget.remaining, is_repeatable
            )
        except (RedisError, OSError, hiredis.HiredisError) as error:
            self._note_outage(error)
            budget.outage = StorageUnavailable(f"Redis cannot be reached: {error}")
            raise budget.outage from error
        finally:
            budget.remaining -= time.monotonic() - started
        if self._is_away:
            self._is_away = False
            logger.info("Redis is back.")
        return replies

    def _exchange(
        self, request: bytes, count: int, deadline: float, is_repeatable: bool
    ) -> list[Any]:
        wire: Wire | None = getattr(self._local, "wire", None)
        if wire is not None and wire.is_open:
            try:
                return wire.exchange(request, count, deadline)
            except ClosedBeforeReply:
                # Closed while it lay idle, most likely: by Redis's own time-out, a
                # restart, a failover. Worth one new connection, not more.
                if not is_repeatable:
                    raise
        return self._connected(deadline).exchange(request, count, deadline)

    def _connected(self, deadline: float) -> Wire:
        with self._lock:
            if sum(wire.is_open for wire in self._wires) >= self._pool.max_connections:
                raise ConnectionError(
                    f"All {self._pool.max_connections} connections are in use."
                )
        wire = open_wire(self._pool, deadline=deadline)
        self._local.wire = wire
        with self._lock:
            self._wires.add(wire)
        return wire

    def _note_outage(self, error: Exception) -> None:
        # Once for each outage, not for each request that meets it.
        if self.is_serving and not self._is_away:
            self._is_away = True
            logger.error("Redis cannot be reached: %s", error)

    def _refusal(self, reply: Exception) -> StorageUnavailable:
        """Turn an error reply (LOADING, READONLY, OOM, NOPERM, …) into an outage."""
        # After a failover the next connection may reach a server that can.
        self._local.wire.close()
        outage = StorageUnavailable(f"Redis refuses: {reply}")
        outage.__cause__ = Refused(str(reply))
        budgets.current().outage = outage
        return outage


class Refused(RedisError):
    """Redis was reached, and answered with an error."""


_stores: weakref.WeakSet[RedisStore] = weakref.WeakSet()


def _leave_the_parent_its_connections() -> None:
    for store in _stores:
        store._start_anew()  # noqa: SLF001  # this module's own


os.register_at_fork(after_in_child=_leave_the_parent_its_connections)
