"""
What the processes of the shop tell each other about the realm, in the session store.

None of it is needed for an answer: where Redis is away each process goes on by itself.
So it has a time of its own, and what it meets is no outage of the request.
"""

from collections.abc import Callable
from hashlib import sha256

from django.conf import settings

from sessions_backend import budget, failover
from sessions_backend.exceptions import StorageUnavailable
from sessions_backend.stores.base import Store, Stored

_SECONDS = 0.25


def read(name: str) -> bytes | None:
    stored = _ask(lambda store: store.load(_key(name)))
    return stored.raw if isinstance(stored, Stored) else None


def write(name: str, raw: bytes, *, seconds: int) -> None:
    _ask(lambda store: store.put(_key(name), raw, seconds))


def claim(name: str, raw: bytes, *, seconds: int) -> bytes | None:
    """Keep `raw` unless something stands there; return what does, None if unknown."""
    return _ask(lambda store: store.claim(_key(name), raw, seconds))


def remove(name: str) -> None:
    _ask(lambda store: store.remove(_key(name)))


def _key(name: str) -> str:
    # One Redis may serve shops of two realms.
    realm = sha256(settings.OIDC_OP_ISSUER.encode()).hexdigest()[:16]
    return f"mario_identity:{realm}:{name}"


def _ask[Answer](question: Callable[[Store], Answer]) -> Answer | None:
    with budget.of_seconds(_SECONDS):
        try:
            return question(failover.store())
        except StorageUnavailable:
            return None
