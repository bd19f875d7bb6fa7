"""
What every store can do: keep bytes under a key until their time is over.

The engine and the index speak to this interface alone. Keys are whole, with their
prefix; times to live are whole seconds above zero.

Stores are written once, as coroutines. Over blocking sockets such a coroutine never
waits for an event loop, and `finish` runs it to its end at once; over asyncio it does.
"""

from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from enum import Enum
from typing import Any, NamedTuple, Protocol

from sessions_backend.exceptions import ANTICIPATED


class Stored(NamedTuple):
    """What a key holds, and for how many seconds still."""

    raw: bytes
    remaining: float


class Unreadable(NamedTuple):
    """A key that holds something other than bytes."""

    reason: str


class Replacement(Enum):
    DONE = "done"
    GONE = "gone"


class Entry(NamedTuple):
    """What shall stand under a key, and for how many seconds."""

    key: str
    raw: bytes
    ttl: int


class Rotated(NamedTuple):
    """What the former key held, and whether the new one was free."""

    held: bytes | None
    is_created: bool


class Rewrite(NamedTuple):
    """Other bytes for a record that says the same, such as sealed with another key."""

    key: str
    expected: bytes
    raw: bytes


class AsyncStore(Protocol):
    """
    Each method may raise StorageUnavailable.

    `listed_in` is the key of the list that shall name the session until it ends.
    """

    async def load(self, key: str) -> Stored | Unreadable | None: ...

    async def load_many(
        self, keys: Sequence[str]
    ) -> Sequence[Stored | Unreadable | None]: ...

    async def create(
        self, key: str, raw: bytes, ttl: int, *, listed_in: str | None = None
    ) -> bool:
        """Keep `raw`, unless the key is taken."""
        ...

    async def replace(
        self,
        key: str,
        expected: bytes | None,
        raw: bytes,
        ttl: int,
        *,
        listed_in: str | None = None,
    ) -> Replacement | bytes:
        """
        Keep `raw` in the place of `expected`, or of anything if that is None.

        Return what stands there instead if it is something else. Never bring a key
        back.
        """
        ...

    async def rewrite_many(
        self, changes: Sequence[Rewrite]
    ) -> Sequence[Replacement | bytes]:
        """Replace what is as expected, as `replace` does; the ends of keys stay."""
        ...

    async def renew(self, key: str, ttl: int, *, listed_in: str | None = None) -> bool:
        """Move the end of a key to `ttl` seconds from now; False if it is gone."""
        ...

    async def load_renewed(
        self, key: str, ttl: int, *, listed_in: str | None = None
    ) -> Stored | Unreadable | None:
        """Move the end of a key as `renew` does, and return what it holds."""
        ...

    async def known(self, key: str) -> bytes | None:
        """Return what this process thinks a key holds, without asking anybody."""
        ...

    async def remove(self, key: str) -> bool: ...

    async def remove_many(self, keys: Sequence[str]) -> int:
        """Remove keys, and return how many of them were there."""
        ...

    async def take(self, key: str, *, leaving: Entry | None = None) -> bytes | None:
        """
        Remove a key and return what it held, in one step.

        What it leaves is kept before, so that at no moment there is neither.
        """
        ...

    async def rotate(
        self,
        key: str,
        goes_on: Entry,
        *,
        leaving: Entry | None = None,
        listed_in: str | None = None,
    ) -> Rotated:
        """Take a key as `take` does, after another was created that goes on for it."""
        ...

    async def put(self, key: str, raw: bytes, ttl: int) -> bytes | None:
        """Keep `raw` whatever stood there before, and return that."""
        ...

    async def claim(self, key: str, raw: bytes, ttl: int) -> bytes:
        """Keep `raw` unless the key is taken; return what stands there now."""
        ...

    async def exists(self, key: str) -> bool: ...

    def keys(self, prefix: str, *, limit: int) -> AsyncIterator[str]:
        """Name at most `limit` keys that begin with `prefix`, in no order."""
        ...

    async def listed(self, list_key: str) -> list[str]:
        """Return the names in a list, without those whose time is over."""
        ...

    async def unlist(self, list_key: str, names: Sequence[str]) -> None: ...

    async def ping(self) -> None: ...

    def close(self) -> None: ...


