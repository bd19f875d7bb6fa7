import dataclasses
import enum
import json
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions_backend import record
from sessions_backend.exceptions import DamagedRecord, UnstorableValue

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | text
)
values = st.recursive(
    scalars,
    lambda children: st.lists(children) | st.dictionaries(text, children),
    max_leaves=6,
)
# Few names, so that two writers meet on the same keys.
records = st.dictionaries(st.sampled_from("abcde") | text, values, max_size=5)


@dataclasses.dataclass
class Topping:
    name: str


class Size(enum.Enum):
    SMALL = "small"


@given(records)
def test_what_was_written_is_read_again_type_by_type(session):
    assert record.same(record.decode(record.encode(session)), session)
    assert repr(record.decode(record.encode(session))) == repr(session)


@given(records)
def test_any_json_reader_reads_it(session):
    assert record.same(json.loads(record.encode(session)), session)


@pytest.mark.parametrize(
    "number", [2**63, 2**64, -(2**63) - 1, 9007199254740993, 10**400]
)
def test_integers_of_any_size_are_kept(number):
    session = {"big": number, "name": "Prosciutto è"}

    assert record.decode(record.encode(session)) == session


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        datetime(2026, 1, 1, tzinfo=UTC),
        datetime(2026, 1, 1, tzinfo=UTC).date(),
        uuid.UUID(int=1),
        Decimal("12.50"),
        {1, 2},
        frozenset(),
        b"bytes",
        Topping("ham"),
        Size.SMALL,
        "half a pair \ud800",
        {1: "a number as a key"},
        {None: "nothing as a key"},
        len,
    ],
    ids=repr,
)
def test_what_json_cannot_hold_is_refused_with_its_keys_name(value):
    with pytest.raises(UnstorableValue, match=r"\['cart'\]\['line'\]"):
        record.encode({"cart": {"line": value}})


def test_a_refusal_is_a_type_error_as_with_djangos_own_serializer():
    assert issubclass(UnstorableValue, TypeError)


def test_a_key_that_is_no_text_is_refused_at_the_top_as_well():
    session: dict[Any, str] = {7: "seven"}

    with pytest.raises(UnstorableValue, match=r"\[7\]"):
        record.encode(session)


def test_a_tuple_comes_back_as_a_list():
    class Pair(NamedTuple):
        name: str
        number: int

    session = {"states": (1, Pair("two", 2), [3])}

    assert record.decode(record.encode(session)) == {"states": [1, ["two", 2], [3]]}


def test_subclasses_of_text_and_numbers_are_stored_as_what_they_are():
    class Name(str):
        __slots__ = ()

    class Count(enum.IntEnum):
        TWO = 2

    session = {Name("key"): Name("value"), "count": Count.TWO}

    assert record.decode(record.encode(session)) == {"key": "value", "count": 2}


def test_too_deep_nesting_is_refused_with_its_keys_name():
    nested: dict[str, object] = {}
    for _ in range(2000):
        nested = {"deeper": nested}

    with pytest.raises(UnstorableValue, match=r"\['deeper'\].*levels deep"):
        record.encode({"tree": nested})


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"null",
        b"7",
        b"\x80\x04\x95pickle",
        b'{"a": NaN}',
        b'{"a": "\xff"}',
        b'{"a": ' + b"[" * 100_000,
        b"[" * 1200 + b"]" * 1200,
        b'{"a": ' + b"9" * 5000 + b"}",
    ],
    ids=lambda raw: repr(raw[:20]),
)
def test_what_is_not_an_object_is_damaged(raw):
    with pytest.raises(DamagedRecord):
        record.decode(raw)


@given(st.binary())
def test_no_bytes_do_anything_but_be_read_or_be_damaged(raw):
    try:
        session = record.decode(raw)
    except DamagedRecord:
        return
    assert type(session) is dict


def test_a_record_written_by_hand_is_read():
    raw = b'{ "big": 12345678901234567890123, "list": [ ] }'

    assert record.decode(raw) == {"big": 12345678901234567890123, "list": []}


@pytest.mark.parametrize(
    ("one", "other"), [(1, True), (0, False), (1, 1.0), ([1], [True]), ({}, [])]
)
def test_numbers_truth_and_containers_are_told_apart(one, other):
    assert not record.same(one, other)
    assert not record.same({"key": [one]}, {"key": [other]})


def test_an_integer_of_too_many_digits_is_refused():
    """Python refuses to write it out; JSON would bear it."""
    with pytest.raises(UnstorableValue, match="cannot be stored"):
        record.encode({"big": 10**5000})


@pytest.mark.parametrize("value", [{1}, 2**70, "\ud800"])
def test_what_orjson_cannot_write_is_not_written_quickly(value):
    assert record.quick_encode({"key": value}) is None
