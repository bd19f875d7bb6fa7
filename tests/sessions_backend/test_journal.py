"""What the journal decides, call by call, with a store that stands for Redis."""

from typing import Any

import pytest
from django.conf import settings
from django.test import override_settings

from sessions_backend import budget, health, names, sealing
from sessions_backend.breaker import Breaker
from sessions_backend.copies import Copies
from sessions_backend.exceptions import StorageUnavailable
from sessions_backend.journal import REVOKED, Journal, merged_records
from sessions_backend.stores.base import Entry, Replacement, Stored, Unreadable
from sessions_backend.stores.local import LocalStore

TTL = 600
OLD, NEW, THEIRS = b'{"a":1}', b'{"a":1,"b":2}', b'{"a":1,"c":3}'
BOTH = b'{"a":1,"c":3,"b":2}'
TOO_BUSY = r"^Too many requests write this session at once\.$"
FULL = r"^Redis is away, and the journal is full\.$"
NEVER_SEEN = r"^Redis is away, and this session was never seen here\.$"


@pytest.fixture
def key():
    return names.record_key("a-session-of-somebody")


@pytest.fixture
def other_key():
    return names.record_key("a-session-of-another")


@pytest.fixture
def label():
    return names.label_key("issuer|sid")


@pytest.fixture
def redis():
    """Any store does as Redis here: it keeps the same contract."""
    return LocalStore()


@pytest.fixture
def copies():
    return Copies(most=100, most_bytes=10_000, age_seconds=3600)


@pytest.fixture
def breaker():
    return Breaker()


@pytest.fixture
def make(copies, breaker):
    def made(local=None, *, most=10, most_bytes=1000):
        local = local or LocalStore()
        return Journal(local, copies, breaker, most=most, most_bytes=most_bytes)

    return made


@pytest.fixture
def journal(make):
    return make()


def seen(key, raw, redis, copies):
    redis.create(key, raw, TTL)
    copies.note(key, raw, TTL)


def settle(journal, redis, *, is_emptied=False):
    for key in journal.changed_keys():
        journal.settle(key, redis, is_emptied=is_emptied)
    assert len(journal) == 0
    assert journal.size_in_bytes == 0


def raw_of(stored):
    return None if stored is None else stored.raw


class TestWhatWasNeverSeen:
    @pytest.mark.parametrize(
        "ask",
        [
            lambda journal, key: journal.load(key),
            lambda journal, key: journal.replace(key, None, NEW, TTL),
            lambda journal, key: journal.renew(key, TTL),
            lambda journal, key: journal.take(key),
        ],
        ids=["load", "replace", "renew", "take"],
    )
    def test_is_not_taken_for_missing(self, journal, key, ask):
        with budget.of_one_request() as spent:
            with pytest.raises(StorageUnavailable, match=NEVER_SEEN):
                ask(journal, key)
            assert spent.outage is not None
        assert key not in journal
        assert len(journal) == 0

    def test_can_be_ended(self, journal, key, redis):
        redis.create(key, OLD, TTL)

        assert journal.remove(key)
        assert not journal.remove(key)
        assert journal.load(key) is None

        settle(journal, redis)
        assert redis.load(key) is None

    def test_can_be_begun(self, journal, key, redis):
        assert journal.create(key, NEW, TTL)
        assert not journal.create(key, OLD, TTL)
        assert raw_of(journal.load(key)) == NEW

        settle(journal, redis)
        assert raw_of(redis.load(key)) == NEW

    def test_is_believed_to_who_has_loaded_it_a_moment_ago(self, journal, key, redis):
        redis.create(key, OLD, TTL)

        assert journal.replace(key, OLD, NEW, TTL) is Replacement.DONE
        assert raw_of(journal.load(key)) == NEW

        redis.replace(key, OLD, THEIRS, TTL)
        settle(journal, redis)
        assert raw_of(redis.load(key)) == BOTH

    def test_of_an_id_just_rotated_is_missing(self, journal, key):
        assert journal.load(names.superseded_key(key)) is None


