"""Stores over the alias that the settings name, as the engine opens them."""

import asyncio
import threading

from sessions_backend.stores.base import AsyncStore, Blocking
from sessions_backend.stores.opening import pool_of
from sessions_backend.stores.redis import RedisStore
from sessions_backend.stores.threads import BlockingTransport


def redis_store(cache_alias: str) -> Blocking:
    return Blocking(RedisStore(BlockingTransport(pool_of(cache_alias))))


class Awaited:
    """The blocking face of an asyncio store, for a suite that is written for both."""

    def __init__(self, store: AsyncStore) -> None:
        self._store = store
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def __getattr__(self, name: str):
        method = getattr(self._store, name)
        return lambda *arguments, **options: self._run(method(*arguments, **options))

    def keys(self, prefix: str, *, limit: int):
        async def all_keys() -> list[str]:
            return [key async for key in self._store.keys(prefix, limit=limit)]

        yield from self._run(all_keys())

    def close(self) -> None:
        self._store.close()

    def end(self) -> None:
        self._run(self._loop.shutdown_asyncgens())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)
