"""LocalStore: sessions in any cache of Django's, by default in the process's memory."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.cache import caches
from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.locmem import LocMemCache

from sessions_backend import budget as budgets
from sessions_backend.exceptions import StorageUnavailable
from sessions_backend.stores.base import Replacement, Stored

# Django's own default of 300 would log people out at random.
MAX_ENTRIES = 100_000


class LocalStore:
    """
    The same promises as Redis, within one process.

    Caches have no compare-and-set, so a lock makes each step one step. A cache that
    several processes share is safe against lost updates within each of them only.
    """

    def __init__(self, cache_alias: str | None = None) -> None:
        self._cache: BaseCache
        if cache_alias is None:
            options = {"MAX_ENTRIES": MAX_ENTRIES}
            self._cache = LocMemCache(f"sessions-{id(self)}", {"OPTIONS": options})
        else:
            self._alias = cache_alias
        self._is_own = cache_alias is None
        self._lock = threading.RLock()

    def load(self, key: str) -> Stored | None:
        return self._entry(key)

    def create(self, key: str, raw: bytes, ttl: int) -> bool:
        with self._lock:
            if self._entry(key) is not None:
                return False
            self._write(key, raw, ttl)
            return True

    def replace(
        self, key: str, expected: bytes | None, raw: bytes, ttl: int
    ) -> Replacement | bytes:
        with self._lock:
            present = self._entry(key)
            if present is None:
                return Replacement.GONE
            if expected is not None and present.raw not in {expected, raw}:
                return present.raw
            self._write(key, raw, ttl)
            return Replacement.DONE

    def renew(self, key: str, ttl: int) -> bool:
        with self._lock:
            present = self._entry(key)
            if present is None:
                return False
            self._write(key, present.raw, ttl)
            return True

    def remove(self, key: str) -> bool:
        return self.take(key) is not None

    def take(self, key: str) -> bytes | None:
        with self._lock:
            present = self._entry(key)
            with _outages_translated():
                self._where.delete(key)
            return None if present is None else present.raw

    def put(self, key: str, raw: bytes, ttl: int) -> bytes | None:
        with self._lock:
            former = self._entry(key)
            self._write(key, raw, ttl)
            return None if former is None else former.raw

    def claim(self, key: str, raw: bytes, ttl: int) -> bytes:
        with self._lock:
            present = self._entry(key)
            if present is not None:
                return present.raw
            self._write(key, raw, ttl)
            return raw

    def exists(self, key: str) -> bool:
        return self._entry(key) is not None

    def keys(self, prefix: str, *, limit: int) -> Iterator[str]:
        """Name keys; a cache that is not this store's own cannot be searched."""
        if not self._is_own:
            return
        own: Any = self._where
        begin = own.make_key(prefix)
        found = [key for key in list(own._cache) if key.startswith(begin)]  # noqa: SLF001  # no public way
        for key in found[:limit]:
            yield key.removeprefix(own.make_key(""))

    def ping(self) -> None:
        """Say nothing: memory answers."""

    def close(self) -> None:
        """Keep nothing open."""

    @property
    def _where(self) -> BaseCache:
        # Django gives each thread its own object for an alias.
        return self._cache if self._is_own else caches[self._alias]

    def _entry(self, key: str) -> Stored | None:
        with _outages_translated():
            entry = self._where.get(key)
        if entry is None:
            return None
        raw, ends_at = entry
        remaining = ends_at - time.time()
        return Stored(raw, remaining) if remaining > 0 else None

    def _write(self, key: str, raw: bytes, ttl: int) -> None:
        with _outages_translated():
            self._where.set(key, (raw, time.time() + ttl), ttl)


@contextmanager
def _outages_translated() -> Iterator[None]:
    try:
        yield
    except Exception as error:  # any cache of Django's: a database, another Redis
        outage = StorageUnavailable(f"The fallback cache cannot be reached: {error}")
        budgets.current().outage = outage
        raise outage from error
