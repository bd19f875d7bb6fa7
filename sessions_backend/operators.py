"""
What an operator may see of sessions and do to them.

A session's id is as good as a password: it is shown by a handle, the beginning of the
SHA-256 of its record's name, which leads to the session for who may ask Redis, and for
nobody else.
"""

import re
from collections.abc import Callable, Collection, Iterator
from itertools import batched
from typing import Any, NamedTuple

from django.apps import apps
from django.contrib.auth import get_user_model
from django.db.models import Q

from sessions_backend import budget, conf, failover, names, sealing
from sessions_backend.exceptions import DamagedRecord
from sessions_backend.merge import USER_ID
from sessions_backend.names import RecordName
from sessions_backend.record import Record
from sessions_backend.signals import session_revoked, tell_ended
from sessions_backend.stores.base import Replacement, Rewrite, Stored, Unreadable

# What work on many sessions may take; a request's own budget is for one.
BULK_SECONDS = 10.0
MASK = "***"
MOST_SEARCHED = 1_000_000
_HANDLE = re.compile(r"[0-9a-f]{16}")
_READ_AT_ONCE = 500
_PROGRESS_EVERY = 1000
_MOST_USERS = 20
LONGEST_SECONDS = 10 * 365 * 86400
_SECRET_NAME = re.compile(r"token|secret|password|_auth_user_hash", re.IGNORECASE)
_JWT = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*")


class Found(NamedTuple):
    name: RecordName
    record: Record | None
    seconds_left: float

    @property
    def handle(self) -> str:
        return names.handle(self.name)

    @property
    def user_id(self) -> str | None:
        user_id = (self.record or {}).get(USER_ID)
        return None if user_id is None else str(user_id)


class Resealed(NamedTuple):
    """How many records were looked at, sealed anew, and could not be opened."""

    seen: int
    changed: int
    damaged: int


def handle_of(session_key: str) -> str:
    return names.handle_of(session_key)


def all_sessions(*, limit: int) -> Iterator[Found]:
    for batch in batched(_names(limit), _READ_AT_ONCE):
        keys = [names.record_key(name) for name in batch]
        with budget.of_seconds(BULK_SECONDS):
            stored = failover.store().load_many(keys)
        for name, held in zip(batch, stored, strict=True):
            if found := _found(name, held):
                yield found


def find(text: str) -> Found | None:
    """Return the session of an id or a handle; None if there is none."""
    found = read(text) if names.is_id(text) else None
    return found or next(iter(find_by_handles({text})), None)


def find_by_handles(handles: Collection[str]) -> list[Found]:
    """Return those of the sessions that still live; every key is looked at once."""
    wanted = {handle for handle in handles if _HANDLE.fullmatch(handle)}
    if not wanted:
        return []
    found = []
    for name in _names(MOST_SEARCHED):
        if names.handle(name) in wanted:
            found.append(read(name))
            if len(found) == len(wanted):
                break
    return [one for one in found if one is not None]


def read(session_key: str) -> Found | None:
    """Return a session by its id or name; its record is None if it cannot be read."""
    name = names.record_name(session_key)
    return _found(name, failover.store().load(names.record_key(name)))


def _found(name: RecordName, stored: Stored | Unreadable | None) -> Found | None:
    if stored is None:
        return None
    if not isinstance(stored, Stored):
        return Found(name, None, 0)
    try:
        held = sealing.seals().decode(stored.raw, names.record_key(name))
        return Found(name, held, stored.remaining)
    except DamagedRecord:
        return Found(name, None, stored.remaining)


def users_named(text: str) -> list[str]:
    """Return the ids of the users whose id, name or e-mail a person may mean."""
    if "\x00" in text:
        return []  # no database knows it, and some would take it for the end
    if not apps.is_installed("django.contrib.auth"):
        return [text]
    users: Any = get_user_model()
    fields = {users.USERNAME_FIELD, users.get_email_field_name()}
    known = {field.name for field in users._meta.get_fields()}  # noqa: SLF001  # Django's public name
    asked = Q()
    for field in fields & known:
        asked |= Q(**{f"{field}__icontains": text})
    found = users._default_manager.filter(asked).order_by("pk")  # noqa: SLF001  # the same
    ids = [str(pk) for pk in found.values_list("pk", flat=True)[:_MOST_USERS]]
    # Somebody whose account is gone may still have sessions.
    return [text, *(pk for pk in ids if pk != text)] if text.isdecimal() else ids


