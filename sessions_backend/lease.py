"""
Lease: the right to do something that only one process may do at once.

It ends by itself: whoever is killed holds nobody up for longer than `seconds`, and
whoever works longer renews it. While Redis is away it is kept in the process, so each
process has one of its own: what is done under it needs a compare-and-set besides.
"""

import secrets

from sessions_backend import failover
from sessions_backend.names import lease_key
from sessions_backend.stores.base import Replacement

_FREE = b"free"
_RESTING = b"resting"
_FREED_SECONDS = 1


class Lease:
    """
    One try for the right that `name` stands for; another try is another object.

    :raises StorageUnavailable: from each method, if the store cannot be reached
    """

    def __init__(self, name: str, *, seconds: int) -> None:
        self._key = lease_key(name)
        self._seconds = seconds
        self._owner = secrets.token_hex(16).encode()
        self._present = _FREE

    def acquire(self) -> bool:
        """Take the lease, unless somebody has it."""
        store = failover.store()
        self._present = store.claim(self._key, self._owner, self._seconds)
        if self._present == _FREE and self._swap(self._owner, self._seconds):
            self._present = self._owner
        return self._present == self._owner

    @property
    def is_resting(self) -> bool:
        """Whether the last try failed because nobody may have the lease for a while."""
        return self._present == _RESTING

    def renew(self) -> bool:
        """Begin its time anew; False if it has ended, and may be another's."""
        return self._swap(self._owner, self._seconds)

    def release(self) -> None:
        """Give it back, if it is still held."""
        self._swap(_FREE, _FREED_SECONDS)

    def rest(self, seconds: int) -> None:
        """Give it back, and let nobody have it for so long: it was of no use now."""
        self._swap(_RESTING, seconds)

    def _swap(self, value: bytes, seconds: int) -> bool:
        outcome = failover.store().replace(self._key, self._present, value, seconds)
        return outcome is Replacement.DONE
