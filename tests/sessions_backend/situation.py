"""What fails over, without its threads: the test says when Redis is away."""

import asyncio
from typing import Any

from django.conf import settings

from sessions_backend import budget
from sessions_backend.breaker import Breaker
from sessions_backend.copies import Copies
from sessions_backend.exceptions import StorageUnavailable
from sessions_backend.journal import Journal
from sessions_backend.recovery import Recovery
from sessions_backend.stores.base import Blocking, Stored
from sessions_backend.stores.failing_over import FailingOverStore, Situation
from sessions_backend.stores.local import LocalStore
from sessions_backend.stores.opening import pool_of
from sessions_backend.stores.redis import RedisStore, Refused
from sessions_backend.stores.threads import BlockingTransport

TTL = 600
AWAY = ConnectionError("nobody there")
READ_ONLY = Refused("READONLY You can't write against a read only replica.")


class MoodyRedis(RedisStore):
    """The real Redis, except while `failure` says why it does not answer."""

    def __init__(self) -> None:
        super().__init__(BlockingTransport(pool_of(settings.SESSION_CACHE_ALIAS)))
        self.failure: BaseException | None = None
        self.asked = 0
        self.near: dict[str, Stored] = {}

    def cached(self, key: str) -> Stored | None:
        return self.near.get(key)

    async def _ask(self, *commands: Any, **options: Any) -> list[Any]:
        self.asked += 1
        if self.failure is None:
            return await super()._ask(*commands, **options)
        spent = budget.current()
        spent.outage = StorageUnavailable("Redis cannot be reached")
        raise spent.outage from self.failure


class IdleRecovery(Recovery):
    """A recovery that waits for the test to do its work."""

    begun = 0

    def begin(self) -> None:
        self.begun += 1


class Stage:
    """One process: its Redis, what it knows, and the store over both."""

    def __init__(
        self,
        *,
        is_strict: bool = False,
        is_async: bool = False,
        fallback: str | None = None,
        recovers: type[Recovery] = IdleRecovery,
    ) -> None:
        self.redis = MoodyRedis()
        self.there = Blocking(RedisStore(self.redis.transport))
        self.breaker = Breaker()
        self.copies = Copies(most=100, most_bytes=100_000, age_seconds=3600)
        self.journal = Journal(
            LocalStore(fallback),
            self.copies,
            self.breaker,
            most=10,
            most_bytes=10_000,
        )
        self.recovery: Any = recovers(
            self.redis, self.breaker, self.copies, self.journal
        )
        shared = Situation(
            self.breaker, self.copies, self.journal, self.recovery, is_strict
        )
        self.failing_over = FailingOverStore(self.redis, shared, is_async=is_async)
        self.store = Blocking(self.failing_over)

    def ask(self, word: str, *arguments: Any, **options: Any) -> Any:
        """Ask the store in an event loop, as asyncio does."""

        async def ask() -> Any:
            return await getattr(self.failing_over, word)(*arguments, **options)

        return asyncio.run(ask())

    def goes_away(self, failure: BaseException = AWAY) -> None:
        self.redis.failure = failure

    def is_back(self) -> None:
        self.redis.failure = None

    def breaks(self) -> None:
        """Let a connection turn out broken: Redis may have been restarted."""
        transport: Any = self.redis.transport
        transport.breaks += 1