class Store(Protocol):
    """The same, for code that blocks."""

    def load(self, key: str) -> Stored | Unreadable | None: ...

    def load_many(
        self, keys: Sequence[str]
    ) -> Sequence[Stored | Unreadable | None]: ...

    def create(
        self, key: str, raw: bytes, ttl: int, *, listed_in: str | None = None
    ) -> bool: ...

    def replace(
        self,
        key: str,
        expected: bytes | None,
        raw: bytes,
        ttl: int,
        *,
        listed_in: str | None = None,
    ) -> Replacement | bytes: ...

    def rewrite_many(
        self, changes: Sequence[Rewrite]
    ) -> Sequence[Replacement | bytes]: ...

    def renew(self, key: str, ttl: int, *, listed_in: str | None = None) -> bool: ...

    def load_renewed(
        self, key: str, ttl: int, *, listed_in: str | None = None
    ) -> Stored | Unreadable | None: ...

    def known(self, key: str) -> bytes | None: ...

    def remove(self, key: str) -> bool: ...

    def remove_many(self, keys: Sequence[str]) -> int: ...

    def take(self, key: str, *, leaving: Entry | None = None) -> bytes | None: ...

    def rotate(
        self,
        key: str,
        goes_on: Entry,
        *,
        leaving: Entry | None = None,
        listed_in: str | None = None,
    ) -> Rotated: ...

    def put(self, key: str, raw: bytes, ttl: int) -> bytes | None: ...

    def claim(self, key: str, raw: bytes, ttl: int) -> bytes: ...

    def exists(self, key: str) -> bool: ...

    def keys(self, prefix: str, *, limit: int) -> Iterator[str]: ...

    def listed(self, list_key: str) -> list[str]: ...

    def unlist(self, list_key: str, names: Sequence[str]) -> None: ...

    def ping(self) -> None: ...

    def close(self) -> None: ...


def finish[Result](coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine that blocks instead of waiting for an event loop."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        result: Result = end.value
        return result
    except ANTICIPATED as error:
        # The frames below hold records and ids, and an error page shows frames.
        raise error.with_traceback(None)  # noqa: B904  # it is the same exception
    coroutine.close()
    raise RuntimeError("A blocking store has waited for an event loop.")


class Blocking:
    """The blocking face of a store whose coroutines never wait for an event loop."""

    def __init__(self, store: AsyncStore) -> None:
        self._store = store

    def load(self, key: str) -> Stored | Unreadable | None:
        return finish(self._store.load(key))

    def load_many(self, keys: Sequence[str]) -> Sequence[Stored | Unreadable | None]:
        return finish(self._store.load_many(keys))

    def create(
        self, key: str, raw: bytes, ttl: int, *, listed_in: str | None = None
    ) -> bool:
        return finish(self._store.create(key, raw, ttl, listed_in=listed_in))

    def replace(
        self,
        key: str,
        expected: bytes | None,
        raw: bytes,
        ttl: int,
        *,
        listed_in: str | None = None,
    ) -> Replacement | bytes:
        return finish(self._store.replace(key, expected, raw, ttl, listed_in=listed_in))

    def rewrite_many(self, changes: Sequence[Rewrite]) -> Sequence[Replacement | bytes]:
        return finish(self._store.rewrite_many(changes))

    def renew(self, key: str, ttl: int, *, listed_in: str | None = None) -> bool:
        return finish(self._store.renew(key, ttl, listed_in=listed_in))

    def load_renewed(
        self, key: str, ttl: int, *, listed_in: str | None = None
    ) -> Stored | Unreadable | None:
        return finish(self._store.load_renewed(key, ttl, listed_in=listed_in))

    def known(self, key: str) -> bytes | None:
        return finish(self._store.known(key))

    def remove(self, key: str) -> bool:
        return finish(self._store.remove(key))

    def remove_many(self, keys: Sequence[str]) -> int:
        return finish(self._store.remove_many(keys))

    def take(self, key: str, *, leaving: Entry | None = None) -> bytes | None:
        return finish(self._store.take(key, leaving=leaving))

    def rotate(
        self,
        key: str,
        goes_on: Entry,
        *,
        leaving: Entry | None = None,
        listed_in: str | None = None,
    ) -> Rotated:
        return finish(
            self._store.rotate(key, goes_on, leaving=leaving, listed_in=listed_in)
        )

    def put(self, key: str, raw: bytes, ttl: int) -> bytes | None:
        return finish(self._store.put(key, raw, ttl))

    def claim(self, key: str, raw: bytes, ttl: int) -> bytes:
        return finish(self._store.claim(key, raw, ttl))

    def exists(self, key: str) -> bool:
        return finish(self._store.exists(key))

    def keys(self, prefix: str, *, limit: int) -> Iterator[str]:
        found = self._store.keys(prefix, limit=limit)
        while True:
            try:
                yield finish(anext(found))  # type: ignore[arg-type]  # an awaitable is enough
            except StopAsyncIteration:
                return

    def listed(self, list_key: str) -> list[str]:
        return finish(self._store.listed(list_key))

    def unlist(self, list_key: str, names: Sequence[str]) -> None:
        finish(self._store.unlist(list_key, names))

    def ping(self) -> None:
        finish(self._store.ping())

    def close(self) -> None:
        self._store.close()
