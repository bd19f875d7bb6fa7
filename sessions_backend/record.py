"""
What is stored: one JSON object, UTF-8, that a person can read.

Writing is strict: a value that would come back as another is refused with the name
of its key. Tuples alone come back as lists, as they do from Django's own serializer.
"""

import json
import re
from collections.abc import Iterable, Iterator
from math import isfinite
from typing import Any

import orjson

from sessions_backend.exceptions import (
    DamagedRecord,
    SessionTooLarge,
    UnstorableValue,
)

type Record = dict[str, Any]

# orjson writes 254 levels and reads 1024.
_DEEPEST = 200
_SCALARS = (str, int, float, bool, type(None))


def encode(record: Record, *, known: bytes | None = None) -> bytes:
    """
    Write a session as JSON; `known` is what it was read from or written as before.

    :raises UnstorableValue: if a value would come back as another one
    """
    raw = quick_encode(record)
    if raw is not None and (
        raw == known or _are_plain(record.values()) or orjson.loads(raw) == record
    ):
        return raw
    # Rare: a tuple, an integer beyond 64 bits, or something JSON cannot hold.
    for path, value in _walk(record, "", 0):
        _refuse_unstorable(path, value)
    try:
        return orjson.dumps(record, default=_as_list)
    except TypeError:
        return _encode_with_big_integers(record)


def demand_size(raw: bytes, record: Record, *, most: int) -> None:
    """
    Make sure that a record which was written has at most so many bytes.

    :raises SessionTooLarge: if it has more; names its largest key
    """
    if len(raw) <= most:
        return
    sizes = {key: len(encode({key: value})) for key, value in record.items()}
    largest = max(sizes, key=lambda key: sizes[key])
    raise SessionTooLarge(
        f"The session cannot be stored: it has {len(raw)} bytes, and "
        f"SESSION_MOST_BYTES allows {most}. The largest of its keys is "
        f"{largest[:80]!r}, with {sizes[largest]} bytes."
    )


def quick_encode(record: Record) -> bytes | None:
    """Write a session that was already checked; None if orjson alone cannot."""
    try:
        return orjson.dumps(record, default=_as_list)
    except (TypeError, ValueError):
        return None


def decode(raw: bytes) -> Record:
    """
    Read a session.

    :raises DamagedRecord: if the bytes are not a JSON object
    """
    # orjson reads an integer beyond 64 bits as a float, or not at all. What comes out
    # of it byte for byte was read rightly; the rest is read the exact way.
    try:
        record = orjson.loads(raw)
        if type(record) is dict and orjson.dumps(record) == raw:
            return record
    except (TypeError, ValueError):
        pass
    return _decode_exactly(raw)


def same(one: Any, other: Any) -> bool:
    """Compare two JSON values; unlike `==`, tell 1 from True and from 1.0."""
    return one is other or (one == other and _canonical(one) == _canonical(other))


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _decode_exactly(raw: bytes) -> Record:
    try:
        record = json.loads(raw.decode())
        if type(record) is dict:
            # Python reads more than JSON is: NaN, half a surrogate pair.
            encode(record)
            return record
    except (ValueError, RecursionError, UnstorableValue) as error:
        raise DamagedRecord(str(error)) from error
    raise DamagedRecord(f"a {type(record).__name__} instead of an object")


def _encode_with_big_integers(record: Record) -> bytes:
    try:
        text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
    except ValueError as error:
        raise UnstorableValue(f"The session cannot be stored: {error}") from error
    return text.encode()


def _are_plain(values: Iterable[Any]) -> bool:
    """
    Say for certain that what orjson wrote of values reads as those values.

    orjson turns NaN into null and a UUID into text without a word. To look at each
    value costs less than half of reading all of them again.
    """
    for value in values:
        kind = type(value)
        if kind is str or kind is int or kind is bool or value is None:
            continue
        if kind is dict:
            is_plain = _are_plain(value.values())
        elif kind is list:
            is_plain = _are_plain(value)
        else:
            is_plain = kind is float and isfinite(value)
        if not is_plain:
            return False
    return True


def _as_list(value: Any) -> Any:
    # orjson refuses subclasses of tuple; a named tuple is a sequence all the same.
    if isinstance(value, tuple):
        return list(value)
    raise TypeError


def _walk(value: Any, path: str, depth: int) -> Iterator[tuple[str, Any]]:
    if depth > _DEEPEST:
        raise UnstorableValue(
            f"The session's {path[:80]} … cannot be stored: it is nested more than "
            f"{_DEEPEST} levels deep."
        )
    yield path, value
    if isinstance(value, dict):
        for key, child in value.items():
            name = f"{path}[{key!r}]"
            if not isinstance(key, str):
                raise UnstorableValue(
                    f"The session's {name} cannot be stored: in JSON a key is text, "
                    f"not {type(key).__name__}."
                )
            _refuse_unstorable(f"{path} key {key!r}", key)
            yield from _walk(child, name, depth + 1)
    elif isinstance(value, (list, tuple)):
        for position, child in enumerate(value):
            yield from _walk(child, f"{path}[{position}]", depth + 1)


def _refuse_unstorable(path: str, value: Any) -> None:
    if isinstance(value, (dict, list, tuple)):
        return
    reason = None
    if not isinstance(value, _SCALARS):
        reason = f"JSON has no {type(value).__name__}"
    elif isinstance(value, float) and (value != value or abs(value) == float("inf")):  # noqa: PLR0124  # NaN
        reason = f"JSON has no {value}"
    elif isinstance(value, str) and re.search("[\ud800-\udfff]", value):
        reason = "half a surrogate pair is not a character"
    if reason:
        raise UnstorableValue(f"The session's {path} cannot be stored: {reason}.")