class TestWhatWasSeen:
    @pytest.fixture(autouse=True)
    def _seen(self, key, redis, copies):
        seen(key, OLD, redis, copies)

    def test_goes_on(self, journal, key):
        assert raw_of(journal.load(key)) == OLD
        assert key not in journal
        assert not journal.create(key, NEW, TTL)

    def test_is_changed_here_and_then_there(self, journal, key, redis, copies):
        assert journal.replace(key, OLD, NEW, TTL) is Replacement.DONE
        assert key in journal
        assert journal.size_in_bytes == len(NEW)
        assert raw_of(journal.load(key)) == NEW
        assert raw_of(redis.load(key)) == OLD

        settle(journal, redis)
        assert raw_of(redis.load(key)) == NEW
        assert raw_of(copies.get(key, away_since=0)) == NEW

    def test_a_writer_that_was_faster_is_told_of(self, journal, key):
        journal.replace(key, OLD, THEIRS, TTL)

        assert journal.replace(key, OLD, NEW, TTL) == THEIRS

    def test_is_merged_with_what_others_have_stored(self, journal, key, redis, copies):
        journal.replace(key, OLD, NEW, TTL)
        redis.replace(key, OLD, THEIRS, TTL)

        settle(journal, redis)

        assert raw_of(redis.load(key)) == BOTH
        assert raw_of(copies.get(key, away_since=0)) == BOTH

    def test_takes_away_from_what_others_have_stored(self, journal, key, redis):
        journal.replace(key, OLD, b'{"b":2}', TTL)
        redis.replace(key, OLD, THEIRS, TTL)

        settle(journal, redis)

        assert raw_of(redis.load(key)) == b'{"c":3,"b":2}'

    def test_stays_ended_if_others_ended_it(self, journal, key, redis, copies):
        journal.replace(key, OLD, NEW, TTL)
        redis.remove(key)

        settle(journal, redis)

        assert redis.load(key) is None
        assert key not in copies

    def test_is_not_written_if_it_was_only_renewed(self, journal, key, redis):
        redis.renew(key, 30)
        assert journal.renew(key, TTL)
        redis.replace(key, OLD, THEIRS, 30)

        settle(journal, redis)

        stored = redis.load(key)
        assert stored.raw == THEIRS
        assert stored.remaining > 30

    def test_that_was_only_renewed_is_still_known(self, journal, key, redis, copies):
        journal.renew(key, TTL, listed_in="sessions:user:luigi")

        settle(journal, redis)

        assert raw_of(copies.get(key, away_since=0)) == OLD
        assert redis.listed("sessions:user:luigi") == [names.name_of(key)]

    def test_renewed_and_ended_by_others_stays_ended(self, journal, key, redis, copies):
        journal.renew(key, TTL)
        redis.remove(key)

        settle(journal, redis)

        assert redis.load(key) is None
        assert key not in copies

    def test_that_is_ended_here_can_neither_be_changed_nor_renewed(
        self, journal, key, redis, copies
    ):
        assert journal.take(key) == OLD
        assert journal.take(key) is None
        assert journal.replace(key, OLD, NEW, TTL) is Replacement.GONE
        assert not journal.renew(key, TTL)
        # What is refused takes no room.
        assert journal.size_in_bytes == 0
        assert key not in copies
        redis.replace(key, OLD, THEIRS, TTL)

        settle(journal, redis)

        assert redis.load(key) is None

    def test_that_is_ended_here_can_be_begun_anew(self, journal, key, redis):
        journal.remove(key)

        assert journal.create(key, NEW, TTL)
        assert journal.replace(key, NEW, THEIRS, TTL) is Replacement.DONE
        assert raw_of(journal.load(key)) == THEIRS

        settle(journal, redis)
        assert raw_of(redis.load(key)) == THEIRS

    def test_that_is_begun_anew_while_redis_hears_of_its_end_is_kept(
        self, journal, key, redis, monkeypatch
    ):
        journal.remove(key)
        remove = redis.remove

        def removed(which):
            assert journal.create(which, NEW, TTL)
            return remove(which)

        monkeypatch.setattr(redis, "remove", removed)
        journal.settle(key, redis, is_emptied=False)

        assert raw_of(journal.load(key)) == NEW
        settle(journal, redis)
        assert raw_of(redis.load(key)) == NEW

    @pytest.mark.parametrize("then", ["replace", "renew", "nothing"])
    def test_that_is_begun_anew_has_nothing_of_what_it_was(
        self, journal, key, redis, then
    ):
        redis.replace(key, None, b'{"former":1}', TTL)
        journal.remove(key)
        journal.create(key, NEW, TTL)
        if then == "replace":
            journal.replace(key, NEW, NEW, TTL)
        elif then == "renew":
            journal.renew(key, TTL)

        settle(journal, redis)

        assert raw_of(redis.load(key)) == NEW

    def test_that_is_begun_anew_in_the_place_of_the_former_is_listed(
        self, journal, key, redis
    ):
        journal.remove(key)
        journal.create(key, NEW, TTL, listed_in="sessions:user:luigi")

        settle(journal, redis)

        assert redis.listed("sessions:user:luigi") == [names.name_of(key)]

    def test_that_was_changed_and_ended_here_can_be_begun_anew(self, journal, key):
        journal.replace(key, OLD, NEW, TTL)
        journal.remove(key)

        assert journal.create(key, THEIRS, TTL)

        assert raw_of(journal.load(key)) == THEIRS

    def test_that_is_ended_is_remembered_to_have(self, journal, key, other_key):
        assert not journal.has_ended(key)
        journal.remove(key)
        journal.note_ended(other_key)

        assert journal.has_ended(key)
        assert journal.has_ended(other_key)

    def test_that_is_begun_anew_is_there_whatever_became_of_it(
        self, journal, key, redis
    ):
        journal.remove(key)
        journal.create(key, NEW, TTL, listed_in="sessions:user:luigi")
        redis.remove(key)

        settle(journal, redis)

        assert raw_of(redis.load(key)) == NEW
        assert redis.listed("sessions:user:luigi") == [names.name_of(key)]

    def test_is_given_back_to_a_redis_that_is_empty(self, journal, key, redis):
        journal.replace(key, OLD, NEW, TTL, listed_in="sessions:user:luigi")
        redis.remove(key)

        settle(journal, redis, is_emptied=True)

        assert raw_of(redis.load(key)) == NEW
        assert redis.listed("sessions:user:luigi") == [names.name_of(key)]

    def test_takes_away_from_what_others_have_given_back(self, journal, key, redis):
        """What it was before the outage tells a removal from an addition."""
        journal.replace(key, OLD, b'{"b":2}', TTL)
        redis.replace(key, OLD, THEIRS, TTL)

        settle(journal, redis, is_emptied=True)

        assert raw_of(redis.load(key)) == b'{"c":3,"b":2}'

    def test_lives_as_long_as_it_was_told_here(self, journal, key, redis):
        journal.replace(key, OLD, NEW, 1)

        settle(journal, redis)

        assert redis.load(key).remaining <= 1

    def test_is_added_to_what_others_have_given_back(self, journal, key, redis):
        journal.replace(key, OLD, NEW, TTL)
        redis.replace(key, OLD, THEIRS, TTL)

        settle(journal, redis, is_emptied=True)

        assert raw_of(redis.load(key)) == BOTH

    def test_is_ended_when_another_process_says_so(self, journal, key, redis, copies):
        journal.replace(key, OLD, NEW, TTL)

        journal.note_ended(key)

        assert key not in copies
        assert journal.load(key) is None
        settle(journal, redis)
        assert redis.load(key) is None

    def test_unchanged_is_forgotten_when_another_process_ends_it(self, journal, key):
        journal.note_ended(key)

        assert key not in journal
        with pytest.raises(StorageUnavailable):
            journal.load(key)

    def test_goes_on_under_another_key(self, journal, key, redis):
        new = Entry(names.record_key("w" * 40), NEW, TTL)
        left = Entry(names.superseded_key(key), b"{}", 10)

        assert journal.rotate(key, new, leaving=left, listed_in="mine") == (OLD, True)

        assert journal.load(key) is None
        assert raw_of(journal.load(new.key)) == NEW
        assert raw_of(journal.load(left.key)) == b"{}"
        settle(journal, redis)
        assert redis.load(key) is None
        assert raw_of(redis.load(new.key)) == NEW
        assert redis.listed("mine") == [names.name_of(new.key)]

    def test_that_nobody_here_knows_goes_on_nowhere(self, journal):
        new = Entry(names.record_key("w" * 40), NEW, TTL)

        with pytest.raises(StorageUnavailable):
            journal.rotate(names.record_key("x" * 40), new)

        assert new.key not in journal

    def test_is_among_the_known_records_until_it_is_ended(self, journal, key, label):
        journal.claim(label, b"some-session", TTL)
        assert list(journal.known_records()) == [key]
        assert journal.known_records()[key].raw == OLD

        journal.remove(key)
        assert journal.known_records() == {}

    def test_is_not_known_when_it_is_over(self, make, key):
        local = LocalStore()
        journal = make(local)
        journal.replace(key, OLD, NEW, TTL)
        local.remove(key)
        journal._copies.forget(key)

        assert journal.known_records() == {}


