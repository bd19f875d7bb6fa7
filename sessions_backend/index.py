"""
From a label to the session it belongs to, and the labels that were revoked.

A label is anything that names a login elsewhere, such as "issuer|sid" of an identity
provider. Each has one key, so every step is atomic and one round trip, on a cluster,
too. Labels stand in key names as their SHA-256. They lead to the name of a session's
record, never to its id: `SessionStore(name)` opens it, a cookie of that name does not.
"""

from datetime import timedelta

from sessions_backend import failover
from sessions_backend.exceptions import StorageUnavailable
from sessions_backend.journal import REVOKED
from sessions_backend.names import RecordName, label_key, record_key, record_name
from sessions_backend.signals import tell_ended
from sessions_backend.stores.base import Replacement, Store, Stored


def lookup(label: str) -> tuple[RecordName | None, bool]:
    """
    Return the name of the label's session, if it has one, and whether it was revoked.

    :raises StorageUnavailable: if it cannot be known now
    """
    stored = failover.store().load(label_key(label))
    if not isinstance(stored, Stored):
        return None, False
    if stored.raw == REVOKED:
        return None, True
    return _name(stored.raw), False


def link(label: str, session_key: str, *, ttl: timedelta | int) -> RecordName | None:
    """
    Lead the label to a session, unless it leads somewhere; return where it leads.

    None if the label was revoked: then no session may be had by it. Here and below
    `session_key` is a session's id or its record's name.
    """
    present = failover.store().claim(
        label_key(label), record_name(session_key).encode(), _seconds(ttl)
    )
    return None if present == REVOKED else _name(present)


def relink(
    label: str, session_key: str, *, ttl: timedelta | int, expected: str | None = None
) -> bool:
    """
    Lead the label to another session; False if it was revoked, or others were faster.

    With `expected` only if it still leads there. A revoked label stays revoked.
    """
    store, key = failover.store(), label_key(label)
    raw = record_name(session_key).encode()
    present = (
        record_name(expected).encode()
        if expected
        else store.claim(key, raw, _seconds(ttl))
    )
    while present != REVOKED:
        outcome = store.replace(key, present, raw, _seconds(ttl))
        if outcome is Replacement.DONE:
            return True
        if expected is not None:
            return False
        present = store.claim(key, raw, _seconds(ttl))
    return False


def forbid(label: str, *, ttl: timedelta | int) -> None:
    """
    Let nobody have a session by the label for `ttl`, and leave its session alone.

    :raises StorageUnavailable: if it cannot be noted now
    """
    relink(label, _name(REVOKED), ttl=ttl)


def revoke(label: str, *, ttl: timedelta | int) -> RecordName | None:
    """
    End the label's session, and let it have none for `ttl`; return its former name.

    The mark comes first: a request that links the label meanwhile finds it.

    :raises StorageUnavailable: if Redis is away and this process does not know the
        label. It is noted all the same, and done on Redis's return.
    """
    store, key = failover.store(), label_key(label)
    # Asked before, too: a mark that is sent a second time, because a connection broke
    # before its reply, finds the first.
    known = _held(store, key)
    former = store.put(key, REVOKED, _seconds(ttl))
    held = {_name(raw) for raw in (known, former) if raw not in {None, REVOKED}}
    for name in held:
        record = record_key(name)
        store.remove(record)
        tell_ended(record)
    return held.pop() if held else None


def _held(store: Store, key: str) -> bytes | None:
    try:
        stored = store.load(key)
    except StorageUnavailable:
        return None
    return stored.raw if isinstance(stored, Stored) else None


def _name(raw: bytes | None) -> RecordName:
    return RecordName((raw or b"").decode("utf-8", "replace"))


def _seconds(ttl: timedelta | int) -> int:
    return int(ttl.total_seconds()) if isinstance(ttl, timedelta) else ttl
