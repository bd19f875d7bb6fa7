"""
What an operator may see of sessions and do to them.

A session id is as good as a password: it is shown by a handle, the beginning of its
SHA-256, which leads to the session for who may ask Redis, and for nobody else.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from sessions_backend import conf, failover, names, record
from sessions_backend.exceptions import DamagedRecord
from sessions_backend.record import Record
from sessions_backend.signals import session_revoked
from sessions_backend.stores.base import Stored

MASK = "***"
MOST_SEARCHED = 1_000_000
_HANDLE_LENGTH = 16
_SECRET_NAME = re.compile(r"token|secret|password|_auth_user_hash", re.IGNORECASE)
_JWT = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*")


class Found(NamedTuple):
    session_key: str
    record: Record | None
    seconds_left: float

    @property
    def handle(self) -> str:
        return handle_of(self.session_key)


def handle_of(session_key: str) -> str:
    return names.handle(session_key)


def all_sessions(*, limit: int) -> Iterator[Found]:
    for session_key in _session_keys(limit):
        found = read(session_key)
        if found is not None:
            yield found


def find(name: str) -> Found | None:
    """Return the session of an id or a handle; None if there is none."""
    found = read(name)
    if found is not None or not re.fullmatch(rf"[0-9a-f]{{{_HANDLE_LENGTH}}}", name):
        return found
    for session_key in _session_keys(MOST_SEARCHED):
        if handle_of(session_key) == name:
            return read(session_key)
    return None


def read(session_key: str) -> Found | None:
    """Return one session; its record is None if it cannot be read."""
    stored = failover.store().load(names.record_key(session_key))
    if stored is None:
        return None
    if not isinstance(stored, Stored):
        return Found(session_key, None, 0)
    try:
        return Found(session_key, record.decode(stored.raw), stored.remaining)
    except DamagedRecord:
        return Found(session_key, None, stored.remaining)


def revoke(found: Found) -> bool:
    """End a session and tell the project; False if it had ended meanwhile."""
    if not failover.store().remove(names.record_key(found.session_key)):
        return False
    session_revoked.send(
        sender=revoke, session_key=found.session_key, record=found.record or {}
    )
    return True


def masked(value: Any) -> Any:
    """Return a value with everything in it that opens a door replaced."""
    if isinstance(value, dict):
        return {
            key: _veiled(child) if _SECRET_NAME.search(key) else masked(child)
            for key, child in value.items()
        }
    if isinstance(value, list):
        return [masked(child) for child in value]
    return _JWT.sub(MASK, value) if isinstance(value, str) else value


def _veiled(value: Any) -> Any:
    # Numbers stay: when a token expires opens nothing.
    if isinstance(value, dict):
        return {key: _veiled(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_veiled(child) for child in value]
    return MASK if isinstance(value, str) else value


def _session_keys(limit: int) -> Iterator[str]:
    prefix = conf.load().key_prefix
    for key in failover.store().keys(prefix, limit=limit):
        yield key.removeprefix(prefix)