class TestALabel:
    def test_leads_where_it_was_claimed_for(self, journal, label, redis):
        assert journal.claim(label, b"mine", TTL) == b"mine"
        assert journal.claim(label, b"another", TTL) == b"mine"

        settle(journal, redis)
        assert raw_of(redis.load(label)) == b"mine"

    def test_that_others_have_revoked_ends_what_was_claimed(
        self, journal, label, redis
    ):
        mine = names.record_key("mine-of-this-process")
        redis.create(mine, OLD, TTL)
        redis.put(label, REVOKED, TTL)
        journal.claim(label, b"mine-of-this-process", TTL)

        settle(journal, redis)

        assert raw_of(redis.load(label)) == REVOKED
        assert redis.load(mine) is None

    def test_that_others_have_led_elsewhere_goes_to_the_later(
        self, journal, label, redis
    ):
        redis.claim(label, b"theirs", TTL)
        journal.claim(label, b"mine", TTL)

        settle(journal, redis)

        assert raw_of(redis.load(label)) == b"mine"

    def test_that_is_revoked_unseen_is_noted_and_said(self, journal, label, redis):
        theirs = names.record_key("theirs-of-another-process")
        redis.create(theirs, OLD, TTL)
        redis.claim(label, b"theirs-of-another-process", TTL)

        with pytest.raises(StorageUnavailable):
            journal.put(label, REVOKED, TTL)

        settle(journal, redis)
        assert raw_of(redis.load(label)) == REVOKED
        assert redis.load(theirs) is None

    def test_that_is_led_elsewhere_ends_nothing(self, journal, label, redis, copies):
        """Only a revocation ends the session that a label leads to."""
        mine = names.record_key("mine-of-this-process")
        redis.create(mine, OLD, TTL)
        seen(label, b"mine-of-this-process", redis, copies)
        journal.put(label, b"another-of-this-process", TTL)
        assert label not in copies

        settle(journal, redis)

        assert raw_of(redis.load(label)) == b"another-of-this-process"
        assert redis.exists(mine)

    def test_leads_there_as_long_as_it_was_told(self, journal, label, redis, copies):
        seen(label, b"mine", redis, copies)
        journal.put(label, b"another", 1)

        settle(journal, redis)

        assert redis.load(label).remaining <= 1

    def test_that_was_ended_here_can_be_claimed_and_put_anew(
        self, journal, label, redis, copies
    ):
        seen(label, b"former", redis, copies)
        journal.remove(label)
        assert journal.claim(label, b"mine", TTL) == b"mine"
        assert raw_of(journal.load(label)) == b"mine"

        journal.remove(label)
        with pytest.raises(StorageUnavailable):
            journal.put(label, b"another", TTL)
        assert raw_of(journal.load(label)) == b"another"

        settle(journal, redis)
        assert raw_of(redis.load(label)) == b"another"

    def test_put_returns_what_was_seen(self, journal, label, redis, copies):
        seen(label, b"mine", redis, copies)

        assert journal.put(label, b"another", TTL) == b"mine"
        assert raw_of(journal.load(label)) == b"another"

        settle(journal, redis)
        assert raw_of(redis.load(label)) == b"another"

    def test_revoked_elsewhere_is_only_no_longer_known(self, journal, label):
        journal.claim(label, b"mine", TTL)

        journal.note_ended(label)

        assert raw_of(journal.load(label)) == b"mine"


