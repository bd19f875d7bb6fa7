# ruff: noqa: S101
"""
StoreContract: what every store must do, as tests that others can run on theirs.

    class TestMyStore(StoreContract):
        @pytest.fixture
        def store(self):
            return MyStore()

The store is one of `stores.base.Store`; it may be used by eight threads at once. A test
that cannot hold for it is left out by `test_... = None`, with the reason beside it.
"""

import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from sessions_backend import names
from sessions_backend.stores.base import (
    Entry,
    Replacement,
    Rewrite,
    Store,
    Stored,
)

_TTL = 60
_WRITERS = 8


def _new_key() -> str:
    return f"session:{uuid.uuid4().hex}"


class StoreContract:
    """Inherit, and provide a fixture `store`."""

    def test_a_key_nobody_wrote_is_missing(self, store: Store) -> None:
        key = _new_key()

        assert store.load(key) is None
        assert not store.exists(key)
        assert store.take(key) is None
        assert not store.remove(key)
        assert not store.renew(key, _TTL)

    def test_what_was_created_is_loaded(self, store: Store) -> None:
        key, raw = _new_key(), '{"è": [], "\\u0000": 1}'.encode() + bytes(range(256))

        assert store.create(key, raw, _TTL)

        stored = store.load(key)
        assert isinstance(stored, Stored)
        assert stored.raw == raw
        assert _TTL - 2 <= stored.remaining <= _TTL
        assert store.exists(key)

    def test_a_taken_key_is_not_created_again(self, store: Store) -> None:
        key = _new_key()
        store.create(key, b"first", _TTL)

        assert not store.create(key, b"second", _TTL)
        assert store.take(key) == b"first"

    def test_a_large_record_is_kept(self, store: Store) -> None:
        key, raw = _new_key(), b"x" * 1_000_000

        assert store.create(key, raw, _TTL)
        assert store.replace(key, raw, raw + b"y", _TTL) is Replacement.DONE
        assert store.take(key) == raw + b"y"

    def test_a_replacement_of_what_is_there_is_done(self, store: Store) -> None:
        key = _new_key()
        store.create(key, b"old", 5)

        assert store.replace(key, b"old", b"new", _TTL) is Replacement.DONE

        stored = store.load(key)
        assert isinstance(stored, Stored)
        assert stored.raw == b"new"
        assert stored.remaining > _TTL - 2

    def test_a_replacement_of_something_else_returns_that(self, store: Store) -> None:
        key = _new_key()
        store.create(key, b"theirs", _TTL)

        assert store.replace(key, b"old", b"mine", _TTL) == b"theirs"
        assert store.take(key) == b"theirs"

    def test_a_replacement_sent_twice_is_done(self, store: Store) -> None:
        key = _new_key()
        store.create(key, b"old", _TTL)
        store.replace(key, b"old", b"new", _TTL)

        assert store.replace(key, b"old", b"new", _TTL) is Replacement.DONE

    def test_a_replacement_of_whatever_is_there_is_done(self, store: Store) -> None:
        key = _new_key()
        store.create(key, b"anything", _TTL)

        assert store.replace(key, None, b"new", _TTL) is Replacement.DONE
        assert store.take(key) == b"new"

    def test_a_replacement_never_brings_a_key_back(self, store: Store) -> None:
        key = _new_key()
        store.create(key, b"old", _TTL)
        store.remove(key)

        assert store.replace(key, b"old", b"new", _TTL) is Replacement.GONE
        assert store.replace(key, None, b"new", _TTL) is Replacement.GONE
        assert not store.exists(key)

    def test_a_removed_key_is_gone(self, store: Store) -> None:
        key = _new_key()
        store.create(key, b"raw", _TTL)

        assert store.remove(key)
        assert store.load(key) is None

    def test_a_key_is_taken_once(self, store: Store) -> None:
        key = _new_key()
        store.create(key, b"raw", _TTL)

        assert store.take(key) == b"raw"
        assert store.take(key) is None

    def test_a_key_ends_by_itself(self, store: Store) -> None:
        key = _new_key()
        store.create(key, b"raw", 1)

        time.sleep(1.1)

        assert store.load(key) is None
        assert not store.exists(key)
        assert store.replace(key, b"raw", b"new", _TTL) is Replacement.GONE

    def test_a_renewed_key_lives_on(self, store: Store) -> None:
        key = _new_key()
        store.create(key, b"raw", 1)

        assert store.renew(key, _TTL)

        stored = store.load(key)
        assert isinstance(stored, Stored)
        assert stored.raw == b"raw"
        assert stored.remaining > _TTL - 2

    def test_a_key_is_renewed_as_it_is_loaded(self, store: Store) -> None:
        key, mine = _new_key(), _new_key()
        store.create(key, b"raw", 5)

        stored = store.load_renewed(key, _TTL, listed_in=mine)

        assert isinstance(stored, Stored)
        assert stored.raw == b"raw"
        again = store.load(key)
        assert isinstance(again, Stored)
        assert again.remaining > _TTL - 2
        assert list(store.listed(mine)) == [names.name_of(key)]
        assert store.known(key) in {None, b"raw"}

    def test_a_missing_key_is_not_renewed_as_it_is_loaded(self, store: Store) -> None:
        key, mine = _new_key(), _new_key()

        assert store.load_renewed(key, _TTL, listed_in=mine) is None
        assert not store.exists(key)
        assert list(store.listed(mine)) == []

    def test_a_taken_key_can_leave_something(self, store: Store) -> None:
        key, left = _new_key(), _new_key()
        store.create(key, b"raw", _TTL)

        assert store.take(key, leaving=Entry(left, b"left", _TTL)) == b"raw"
        assert not store.exists(key)
        assert store.take(left) == b"left"

    def test_a_rotated_key_goes_on_and_leaves_something(self, store: Store) -> None:
        key, new, left = _new_key(), _new_key(), _new_key()
        store.create(key, b"raw", _TTL)

        rotated = store.rotate(
            key, Entry(new, b"new", _TTL), leaving=Entry(left, b"left", _TTL)
        )

        assert rotated == (b"raw", True)
        assert not store.exists(key)
        assert store.take(new) == b"new"
        assert store.take(left) == b"left"

    def test_a_missing_key_is_rotated_to_what_goes_on(self, store: Store) -> None:
        key, new = _new_key(), _new_key()

        assert store.rotate(key, Entry(new, b"new", _TTL)) == (None, True)
        assert store.take(new) == b"new"

    def test_a_rotation_writes_over_nothing(self, store: Store) -> None:
        key, taken = _new_key(), _new_key()
        store.create(key, b"raw", _TTL)
        store.create(taken, b"another's", _TTL)

        assert store.rotate(key, Entry(taken, b"new", _TTL)) == (b"raw", False)
        assert store.take(taken) == b"another's"

    def test_a_list_names_what_goes_on_after_a_rotation(self, store: Store) -> None:
        key, new, taken, mine = _new_key(), _new_key(), _new_key(), _new_key()
        store.create(taken, b"another's", _TTL)

        store.rotate(key, Entry(new, b"new", _TTL), listed_in=mine)
        store.rotate(key, Entry(taken, b"new", _TTL), listed_in=mine)

        assert list(store.listed(mine)) == [names.name_of(new)]

    def test_many_are_loaded_in_the_order_asked_for(self, store: Store) -> None:
        keys = [_new_key() for _ in range(20)]
        for key in keys[::2]:
            store.create(key, key.encode(), _TTL)

        found = store.load_many(keys)

        assert [
            stored.raw if isinstance(stored, Stored) else None for stored in found
        ] == [None if number % 2 else key.encode() for number, key in enumerate(keys)]
        assert list(store.load_many([])) == []

    def test_many_are_removed_and_those_that_were_there_counted(
        self, store: Store
    ) -> None:
        keys = [_new_key() for _ in range(20)]
        there = keys[::2]
        for key in there:
            store.create(key, b"raw", _TTL)

        assert store.remove_many(keys) == len(there)
        assert not any(store.exists(key) for key in keys)
        assert store.remove_many([]) == 0

    def test_many_are_rewritten_where_they_are_as_expected(self, store: Store) -> None:
        keys = [_new_key() for _ in range(20)]
        gone, changed, *unchanged = keys
        for key in keys[1:]:
            store.create(key, b"old", _TTL)
        store.replace(changed, b"old", b"theirs", _TTL)
        changes = [Rewrite(key, b"old", b"new") for key in keys]

        outcomes = list(store.rewrite_many(changes))

        done = [Replacement.DONE] * len(unchanged)
        assert outcomes == [Replacement.GONE, b"theirs", *done]
        assert not store.exists(gone)
        assert store.take(changed) == b"theirs"
        assert [store.take(key) for key in unchanged] == [b"new"] * len(unchanged)
        assert list(store.rewrite_many([])) == []

    def test_what_is_rewritten_ends_when_it_would_have(self, store: Store) -> None:
        key = _new_key()
        store.create(key, b"old", 5)

        store.rewrite_many([Rewrite(key, b"old", b"new")])
        # Sent a second time, as after a reply that was lost.
        again = store.rewrite_many([Rewrite(key, b"old", b"new")])

        assert list(again) == [Replacement.DONE]
        stored = store.load(key)
        assert isinstance(stored, Stored)
        assert stored.raw == b"new"
        assert 3 < stored.remaining <= 5  # noqa: PLR2004  # what it was created with

    def test_a_list_names_what_was_written_into_it(self, store: Store) -> None:
        created, replaced, renewed = keys = [_new_key() for _ in range(3)]
        mine, other = _new_key(), _new_key()
        store.create(created, b"raw", _TTL, listed_in=mine)
        for key in (replaced, renewed):
            store.create(key, b"old", _TTL)
        store.replace(replaced, b"old", b"new", _TTL, listed_in=mine)
        store.renew(renewed, _TTL, listed_in=mine)

        assert sorted(store.listed(mine)) == sorted(map(names.name_of, keys))
        assert list(store.listed(other)) == []

    def test_a_list_does_not_name_what_was_not_written(self, store: Store) -> None:
        taken, gone, mine = _new_key(), _new_key(), _new_key()
        store.create(taken, b"raw", _TTL)

        assert not store.create(taken, b"raw", _TTL, listed_in=mine)
        store.replace(gone, b"old", b"new", _TTL, listed_in=mine)
        store.renew(gone, _TTL, listed_in=mine)

        assert list(store.listed(mine)) == []

    def test_a_list_lives_as_long_as_its_longest_session(self, store: Store) -> None:
        short, long, mine = _new_key(), _new_key(), _new_key()
        store.create(long, b"raw", _TTL, listed_in=mine)
        store.create(short, b"raw", 1, listed_in=mine)

        time.sleep(2.1)

        assert list(store.listed(mine)) == [names.name_of(long)]

    def test_a_list_forgets_what_it_is_told_to(self, store: Store) -> None:
        keys, mine = [_new_key() for _ in range(3)], _new_key()
        for key in keys:
            store.create(key, b"raw", _TTL, listed_in=mine)

        store.unlist(mine, [names.name_of(key) for key in keys[:2]])

        assert list(store.listed(mine)) == [names.name_of(keys[2])]
        assert store.exists(keys[0])

    def test_put_keeps_and_returns_what_stood_there(self, store: Store) -> None:
        key = _new_key()

        assert store.put(key, b"first", _TTL) is None
        assert store.put(key, b"second", _TTL) == b"first"
        assert store.take(key) == b"second"

    def test_a_claim_goes_to_the_first(self, store: Store) -> None:
        key = _new_key()

        assert store.claim(key, b"first", _TTL) == b"first"
        assert store.claim(key, b"second", _TTL) == b"first"

    def test_keys_are_named_by_their_prefix(self, store: Store) -> None:
        prefix = f"odd*[{uuid.uuid4().hex}]?\\:"
        for number in range(3):
            store.create(f"{prefix}{number}", b"raw", _TTL)
        store.create(_new_key(), b"raw", _TTL)

        assert sorted(store.keys(prefix, limit=10)) == [
            f"{prefix}{n}" for n in range(3)
        ]
        assert sum(1 for _ in store.keys(prefix, limit=1)) == 1

    def test_it_answers(self, store: Store) -> None:
        store.ping()

    def test_it_can_be_closed_and_used_again(self, store: Store) -> None:
        key = _new_key()
        store.create(key, b"raw", _TTL)
        store.close()
        store.close()

        assert store.take(key) == b"raw"

    def test_of_many_who_create_or_claim_one_wins(self, store: Store) -> None:
        created, claimed = _new_key(), _new_key()

        def race(number: int) -> tuple[bool, bytes]:
            mine = b"%d" % number
            return store.create(created, mine, _TTL), store.claim(claimed, mine, _TTL)

        results = _at_once(race)

        assert sum(is_mine for is_mine, _ in results) == 1
        assert len({winner for _, winner in results}) == 1

    def test_no_replacement_of_many_is_lost(self, store: Store) -> None:
        key = _new_key()
        store.create(key, b"", _TTL)

        def append(number: int) -> None:
            present, mine = b"", b"%d" % number
            while True:
                outcome = store.replace(key, present, present + mine, _TTL)
                if outcome is Replacement.DONE:
                    return
                assert isinstance(outcome, bytes)
                present = outcome

        _at_once(append)

        assert sorted(store.take(key) or b"") == sorted(b"01234567")

    def test_no_replacement_outlives_a_removal(self, store: Store) -> None:
        for _ in range(50):
            key = _new_key()
            store.create(key, b"old", _TTL)

            def race(number: int, key: str = key) -> None:
                if number == 0:
                    store.remove(key)
                else:
                    store.replace(key, b"old", b"new", _TTL)

            _at_once(race)

            assert not store.exists(key)


def _at_once[Result](function: Callable[[int], Result]) -> list[Result]:
    start = threading.Barrier(_WRITERS)

    def wait_and_run(number: int) -> Result:
        start.wait()
        return function(number)

    with ThreadPoolExecutor(_WRITERS) as pool:
        return list(pool.map(wait_and_run, range(_WRITERS)))
