"""
Two writers of one session: keep what both changed.

Objects are merged key by key; lists and scalars are taken whole. On the same leaf the
later writer wins; a removal loses against a change.
"""

from collections.abc import Iterable
from typing import Any

from sessions_backend.record import Record, same

_MISSING = object()
USER_ID = "_auth_user_id"
_LOGIN_PREFIX = "_auth_"
_LOGIN_UNITS = ("tokens", "user_info")
_LIFETIME = ("created_at", "expires_at")


def merge(*, base: Record, earlier: Record, later: Record) -> Record:
    """
    Return the session that holds the changes of both writers.

    `base` is what the later writer had loaded, `earlier` what the other writer has
    stored since, `later` what is to be stored now.
    """
    if _are_of_two_users(earlier, later):
        login_was_later = not same(base.get(USER_ID), later.get(USER_ID))
        return dict(later if login_was_later else earlier)

    merged = _merge_objects(base, earlier, later)
    for unit in _units(base, earlier, later):
        _take_whole(merged, unit, base, earlier, later)
    return merged


def absorb(target: Record, merged: Record) -> None:
    """Make `target` equal to `merged`, keeping the objects that a view may hold."""
    for key in target.keys() - merged.keys():
        del target[key]
    for key, value in merged.items():
        present = target.get(key, _MISSING)
        if isinstance(present, dict) and isinstance(value, dict):
            absorb(present, value)
        elif present is _MISSING or not same(present, value):
            target[key] = value


def without_login(record: Record) -> Record:
    """Return what a session holds beside who somebody is."""
    return {
        key: value
        for key, value in record.items()
        if not key.startswith(_LOGIN_PREFIX) and key not in _LOGIN_UNITS
    }


def _are_of_two_users(earlier: Record, later: Record) -> bool:
    one, other = earlier.get(USER_ID), later.get(USER_ID)
    return one is not None and other is not None and not same(one, other)


def _merge_objects(base: Record, earlier: Record, later: Record) -> Record:
    merged: Record = {}
    for key in (*earlier, *(key for key in later if key not in earlier)):
        value = _merge_values(
            base.get(key, _MISSING),
            earlier.get(key, _MISSING),
            later.get(key, _MISSING),
        )
        if value is not _MISSING:
            merged[key] = value
    return merged


def _merge_values(base: Any, earlier: Any, later: Any) -> Any:
    if isinstance(earlier, dict) and isinstance(later, dict):
        return _merge_objects(base if isinstance(base, dict) else {}, earlier, later)
    return earlier if _stands(base, earlier, later) else later


def _stands(base: Any, earlier: Any, later: Any) -> bool:
    """Say whether the earlier writer's value outlives the later writer's."""
    return same(base, later) or (later is _MISSING and not same(base, earlier))


def _units(*records: Record) -> Iterable[tuple[str, ...]]:
    # A login is several keys that only make sense together.
    keys = {key for record in records for key in record}
    login = sorted(key for key in keys if key.startswith(_LOGIN_PREFIX))
    return (tuple(login), *((unit,) for unit in _LOGIN_UNITS), _LIFETIME)


def _take_whole(
    merged: Record, unit: tuple[str, ...], base: Record, earlier: Record, later: Record
) -> None:
    def part_of(record: Record) -> Any:
        return {key: record[key] for key in unit if key in record} or _MISSING

    winner = earlier
    if not _stands(part_of(base), part_of(earlier), part_of(later)):
        winner = later
    for key in unit:
        merged.pop(key, None)
        if key in winner:
            merged[key] = winner[key]