class TestItsBounds:
    def test_so_many_ends_are_remembered(self, journal, key, monkeypatch):
        monkeypatch.setattr("sessions_backend.journal._MOST_ENDED", 2)
        for number in range(3):
            journal.remember_ended(f"{key}-{number}")

        assert not journal.has_ended(f"{key}-0")
        assert journal.has_ended(f"{key}-1")
        assert journal.has_ended(f"{key}-2")

    def test_what_a_full_journal_refused_lives_no_longer(self, make, key, copies):
        journal = make(most=1)
        journal.create(f"{key}-2", NEW, TTL)
        copies.note(key, OLD, 1.9)

        with pytest.raises(StorageUnavailable, match=FULL):
            journal.replace(key, OLD, NEW, TTL)

        assert raw_of(journal.load(key)) == OLD
        assert journal.load(key).remaining <= 1

    def test_a_logout_takes_no_room(self, journal, key):
        journal.remove(key)

        assert len(journal) == 1
        assert journal.size_in_bytes == 0

    def test_a_full_journal_takes_no_more_changes_but_logouts(self, make, key):
        journal = make(most=2)
        for number in range(2):
            assert journal.create(f"{key}-{number}", NEW, TTL)

        with pytest.raises(StorageUnavailable, match=FULL):
            journal.create(key, NEW, TTL)
        # What is in it already may go on changing.
        assert journal.replace(f"{key}-0", NEW, OLD, TTL) is Replacement.DONE
        assert journal.remove(key)
        assert journal.remove(f"{key}-more")
        with pytest.raises(StorageUnavailable, match=FULL):
            journal.remove(f"{key}-too-many")

    def test_bytes_are_counted_as_they_are_now(self, make, key):
        journal = make(most_bytes=2 * len(NEW))
        journal.create(f"{key}-0", OLD, TTL)
        journal.replace(f"{key}-0", OLD, NEW, TTL)
        assert journal.size_in_bytes == len(NEW)
        journal.renew(f"{key}-0", TTL)
        assert journal.size_in_bytes == len(NEW)

        journal.create(f"{key}-1", NEW, TTL)
        assert journal.size_in_bytes == 2 * len(NEW)
        with pytest.raises(StorageUnavailable, match=FULL):
            journal.create(f"{key}-2", b"1", TTL)
        assert len(journal) == 2


