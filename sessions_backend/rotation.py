"""
What an id that was rotated leaves behind, for requests that are under way with it.

For a short grace it leads to the record that goes on, and shows what the session held
beside its login: it is no login any more.
"""

from typing import NamedTuple

from sessions_backend import conf, damaged, names, record
from sessions_backend.exceptions import DamagedRecord
from sessions_backend.merge import without_login
from sessions_backend.record import Record
from sessions_backend.sealing import Unsealed
from sessions_backend.stores.base import AsyncStore, Entry, Stored

# The name of the record that goes on.
_SUCCESSOR = "superseded_by"
_DATA = "data"


class LeftBehind(NamedTuple):
    """The name of the record that goes on, and what may be seen of it."""

    name: names.RecordName
    data: Record


async def left_behind(
    store: AsyncStore, key: str, seals: Unsealed
) -> LeftBehind | None:
    """Read what the record under `key` has left, if it was rotated a moment ago."""
    if not conf.load().rotation_grace_seconds:
        return None
    stored = await store.load(names.superseded_key(key))
    if not isinstance(stored, Stored):
        return None
    try:
        return _opened(record.decode(stored.raw), key, seals)
    except DamagedRecord as error:
        # It lives for seconds, so it is not worth keeping aside.
        damaged.note_unreadable(key, f"what a rotation has left: {error}")
        return None


def leaving(key: str, successor: str, seen: Record, seals: Unsealed) -> Entry | None:
    """
    Return what the requests under way with the id of `key` may see for a while.

    `seen` was just read or stored, so that it is known to be storable.
    """
    grace = conf.load().rotation_grace_seconds
    if not grace:
        return None
    left = {_SUCCESSOR: successor, _DATA: seals.sealed(without_login(seen), key)}
    raw = record.quick_encode(left) or record.encode(left)
    return Entry(names.superseded_key(key), raw, grace)


def _opened(left: Record, key: str, seals: Unsealed) -> LeftBehind:
    name, data = left.get(_SUCCESSOR), left.get(_DATA)
    if not names.is_id(name) or not isinstance(data, dict):
        raise DamagedRecord("it does not lead to a session")
    return LeftBehind(names.RecordName(name), seals.opened(data, key))