def of_user(user_id: object) -> list[Found]:
    """
    Return a user's live sessions, in one round trip and one for each thousand.

    They are found by a list that login and renewal keep; what it names in vain is
    taken off it. After Redis has evicted a list, `repair_lists` makes it anew.

    :raises StorageUnavailable: while Redis is away
    """
    store, list_key = failover.store(), names.user_list_key(str(user_id))
    with budget.of_seconds(BULK_SECONDS):
        listed = [RecordName(name) for name in store.listed(list_key)]
        stored = store.load_many([names.record_key(name) for name in listed])
        found = [_found(name, held) for name, held in zip(listed, stored, strict=True)]
        theirs = [one for one in found if one and one.user_id == str(user_id)]
        kept = {one.name for one in theirs}
        if gone := [name for name in listed if name not in kept]:
            store.unlist(list_key, gone)
    return theirs


def revoke(found: Found) -> bool:
    """End a session and tell the project; False if it had ended meanwhile."""
    if not failover.store().remove(names.record_key(found.name)):
        return False
    _tell(found)
    return True


def revoke_all(user_id: object, *, keep: str | None = None) -> int:
    """
    End every session of a user, except that of the id or name `keep`; count them.

    :raises StorageUnavailable: while Redis is away, for it keeps the list
    """
    kept = None if keep is None else names.record_name(keep)
    theirs = [found for found in of_user(user_id) if found.name != kept]
    keys = [names.record_key(found.name) for found in theirs]
    with budget.of_seconds(BULK_SECONDS):
        count = failover.store().remove_many(keys)
        ended = [found.name for found in theirs]
        failover.store().unlist(names.user_list_key(str(user_id)), ended)
    for found in theirs:
        _tell(found)
    return count


def repair_lists(*, on_progress: Callable[[int], None] | None = None) -> int:
    """Put every session of a user on that user's list; return how many there are."""
    count, listed = 0, _Listed()
    for found in all_sessions(limit=MOST_SEARCHED):
        if found.user_id is None:
            continue
        list_key = names.user_list_key(found.user_id)
        if found.name not in listed[list_key]:
            ttl = min(max(int(found.seconds_left), 1), LONGEST_SECONDS)
            key = names.record_key(found.name)
            failover.store().renew(key, ttl, listed_in=list_key)
        count += 1
        if on_progress is not None and count % _PROGRESS_EVERY == 0:
            on_progress(count)
    return count


class _Listed(dict[str, set[str]]):
    """The names in each list, which is asked for once."""

    def __missing__(self, list_key: str) -> set[str]:
        self[list_key] = found = set(failover.store().listed(list_key))
        return found


def known_here() -> list[Found]:
    """Return the sessions that this process could serve now, were Redis away."""
    situation = failover.situation()
    known = {} if situation is None else situation.journal.known_records()
    found = [_found(names.name_of(key), stored) for key, stored in known.items()]
    return [one for one in found if one is not None]


def reseal(*, on_progress: Callable[[int], None] | None = None) -> Resealed:
    """
    Seal every record as today's settings say: with the first key, and no member more.

    Two round trips for each 500 sessions, and one more for what others have written
    meanwhile. Ends of sessions stay, and so does what cannot be opened. It can be run
    again at any time.
    """
    seen = changed = damaged = 0
    for batch in batched(_names(MOST_SEARCHED), _READ_AT_ONCE):
        keys = [names.record_key(name) for name in batch]
        with budget.of_seconds(BULK_SECONDS):
            held = failover.store().load_many(keys)
            stored = {
                key: one.raw
                for key, one in zip(keys, held, strict=True)
                if isinstance(one, Stored)
            }
            done, broken = _reseal(stored)
        seen, changed, damaged = seen + len(stored), changed + done, damaged + broken
        if on_progress is not None:
            on_progress(seen)
    return Resealed(seen, changed, damaged)


def _reseal(stored: dict[str, bytes]) -> tuple[int, int]:
    """Return how many of these records were changed, and how many are damaged."""
    done = damaged = 0
    while stored:
        changes = []
        for key, raw in stored.items():
            try:
                resealed = sealing.resealed(raw, key)
            except DamagedRecord:
                damaged += 1
                continue
            if resealed is not None:
                changes.append(Rewrite(key, raw, resealed))
        outcomes = failover.store().rewrite_many(changes)
        done += sum(outcome is Replacement.DONE for outcome in outcomes)
        # What another writer was faster with is looked at again, until none was.
        stored = {
            change.key: outcome
            for change, outcome in zip(changes, outcomes, strict=True)
            if isinstance(outcome, bytes)
        }
    return done, damaged


def _tell(found: Found) -> None:
    tell_ended(names.record_key(found.name))
    session_revoked.send(
        sender=revoke, session_key=found.name, record=found.record or {}
    )


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


def _names(limit: int) -> Iterator[RecordName]:
    for key in failover.store().keys(conf.load().key_prefix, limit=limit):
        yield names.name_of(key)
