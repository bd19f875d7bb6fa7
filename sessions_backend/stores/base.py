"""
What every store can do: keep bytes under a key until their time is over.

The engine and the index speak to this interface alone. Keys are whole, with their
prefix; times to live are whole seconds above zero.
"""

from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple, Protocol


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


class Store(Protocol):
    """Each method may raise StorageUnavailable."""

    def load(self, key: str) -> Stored | Unreadable | None: ...

    def create(self, key: str, raw: bytes, ttl: int) -> bool:
        """Keep `raw`, unless the key is taken."""
        ...

    def replace(
        self, key: str, expected: bytes | None, raw: bytes, ttl: int
    ) -> Replacement | bytes:
        """
        Keep `raw` in the place of `expected`, or of anything if that is None.

        Return what stands there instead if it is something else. Never bring a key
        back.
        """
        ...

    def renew(self, key: str, ttl: int) -> bool:
        """Move the end of a key to `ttl` seconds from now; False if it is gone."""
        ...

    def remove(self, key: str) -> bool: ...

    def take(self, key: str) -> bytes | None:
        """Remove a key and return what it held, in one step."""
        ...

    def put(self, key: str, raw: bytes, ttl: int) -> bytes | None:
        """Keep `raw` whatever stood there before, and return that."""
        ...

    def claim(self, key: str, raw: bytes, ttl: int) -> bytes:
        """Keep `raw` unless the key is taken; return what stands there now."""
        ...

    def exists(self, key: str) -> bool: ...

    def keys(self, prefix: str, *, limit: int) -> Iterator[str]:
        """Name at most `limit` keys that begin with `prefix`, in no order."""
        ...

    def ping(self) -> None: ...

    def close(self) -> None: ...