class TestSettling:
    def test_of_what_is_not_in_it_does_nothing(self, journal, key, redis):
        journal.settle(key, redis, is_emptied=False)

        assert redis.load(key) is None

    def test_keeps_a_change_that_redis_did_not_hear(self, journal, key, copies, redis):
        seen(key, OLD, redis, copies)
        journal.replace(key, OLD, NEW, TTL)

        class Away(LocalStore):
            def replace(self, *_, **__):
                raise StorageUnavailable("away again")

        with pytest.raises(StorageUnavailable):
            journal.settle(key, Away(), is_emptied=False)

        assert key in journal
        settle(journal, redis)
        assert raw_of(redis.load(key)) == NEW

    def test_loses_no_change_that_is_made_meanwhile(self, journal, key, copies):
        class Slow(LocalStore):
            def replace(self, key, expected, raw, *rest, **named):
                if raw == NEW:
                    journal.replace(key, NEW, b'{"a":1,"b":2,"d":4}', TTL)
                return super().replace(key, expected, raw, *rest, **named)

        redis = Slow()
        seen(key, OLD, redis, copies)
        journal.replace(key, OLD, NEW, TTL)

        journal.settle(key, redis, is_emptied=False)

        assert key in journal
        redis.replace(key, NEW, b'{"a":1,"b":2,"c":3}', TTL)
        settle(journal, redis)
        assert raw_of(redis.load(key)) == b'{"a":1,"b":2,"c":3,"d":4}'

    def test_knows_what_redis_has_heard_of_a_change_made_meanwhile(
        self, journal, key, copies
    ):
        """What it has heard and is taken away meanwhile is a removal."""

        class Slow(LocalStore):
            def replace(self, key, expected, raw, *rest, **named):
                if raw == NEW:
                    journal.replace(key, NEW, b'{"a":1,"d":4}', TTL)
                return super().replace(key, expected, raw, *rest, **named)

        redis = Slow()
        seen(key, OLD, redis, copies)
        journal.replace(key, OLD, NEW, TTL)

        journal.settle(key, redis, is_emptied=False)
        settle(journal, redis)

        assert raw_of(redis.load(key)) == b'{"a":1,"d":4}'

    def test_gives_up_on_a_record_that_is_written_all_the_time(
        self, journal, key, copies
    ):
        tries = []

        class Busy(LocalStore):
            def replace(self, *_, **__):
                tries.append(1)
                return THEIRS

        redis = Busy()
        seen(key, OLD, redis, copies)
        journal.replace(key, OLD, NEW, TTL)

        with pytest.raises(StorageUnavailable, match=TOO_BUSY):
            journal.settle(key, redis, is_emptied=False)
        assert len(tries) == 16
        assert key in journal

    def test_writes_over_a_damaged_record(self, journal, key, copies, redis):
        seen(key, OLD, redis, copies)
        journal.replace(key, OLD, NEW, TTL)
        redis.replace(key, OLD, b"damaged", TTL)

        settle(journal, redis)

        assert raw_of(redis.load(key)) == NEW


