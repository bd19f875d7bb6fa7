"""
FailingOverStore: Redis while it serves, and what this process knows while it does not.

The decision is made for each call. While the breaker is open, or for a key that Redis
has not heard the last of, the journal answers; otherwise Redis does, and the journal
where Redis fails.
"""

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, NamedTuple

from asgiref.sync import sync_to_async

from sessions_backend import budget as budgets
from sessions_backend import health, names
from sessions_backend.breaker import Breaker
from sessions_backend.copies import Copies
from sessions_backend.exceptions import StorageUnavailable
from sessions_backend.journal import Journal
from sessions_backend.recovery import Recovery
from sessions_backend.stores.base import (
    Entry,
    Replacement,
    Rewrite,
    Rotated,
    Stored,
    Unreadable,
)
from sessions_backend.stores.redis import RedisStore, Refused

logger = logging.getLogger("sessions_backend")


class Situation(NamedTuple):
    """What the blocking and the asyncio store of one process share."""

    breaker: Breaker
    copies: Copies
    journal: Journal
    recovery: Recovery
    is_strict: bool


class FailingOverStore:
    """
    Both faces of it, over blocking sockets and over asyncio, share one situation.

    With `is_strict` nothing is served that Redis does not answer for.
    """

    def __init__(
        self, redis: RedisStore, situation: Situation, *, is_async: bool
    ) -> None:
        self._redis = redis
        self._breaker = situation.breaker
        self._copies = situation.copies
        self._journal = situation.journal
        self._recovery = situation.recovery
        self._is_strict = situation.is_strict
        # Up to here Redis was seen not to have lost its data.
        self._breaks_known = 0
        self._is_async = is_async
        # An event loop is not to wait for a cache that is more than memory.
        self._hops = is_async and not situation.journal.keeps_own_memory

    async def load(self, key: str) -> Stored | Unreadable | None:
        if self._breaker.is_open or key in self._journal:
            return _known(await self._from_journal(self._journal.load, key))
        cached = self._redis.cached(key)
        if cached is not None:
            return cached
        try:
            stored = await self._redis.load(key)
        except StorageUnavailable as outage:
            return _known(await self._instead(outage, self._journal.load, key))
        self._breaker.note_success()
        if type(stored) is Stored:
            self._copies.note(key, stored.raw, stored.remaining)
        elif stored is None:
            if await self._was_lost(key):
                return await self._redis.load(key)
            self._demand_settled(key)
        return stored

    async def load_many(self, keys: Sequence[str]) -> list[Stored | Unreadable | None]:
        found: list[Stored | Unreadable | None]
        found = await self._only_redis(self._redis.load_many, keys)
        return found

    async def create(
        self, key: str, raw: bytes, ttl: int, *, listed_in: str | None = None
    ) -> bool:
        is_done: bool = await self._either(
            self._redis.create, self._journal.create, key, raw, ttl, listed_in=listed_in
        )
        if is_done:
            self._note_new(Entry(key, raw, ttl))
        return is_done

    async def replace(
        self,
        key: str,
        expected: bytes | None,
        raw: bytes,
        ttl: int,
        *,
        listed_in: str | None = None,
    ) -> Replacement | bytes:
        outcome: Replacement | bytes = await self._either(
            self._redis.replace,
            self._journal.replace,
            key,
            expected,
            raw,
            ttl,
            listed_in=listed_in,
        )
        if outcome is Replacement.DONE:
            self._note_copy(key, raw, ttl, is_written=True)
        elif (
            outcome is Replacement.GONE
            and not self._breaker.is_open
            and await self._was_lost(key)
        ):
            return await self.replace(key, expected, raw, ttl, listed_in=listed_in)
        return outcome

    async def rewrite_many(
        self, changes: Sequence[Rewrite]
    ) -> list[Replacement | bytes]:
        outcomes: list[Replacement | bytes]
        outcomes = await self._only_redis(self._redis.rewrite_many, changes)
        for change in changes:
            self._copies.forget(change.key)
        return outcomes

    async def renew(self, key: str, ttl: int, *, listed_in: str | None = None) -> bool:
        is_there: bool = await self._either(
            self._redis.renew, self._journal.renew, key, ttl, listed_in=listed_in
        )
        if is_there:
            self._copies.renew(key, ttl)
        else:
            self._copies.forget(key)
        return is_there

    async def load_renewed(
        self, key: str, ttl: int, *, listed_in: str | None = None
    ) -> Stored | Unreadable | None:
        stored: Stored | Unreadable | None = await self._either(
            self._redis.load_renewed,
            self._journal.load_renewed,
            key,
            ttl,
            listed_in=listed_in,
        )
        if type(stored) is Stored and key not in self._journal:
            self._copies.note(key, stored.raw, ttl)
        return stored

    async def known(self, key: str) -> bytes | None:
        return self._copies.raw(key)

    async def remove(self, key: str) -> bool:
        self._copies.forget(key)
        is_done: bool = await self._either(
            self._redis.remove, self._journal.remove, key
        )
        # A load that was under way may have brought it back meanwhile.
        self._note_ended(key)
        return is_done

    async def remove_many(self, keys: Sequence[str]) -> int:
        try:
            count: int = await self._only_redis(self._redis.remove_many, keys)
        except StorageUnavailable:
            if not self._is_strict:
                for key in keys:
                    await self._from_journal(self._journal.remove, key)
            raise
        for key in keys:
            self._note_ended(key)
        return count

    async def take(self, key: str, *, leaving: Entry | None = None) -> bytes | None:
        raw: bytes | None = await self._either(
            self._redis.take, self._journal.take, key, leaving=leaving
        )
        self._note_ended(key)
        return raw

    async def rotate(
        self,
        key: str,
        goes_on: Entry,
        *,
        leaving: Entry | None = None,
        listed_in: str | None = None,
    ) -> Rotated:
        rotated: Rotated = await self._either(
            self._redis.rotate,
            self._journal.rotate,
            key,
            goes_on,
            leaving=leaving,
            listed_in=listed_in,
        )
        self._note_ended(key)
        if rotated.is_created:
            self._note_new(goes_on)
        return rotated

    async def put(self, key: str, raw: bytes, ttl: int) -> bytes | None:
        former: bytes | None = await self._either(
            self._redis.put, self._journal.put, key, raw, ttl
        )
        return former

    async def claim(self, key: str, raw: bytes, ttl: int) -> bytes:
        present: bytes = await self._either(
            self._redis.claim, self._journal.claim, key, raw, ttl
        )
        self._note_copy(key, present, ttl)
        return present

    async def exists(self, key: str) -> bool:
        return await self.load(key) is not None

    async def keys(self, prefix: str, *, limit: int) -> AsyncIterator[str]:
        async for key in self._redis.keys(prefix, limit=limit):
            yield key

    async def listed(self, list_key: str) -> list[str]:
        found: list[str] = await self._only_redis(self._redis.listed, list_key)
        return found

    async def unlist(self, list_key: str, names: Sequence[str]) -> None:
        await self._only_redis(self._redis.unlist, list_key, names)

    async def ping(self) -> None:
        await self._redis.ping()

    def close(self) -> None:
        self._redis.close()

    def _note_copy(
        self, key: str, raw: bytes, ttl: int, *, is_written: bool = False
    ) -> None:
        # While Redis is away, no process is to wait for another's lease.
        if key not in self._journal and not names.is_lease(key):
            self._copies.note(key, raw, ttl, is_written=is_written)

    def _note_new(self, entry: Entry) -> None:
        is_written = entry.key not in self._journal
        self._copies.note(*entry, is_written=is_written)

    def _note_ended(self, key: str) -> None:
        self._copies.forget(key)
        self._journal.remember_ended(key)

    async def _either(
        self,
        redis: Callable[..., Any],
        journal: Callable[..., Any],
        key: str,
        *arguments: Any,
        **options: Any,
    ) -> Any:
        if self._breaker.is_open or key in self._journal:
            return await self._from_journal(journal, key, *arguments, **options)
        try:
            answer = await redis(key, *arguments, **options)
        except StorageUnavailable as outage:
            return await self._instead(outage, journal, key, *arguments, **options)
        self._breaker.note_success()
        return answer

    async def _only_redis(self, method: Callable[..., Any], *arguments: Any) -> Any:
        if self._breaker.is_open:
            budgets.current().outage = outage = StorageUnavailable("Redis is away.")
            raise outage
        try:
            answer = await method(*arguments)
        except StorageUnavailable as outage:
            self._note(outage)
            raise
        self._breaker.note_success()
        return answer

    async def _instead(
        self,
        outage: StorageUnavailable,
        method: Callable[..., Any],
        *arguments: Any,
        **options: Any,
    ) -> Any:
        """Let the journal answer for a Redis that has just failed."""
        self._note(outage)
        if self._is_strict:
            raise outage
        try:
            answer = await self._from_journal(method, *arguments, **options)
        except StorageUnavailable as unknown:
            raise unknown from outage
        # The request met an outage, and does not have to know.
        budgets.current().outage = None
        return answer

    async def _from_journal(
        self, method: Callable[..., Any], *arguments: Any, **options: Any
    ) -> Any:
        if self._is_strict:
            budgets.current().outage = outage = StorageUnavailable("Redis is away.")
            raise outage
        health.count("served_by_fallback")
        try:
            if self._hops:
                method = sync_to_async(method, thread_sensitive=False)
                return await method(*arguments, **options)
            return method(*arguments, **options)
        finally:
            # Also what was noted for a key that nobody here has seen.
            if len(self._journal):
                self._recovery.begin()

    async def _was_lost(self, key: str) -> bool:
        """
        Say whether a key is missing because Redis has lost its data, not for a logout.

        Then everything that this process knows has been restored. This costs a round
        trip, and only where the key was known here.

        :raises StorageUnavailable: if Redis fails at that moment
        """
        if self._is_strict or key not in self._copies:
            return False
        try:
            marker = await self._redis.marker()
        except StorageUnavailable as outage:
            self._note(outage)
            raise
        breaks = self._redis.breaks
        if self._recovery.is_of_another(marker) and breaks == self._breaks_known:
            # No connection broke: somebody has emptied it on purpose.
            self._recovery.note_emptied_by_hand()
        elif self._recovery.is_of_another(marker):
            await self._restore()
            self._breaks_known = breaks
            return True
        self._breaks_known = breaks
        self._copies.forget(key)
        return False

    def _demand_settled(self, key: str) -> None:
        """
        Refuse to say that a session is missing which another process may have begun.

        :raises StorageUnavailable: in the first seconds after an outage
        """
        if (
            self._breaker.is_settling
            and names.is_record(key)
            and not self._is_strict
            and not self._journal.has_ended(key)
        ):
            budgets.current().outage = outage = StorageUnavailable(
                "Redis is back, and may not have heard of this session yet."
            )
            raise outage

    async def _restore(self) -> None:
        restore = self._recovery.restore_lost
        if self._is_async:
            await sync_to_async(restore, thread_sensitive=False)()
        else:
            restore()

    def _note(self, outage: StorageUnavailable) -> None:
        health.count("redis_failures")
        cause = outage.__cause__
        if cause is None:
            # The request's time was used up before; Redis was not asked.
            return
        if isinstance(cause, Refused) and cause.is_of_writes_only:
            # What is there is still read; only the writes wait in the journal.
            self._recovery.note_refusal(cause)
            return
        self.note_failure(cause)

    def note_failure(self, cause: BaseException) -> None:
        """Note that Redis did not answer, or refuses to serve."""
        if not self._breaker.is_open:
            logger.warning("Redis did not answer: %s", type(cause).__name__)
        self._breaker.note_failure(cause)


def _known(stored: Any) -> Stored | None:
    return stored  # type: ignore[no-any-return]  # as Journal.load says
