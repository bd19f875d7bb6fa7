"""A stranger's store, in a dictionary, under the contract that the package ships."""

import threading
import time
from collections.abc import Iterator, Sequence

import pytest

from sessions_backend import names
from sessions_backend.contract import StoreContract
from sessions_backend.stores.base import (
    Entry,
    Replacement,
    Rewrite,
    Rotated,
    Store,
    Stored,
    Unreadable,
)


class DictionaryStore:
    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._records: dict[str, tuple[bytes, float]] = {}
        self._lists: dict[str, set[str]] = {}

    def load(self, key: str) -> Stored | None:
        raw, ends_at = self._records.get(key, (b"", 0.0))
        remaining = ends_at - time.monotonic()
        return Stored(raw, remaining) if remaining > 0 else None

    def load_many(self, keys: Sequence[str]) -> list[Stored | Unreadable | None]:
        return [self.load(key) for key in keys]

    def create(
        self, key: str, raw: bytes, ttl: int, *, listed_in: str | None = None
    ) -> bool:
        with self._lock:
            if self.load(key):
                return False
            self._write(key, raw, ttl, listed_in)
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
        with self._lock:
            present = self.load(key)
            if present is None:
                return Replacement.GONE
            if expected is not None and present.raw not in (expected, raw):
                return present.raw
            self._write(key, raw, ttl, listed_in)
            return Replacement.DONE

    def rewrite_many(self, changes: Sequence[Rewrite]) -> list[Replacement | bytes]:
        return [self._rewrite(*change) for change in changes]

    def _rewrite(self, key: str, expected: bytes, raw: bytes) -> Replacement | bytes:
        with self._lock:
            _, ends_at = self._records.get(key, (b"", 0.0))
            present = self.load(key)
            if present is None:
                return Replacement.GONE
            if present.raw not in (expected, raw):
                return present.raw
            self._records[key] = (raw, ends_at)
            return Replacement.DONE

    def renew(self, key: str, ttl: int, *, listed_in: str | None = None) -> bool:
        with self._lock:
            present = self.load(key)
            if present is None:
                return False
            self._write(key, present.raw, ttl, listed_in)
            return True

    def load_renewed(
        self, key: str, ttl: int, *, listed_in: str | None = None
    ) -> Stored | None:
        self.renew(key, ttl, listed_in=listed_in)
        return self.load(key)

    def known(self, key: str) -> bytes | None:
        return None

    def remove(self, key: str) -> bool:
        return self.take(key) is not None

    def remove_many(self, keys: Sequence[str]) -> int:
        return sum(self.remove(key) for key in keys)

    def take(self, key: str, *, leaving: Entry | None = None) -> bytes | None:
        with self._lock:
            if leaving is not None:
                self._write(*leaving)
            present = self.load(key)
            self._records.pop(key, None)
            return present.raw if present else None

    def rotate(
        self,
        key: str,
        goes_on: Entry,
        *,
        leaving: Entry | None = None,
        listed_in: str | None = None,
    ) -> Rotated:
        with self._lock:
            is_created = self.create(*goes_on, listed_in=listed_in)
            return Rotated(self.take(key, leaving=leaving), is_created)

    def put(self, key: str, raw: bytes, ttl: int) -> bytes | None:
        with self._lock:
            former = self.load(key)
            self._write(key, raw, ttl)
            return former.raw if former else None

    def claim(self, key: str, raw: bytes, ttl: int) -> bytes:
        with self._lock:
            self.create(key, raw, ttl)
            return self._records[key][0]

    def exists(self, key: str) -> bool:
        return self.load(key) is not None

    def keys(self, prefix: str, *, limit: int) -> Iterator[str]:
        found = [key for key in list(self._records) if key.startswith(prefix)]
        yield from found[:limit]

    def listed(self, list_key: str) -> list[str]:
        keys = self._lists.get(list_key, set())
        return [names.name_of(key) for key in keys if self.exists(key)]

    def unlist(self, list_key: str, gone: Sequence[str]) -> None:
        with self._lock:
            present = self._lists.get(list_key, set())
            self._lists[list_key] = {
                key for key in present if names.name_of(key) not in gone
            }

    def ping(self) -> None:
        pass

    def close(self) -> None:
        pass

    def _write(
        self, key: str, raw: bytes, ttl: int, listed_in: str | None = None
    ) -> None:
        self._records[key] = (raw, time.monotonic() + ttl)
        if listed_in is not None:
            self._lists.setdefault(listed_in, set()).add(key)


class TestDictionaryStore(StoreContract):
    @pytest.fixture
    def store(self) -> Store:
        return DictionaryStore()