class TestWhatIsLeftOfASettledChange:
    def test_is_nothing_in_memory_of_its_own(self, make, key, redis):
        local: Any = LocalStore()
        journal = make(local)
        assert journal.keeps_own_memory
        ended = f"{key}-ended"
        journal.create(key, NEW, TTL)
        journal.remove(ended)
        journal.create(f"{key}-lease", NEW, TTL)

        settle(journal, redis)

        assert list(local.keys("", limit=10)) == []

    def test_is_no_copy_of_what_is_over_by_now(self, make, key, redis, copies):
        local: Any = LocalStore()
        journal = make(local)
        seen(key, OLD, redis, copies)
        journal.replace(key, OLD, NEW, TTL)
        local.remove(key)

        settle(journal, redis)

        assert key not in copies
        assert raw_of(redis.load(key)) == OLD

    def test_is_no_base_where_it_was_over_and_written_anew(
        self, make, key, redis, copies
    ):
        """What is written while an ended entry is settled has the former base."""
        local: Any = LocalStore()
        journal = make(local)
        seen(key, OLD, redis, copies)
        journal.replace(key, OLD, NEW, TTL)
        local.remove(key)
        load = local.load

        def late(name):
            found = load(name)
            if name == key:
                local.load = load
                local.put(key, NEW, TTL)
                journal.renew(key, TTL)
            return found

        local.load = late

        journal.settle(key, redis, is_emptied=False)

        assert key in journal
        settle(journal, redis)
        assert raw_of(redis.load(key)) == NEW

    def test_is_nothing_where_something_else_stands_in_its_place(
        self, journal, key, copies
    ):
        """As where a key of that name holds a list."""

        class Strange(LocalStore):
            def create(self, *_, **__):
                return False

            def load(self, key):
                return Unreadable("WRONGTYPE")

        journal.create(key, NEW, TTL)

        settle(journal, Strange())

        assert key not in copies

    def test_is_what_redis_holds_then(self, journal, key, redis, copies):
        journal.create(key, NEW, TTL, listed_in="sessions:user:luigi")

        settle(journal, redis)

        assert raw_of(copies.get(key, away_since=0)) == NEW
        assert TTL - 5 < copies.get(key, away_since=0).remaining <= TTL
        assert redis.listed("sessions:user:luigi") == [names.name_of(key)]

    def test_of_a_lease_is_nothing_anywhere(self, journal, redis):
        lease = names.lease_key("refresh")
        journal.claim(lease, b"mine", TTL)

        settle(journal, redis)

        assert redis.load(lease) is None


class TestSealedRecords:
    """A seal holds for one record's key and no other."""

    @pytest.fixture
    def sealed(self, key):
        with override_settings(
            SESSION_SEALING_KEYS=["A" * 43], SESSION_SEALED_MEMBERS=["cart"]
        ):

            def sealed(**cart):
                return sealing.seals().encode({"cart": cart}, key)

            yield sealed

    def test_are_merged_and_sealed_anew(self, sealed, key):
        base = Stored(sealed(a=1, gone=1), TTL)
        earlier, later = sealed(a=1, gone=1, c=3), sealed(a=1, b=2)

        merged = merged_records(key, base, earlier, later)

        assert b'"c"' not in merged
        read = sealing.seals().decode(merged, key)
        assert read["cart"] == {"a": 1, "b": 2, "c": 3}

    def test_are_settled(self, sealed, journal, key, redis, copies):
        for is_emptied in (False, True):
            base = sealed(a=1)
            redis.put(key, base, TTL)
            copies.note(key, base, TTL)
            journal.replace(key, base, sealed(a=1, b=2), TTL)
            redis.replace(key, None, sealed(a=1, c=3), TTL)

            settle(journal, redis, is_emptied=is_emptied)

            read = sealing.seals().decode(redis.load(key).raw, key)
            assert read["cart"] == {"a": 1, "b": 2, "c": 3}


