"""
The short way to Redis: a blocking call where nothing is out of the ordinary.

Redis serves, this process knows nothing of the key that Redis does not, the thread has
its connection: then what nearly every request asks needs no coroutine, no second try
and no decision. Whatever is not so, or does not come out as it should, is answered
with None or False, and the long way asks (again) and decides. So there is nothing here
that may not be done twice.
"""

from collections.abc import Callable
from functools import lru_cache
from time import monotonic
from typing import Any

import hiredis
from hiredis import ReplyError

from sessions_backend import budget as budgets
from sessions_backend import conf, health
from sessions_backend.breaker import Breaker
from sessions_backend.copies import Copies
from sessions_backend.journal import Journal
from sessions_backend.stores.lists import bulk
from sessions_backend.stores.redis import IFEQ, TTL, RedisStore, getrange, pack
from sessions_backend.stores.threads import BlockingTransport
from sessions_backend.stores.transport import note_broken

_GETEX = b"*4\r\n$5\r\nGETEX\r\n%b$2\r\nEX\r\n%b"


class NoAnswer(Exception):
    """Redis has used up its time: whoever decides is not to ask it once more."""


class ShortWay:
    """
    Beside a FailingOverStore, which decides where this does not.

    Each method may raise NoAnswer, after `note_failure` was told.
    """

    def __init__(
        self,
        redis: RedisStore,
        transport: BlockingTransport,
        *,
        breaker: Breaker,
        copies: Copies,
        journal: Journal,
        note_failure: Callable[[Exception], None],
    ) -> None:
        self._redis = redis
        self._lists = redis.lists
        self._transport = transport
        self._breaker = breaker
        self._copies = copies
        self._journal = journal
        self._note_failure = note_failure

    def load(self, key: str) -> tuple[bytes, float] | None:
        """Return what the key holds, and for how many seconds still."""
        if self._breaker.is_open or key in self._journal:
            return None
        most, name = conf.load().longest_read, bulk(key)
        replies = self._exchange(_reading(most) % (name, name), 2)
        if replies is None:
            return None
        raw, remaining = replies
        is_in_order = type(raw) is bytes and type(remaining) is int
        if not is_in_order or remaining < 0 or not 0 < len(raw) <= most:
            return None
        self._breaker.note_success()
        self._copies.note(key, raw, remaining)
        return raw, remaining

    def renew(self, key: str, ttl: int, *, known: bytes, listed_in: str | None) -> bool:
        """
        Move the end of a key if its session is in that list already.

        False also if the key holds something else than is known.
        """
        if self._breaker.is_open or key in self._journal:
            return False
        if self._lists.adding(key, listed_in, ttl):
            return False
        replies = self._exchange(_GETEX % (bulk(key), bulk(ttl)), 1)
        if replies is None or replies[0] != known:
            return False
        self._breaker.note_success()
        self._copies.note(key, known, ttl)
        return True

    def known(self, key: str) -> bytes | None:
        """Return what this process thinks a key holds, without asking anybody."""
        return self._copies.raw(key)

    def create(self, key: str, raw: bytes, ttl: int, *, listed_in: str | None) -> bool:
        return self._set(key, raw, ttl, "NX", listed_in=listed_in)

    def replace(
        self, key: str, expected: bytes, raw: bytes, ttl: int, *, listed_in: str | None
    ) -> bool:
        return self._redis.knows_ifeq and self._set(
            key, raw, ttl, IFEQ, expected, listed_in=listed_in
        )

    def _set(
        self,
        key: str,
        raw: bytes,
        ttl: int,
        *condition: str | bytes,
        listed_in: str | None,
    ) -> bool:
        if self._breaker.is_open or key in self._journal:
            return False
        request, count = pack(("SET", key, raw, *condition, "EX", ttl)), 1
        listing = self._lists.adding(key, listed_in, ttl)
        for _, packed in listing:
            request += packed
            count += 1
        replies = self._exchange(request, count)
        if replies is None or replies[0] is None:
            return False
        for reply in replies:
            if type(reply) is ReplyError:
                return False
        self._breaker.note_success()
        self._lists.note(listing, key, ttl)
        self._copies.note(key, raw, ttl, is_written=True)
        return True

    def _exchange(self, request: bytes, count: int) -> list[Any] | None:
        wire, budget = self._transport.own_wire, budgets.current()
        if wire is None or budget.remaining <= 0:
            return None
        started = monotonic()
        try:
            return wire.exchange(request, count, started + budget.remaining)
        except ConnectionError as error:
            # Closed while it lay idle, most likely. The long way opens another.
            self._transport.breaks += 1
            note_broken(error)
        except (OSError, hiredis.HiredisError) as error:
            self._transport.breaks += 1
            self._note_failure(error)
            if self._breaker.is_open:
                # Else the long way counts this call, when it is not to ask.
                health.count("redis_failures")
            raise NoAnswer(f"Redis cannot be reached: {error}") from None
        finally:
            budget.remaining -= monotonic() - started
        return None


class NearWay(ShortWay):
    """Beside a near cache, which alone answers: Redis has to be told what it keeps."""

    def load(self, key: str) -> tuple[bytes, float] | None:
        if self._breaker.is_open or key in self._journal:
            return None
        return self._redis.cached(key)

    def _exchange(self, request: bytes, count: int) -> None:
        return None


@lru_cache(maxsize=1)
def _reading(most: int) -> bytes:
    return getrange(most) + TTL
