"""
From a label to the session it belongs to, and the labels that were revoked.

A label is anything that names a login elsewhere, such as "issuer|sid" of an identity
provider. Each has one key, so every step is atomic and one round trip, on a cluster,
too. Labels stand in key names as their SHA-256.
"""

import hashlib
from datetime import timedelta

from sessions_backend import conf, failover
from sessions_backend.stores.base import Replacement, Stored

PREFIX = f"{conf.AUXILIARY_PREFIX}label:"
# No session id has this character.
_REVOKED = b"!"


def lookup(label: str) -> tuple[str | None, bool]:
    """
    Return the label's session id, if it has one, and whether it was revoked.

    :raises StorageUnavailable: if it cannot be known now
    """
    stored = failover.store().load(_key(label))
    if not isinstance(stored, Stored):
        return None, False
    if stored.raw == _REVOKED:
        return None, True
    return stored.raw.decode(), False


def link(label: str, session_key: str, *, ttl: timedelta | int) -> str | None:
    """
    Lead the label to a session, unless it leads somewhere; return where it leads.

    None if the label was revoked: then no session may be had by it.
    """
    present = failover.store().claim(_key(label), session_key.encode(), _seconds(ttl))
    return None if present == _REVOKED else present.decode()


def relink(
    label: str, session_key: str, *, ttl: timedelta | int, expected: str | None = None
) -> bool:
    """
    Lead the label to another session; False if it was revoked, or others were faster.

    With `expected` only if it still leads there. A revoked label stays revoked.
    """
    store, key, raw = failover.store(), _key(label), session_key.encode()
    present = expected.encode() if expected else store.claim(key, raw, _seconds(ttl))
    while present != _REVOKED:
        outcome = store.replace(key, present, raw, _seconds(ttl))
        if outcome is Replacement.DONE:
            return True
        if expected is not None:
            return False
        present = store.claim(key, raw, _seconds(ttl))
    return False


def revoke(label: str, *, ttl: timedelta | int) -> str | None:
    """
    End the label's session, and let it have none for `ttl`; return the former id.

    The mark comes first: a request that links the label meanwhile finds it.
    """
    store = failover.store()
    former = store.put(_key(label), _REVOKED, _seconds(ttl))
    if former is None or former == _REVOKED:
        return None
    session_key = former.decode()
    store.remove(conf.load().key_prefix + session_key)
    return session_key


def _key(label: str) -> str:
    return PREFIX + hashlib.sha256(label.encode()).hexdigest()


def _seconds(ttl: timedelta | int) -> int:
    return int(ttl.total_seconds()) if isinstance(ttl, timedelta) else ttl
