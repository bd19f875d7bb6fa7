"""LocalStore: sessions in any cache of Django's, by default in the process's memory."""

import itertools
import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from asgiref.sync import sync_to_async
from django.core.cache import caches
from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.locmem import LocMemCache

from sessions_backend import budget as budgets
from sessions_backend import names
from sessions_backend.exceptions import StorageUnavailable
from sessions_backend.stores.base import (
    Entry,
    Replacement,
    Rewrite,
    Rotated,
    Stored,
)

# Django's own default of 300 would log people out at random.
MAX_ENTRIES = 100_000
# A process that ends within a step leaves its lock behind for so long.
_LOCK_SECONDS = 2
_LOCK_PAUSE_SECONDS = 0.002
_numbers = itertools.count()


class LocalStore:
    """
    The same promises as Redis, in a cache.

    Caches have no compare-and-set, so a lock makes each step one step: a thread's lock
    within the process, and where a cache may be shared, an entry made by `add`, which
    is atomic in every cache of Django's but the file-based one.
    """

    def __init__(self, cache_alias: str | None = None) -> None:
        self._cache: BaseCache
        if cache_alias is None:
            options = {"MAX_ENTRIES": MAX_ENTRIES}
            # Django keeps what a name holds for good: no two stores may share one, as
            # they would if it were made of id(), which is given out again.
            name = f"sessions-{next(_numbers)}"
            self._cache = LocMemCache(name, {"OPTIONS": options})
        else:
            self._alias = cache_alias
        self.is_own_memory = cache_alias is None
        self._lock = threading.RLock()

    def load(self, key: str) -> Stored | None:
        return self._entry(key)

    def load_many(self, keys: Sequence[str]) -> list[Stored | None]:
        return [self._entry(key) for key in keys]

    def create(
        self, key: str, raw: bytes, ttl: int, *, listed_in: str | None = None
    ) -> bool:
        with self._locked(key):
            if self._entry(key) is not None:
                return False
            self._write(key, raw, ttl)
        self._list(key, listed_in, ttl)
        return True

    def replace(
        self,
        key: str,
        expected: bytes | None,
        raw: bytes,
        ttl: int,
        *,
        listed_in: str | None = None,
    ) -> Replacement | bytes:
        with self._locked(key):
            present = self._entry(key)
            if present is None:
                return Replacement.GONE
            if expected is not None and present.raw not in {expected, raw}:
                return present.raw
            self._write(key, raw, ttl)
        self._list(key, listed_in, ttl)
        return Replacement.DONE

    def rewrite_many(self, changes: Sequence[Rewrite]) -> list[Replacement | bytes]:
        return [self._rewrite(change) for change in changes]

    def renew(self, key: str, ttl: int, *, listed_in: str | None = None) -> bool:
        with self._locked(key):
            present = self._entry(key)
            if present is None:
                return False
            self._write(key, present.raw, ttl)
        self._list(key, listed_in, ttl)
        return True

    def load_renewed(
        self, key: str, ttl: int, *, listed_in: str | None = None
    ) -> Stored | None:
        self.renew(key, ttl, listed_in=listed_in)
        return self._entry(key)

    def known(self, key: str) -> bytes | None:
        """Know nothing without looking."""
        return None

    def remove(self, key: str) -> bool:
        return self.take(key) is not None

    def remove_many(self, keys: Sequence[str]) -> int:
        return sum(self.remove(key) for key in keys)

    def take(self, key: str, *, leaving: Entry | None = None) -> bytes | None:
        if leaving is not None:
            self.put(*leaving)
        with self._locked(key):
            present = self._entry(key)
            with _outages_translated():
                self._where.delete(key)
            return None if present is None else present.raw

    def rotate(
        self,
        key: str,
        goes_on: Entry,
        *,
        leaving: Entry | None = None,
        listed_in: str | None = None,
    ) -> Rotated:
        is_created = self.create(*goes_on, listed_in=listed_in)
        return Rotated(self.take(key, leaving=leaving), is_created)

    def put(self, key: str, raw: bytes, ttl: int) -> bytes | None:
        with self._locked(key):
            former = self._entry(key)
            self._write(key, raw, ttl)
            return None if former is None else former.raw

    def claim(self, key: str, raw: bytes, ttl: int) -> bytes:
        with self._locked(key):
            present = self._entry(key)
            if present is not None:
                return present.raw
            self._write(key, raw, ttl)
            return raw

    def exists(self, key: str) -> bool:
        return self._entry(key) is not None

    def keys(self, prefix: str, *, limit: int) -> Iterator[str]:
        """Name keys; a cache that is not this store's own cannot be searched."""
        if not self.is_own_memory:
            return
        own: Any = self._where
        begin = own.make_key(prefix)
        found = [key for key in list(own._cache) if key.startswith(begin)]  # noqa: SLF001  # no public way
        for key in found[:limit]:
            yield key.removeprefix(own.make_key(""))

    def listed(self, list_key: str) -> list[str]:
        now = time.time()
        return [name for name, end in self._list_of(list_key).items() if end > now]

    def unlist(self, list_key: str, names: Sequence[str]) -> None:
        with self._locked(list_key):
            present = self._list_of(list_key)
            for name in names:
                present.pop(name, None)
            self._write_list(list_key, present)

    def ping(self) -> None:
        """Say nothing: memory answers."""

    def close(self) -> None:
        """Keep nothing open."""

    def written_at(self, key: str) -> float:
        """Return when a key was last written, as Unix time; 0 if it is not there."""
        with _outages_translated():
            entry = self._where.get(key)
        return 0.0 if entry is None else float(entry[2])

    @property
    def _where(self) -> BaseCache:
        # Django gives each thread its own object for an alias.
        return self._cache if self.is_own_memory else caches[self._alias]

    @contextmanager
    def _locked(self, key: str) -> Iterator[None]:
        with self._lock:
            if self.is_own_memory:
                yield
                return
            name, mine = f"{names.AUXILIARY_PREFIX}lock:{key}", secrets.token_hex(8)
            self._wait_for_lock(name, mine)
            try:
                yield
            finally:
                with _outages_translated():
                    if self._where.get(name) == mine:
                        self._where.delete(name)

    def _wait_for_lock(self, name: str, mine: str) -> None:
        give_up_at = time.monotonic() + _LOCK_SECONDS
        with _outages_translated():
            while not self._where.add(name, mine, _LOCK_SECONDS):
                if time.monotonic() > give_up_at:
                    raise TimeoutError("another process holds its lock")
                time.sleep(_LOCK_PAUSE_SECONDS)

    def _entry(self, key: str) -> Stored | None:
        with _outages_translated():
            entry = self._where.get(key)
        if entry is None:
            return None
        raw, ends_at, _ = entry
        remaining = ends_at - time.time()
        return Stored(raw, remaining) if remaining > 0 else None

    def _write(self, key: str, raw: bytes, ttl: float) -> None:
        now = time.time()
        with _outages_translated():
            self._where.set(key, (raw, now + ttl, now), ttl)

    def _rewrite(self, change: Rewrite) -> Replacement | bytes:
        key, expected, raw = change
        with self._locked(key):
            present = self._entry(key)
            if present is None:
                return Replacement.GONE
            if present.raw not in {expected, raw}:
                return present.raw
            self._write(key, raw, present.remaining)
            return Replacement.DONE

    def _list(self, key: str, list_key: str | None, ttl: int) -> None:
        if list_key is None:
            return
        with self._locked(list_key):
            present = self._list_of(list_key)
            present[names.name_of(key)] = time.time() + ttl
            self._write_list(list_key, present)

    def _list_of(self, list_key: str) -> dict[str, float]:
        with _outages_translated():
            return dict(self._where.get(list_key) or {})

    def _write_list(self, list_key: str, present: dict[str, float]) -> None:
        now = time.time()
        alive = {name: end for name, end in present.items() if end > now}
        with _outages_translated():
            if alive:
                ttl = int(max(alive.values()) - now) + 1
                self._where.set(list_key, alive, ttl)
            else:
                self._where.delete(list_key)


class Asynchronous:
    """
    The asyncio face of a store that blocks.

    Memory answers at once; any other cache is asked in a thread, for it may wait.
    """

    def __init__(self, store: LocalStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)
        if self._store.is_own_memory:

            async def at_once(*arguments: Any, **options: Any) -> Any:
                return method(*arguments, **options)

            return at_once
        # Not the one thread that all synchronous code of a request shares.
        return sync_to_async(method, thread_sensitive=False)

    async def keys(self, prefix: str, *, limit: int) -> Any:
        for key in self._store.keys(prefix, limit=limit):
            yield key

    def close(self) -> None:
        self._store.close()


class Immediate(Asynchronous):
    """The same for code that blocks anyway: nothing ever hops to a thread."""

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)

        async def at_once(*arguments: Any, **options: Any) -> Any:
            return method(*arguments, **options)

        return at_once


@contextmanager
def _outages_translated() -> Iterator[None]:
    try:
        yield
    except Exception as error:  # any cache of Django's: a database, another Redis
        outage = StorageUnavailable(f"The fallback cache cannot be reached: {error}")
        budgets.current().outage = outage
        raise outage from error