class TestItsSize:
    def test_is_told_to_who_watches(self, journal, key, redis):
        journal.create(key, NEW, TTL)
        assert health.values()["journal_changes"] == 1
        assert health.values()["journal_bytes"] == len(NEW)

        settle(journal, redis)
        assert health.values()["journal_changes"] == 0
        assert health.values()["journal_bytes"] == 0

    def test_is_that_of_all_keys(self, journal, key):
        journal.create(key, NEW, TTL)
        journal.create(f"{key}-2", OLD, TTL)
        journal.claim(names.label_key("one"), b"12345", TTL)
        with pytest.raises(StorageUnavailable):
            journal.put(names.label_key("two"), b"1234567", TTL)

        assert journal.size_in_bytes == len(NEW) + len(OLD) + 5 + 7
        journal.remove(key)
        # Counted as it was: a logout is not to make room for nothing.
        assert journal.size_in_bytes == len(NEW) + len(OLD) + 5 + 7
        assert len(journal) == 4


class TestASharedFallback:
    """Two processes without Redis, and a cache of Django's between them."""

    @pytest.fixture(autouse=True)
    def _files(self, tmp_path):
        files = {
            "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
            "LOCATION": str(tmp_path),
        }
        with override_settings(CACHES={**settings.CACHES, "files": files}):
            yield

    @pytest.fixture
    def process(self):
        """Make another process: it shares the files and nothing else."""

        def made():
            copies, breaker = Copies(most=9, most_bytes=999, age_seconds=60), Breaker()
            # They lost Redis before anything was written here.
            breaker.last_success -= 60
            shared = LocalStore("files")
            return Journal(shared, copies, breaker, most=10, most_bytes=1000)

        return made

    def test_is_none_of_its_own(self, process):
        assert not process().keeps_own_memory

    def test_shows_what_another_has_written(self, process, key):
        one, other = process(), process()
        one.create(key, NEW, TTL)

        assert raw_of(other.load(key)) == NEW
        assert other.replace(key, NEW, BOTH, TTL) is Replacement.DONE
        assert raw_of(one.load(key)) == BOTH

    def test_keeps_what_is_settled_for_who_is_still_without_redis(
        self, process, key, redis
    ):
        one, other = process(), process()
        one.create(key, NEW, TTL)
        ended = f"{key}-ended"
        one.remove(ended)

        settle(one, redis)

        local: Any = LocalStore("files")
        assert raw_of(other.load(key)) == NEW
        assert local.load(key).remaining <= 30
        # What Redis has heard is the base of what the other may write now.
        base = local.load(f"sessions:base:{key}")
        assert base.raw == NEW
        assert 0 < base.remaining <= 30
        assert other.load(ended) is None
        assert 0 < local.load(f"sessions:gone:{ended}").remaining <= 30
        assert not local.exists(f"sessions:base:{ended}")

    def test_lets_the_other_go_on_from_what_redis_has_heard(self, process, key, redis):
        one, other = process(), process()
        one.create(key, OLD, TTL)
        settle(one, redis)
        other.replace(key, OLD, NEW, TTL)
        redis.replace(key, OLD, THEIRS, TTL)

        settle(other, redis)

        assert raw_of(redis.load(key)) == BOTH

    def test_takes_what_another_has_left_there_for_old(self, process, key):
        """An entry from before this process has last heard of Redis."""
        one, other = process(), process()
        one.create(key, OLD, TTL)
        other._breaker.note_success()

        with pytest.raises(StorageUnavailable):
            other.load(key)

    def test_keeps_the_base_of_who_changed_it_first(self, process, key, redis):
        one, other = process(), process()
        for journal in (one, other):
            journal._copies.note(key, OLD, TTL)
        redis.create(key, OLD, TTL)
        one.replace(key, OLD, NEW, TTL)
        other.replace(key, NEW, b'{"a":1,"b":2,"d":4}', TTL)
        redis.replace(key, OLD, THEIRS, TTL)

        settle(other, redis)

        assert raw_of(redis.load(key)) == b'{"a":1,"c":3,"b":2,"d":4}'
