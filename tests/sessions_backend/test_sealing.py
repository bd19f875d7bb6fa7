"""Sealed members: unreadable in Redis, the same as ever for who holds the keys."""

import base64
import json
import secrets
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.sessions.backends.base import UpdateError
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from sessions_backend import conf, failover, health, names, operators, record, sealing
from sessions_backend.engine import SessionStore
from sessions_backend.exceptions import DamagedRecord, UnstorableValue
from sessions_backend.stores.base import Blocking
from sessions_backend.stores.threads import BlockingTransport
from tests.sessions_backend.conftest import caches_with
from tests.sessions_backend.test_record import records

PREFIX = "mario_session:"
FIRST, SECOND, THIRD = (
    base64.urlsafe_b64encode(bytes([number]) * 32).decode() for number in (1, 2, 3)
)
TOKENS = {"access_token": "secret-access", "refresh_token": "secret-refresh", "n": 1}


@pytest.fixture(autouse=True)
def _with_a_key():
    with override_settings(SESSION_SEALING_KEYS=[FIRST]):
        yield


def new_session(**data):
    session = SessionStore()
    session.update({"tokens": dict(TOKENS), "cart": {"a": 1}, **data})
    session.save()
    return session


@pytest.fixture
def session():
    return new_session()


def opened(session):
    return SessionStore(session.session_key)


def stored(session):
    held: Any = failover.store().load(names.record_key(session.session_key))
    return json.loads(held.raw)


def seconds_left(session):
    held: Any = failover.store().load(names.record_key(session.session_key))
    return held.remaining


def write(session, held):
    key = names.record_key(session.session_key)
    failover.store().put(key, json.dumps(held).encode(), 100)


@pytest.mark.usefixtures("any_store")
class TestASealedMember:
    def test_cannot_be_read_where_it_is_stored(self, session):
        held = stored(session)

        assert held["tokens"].startswith("sealed.1.")
        assert "secret" not in json.dumps(held)
        assert held["cart"] == {"a": 1}
        assert list(held)[:2] == ["tokens", "cart"]
        assert opened(session)["tokens"] == TOKENS

    def test_that_did_not_change_keeps_its_bytes(self, session):
        before = stored(session)
        request = opened(session)
        assert request["tokens"] == TOKENS
        assert not request.modified
        request["cart"]["b"] = 1
        request.save()

        assert stored(session)["tokens"] == before["tokens"]
        # Another order of its keys is no change, either.
        request["tokens"] = dict(reversed(TOKENS.items()))
        request.save()
        assert stored(session)["tokens"] == before["tokens"]

    @override_settings(SESSION_SAVE_EVERY_REQUEST=True)
    def test_is_opened_where_every_request_saves(self, session):
        seal = stored(session)["tokens"]
        for _ in range(2):
            request = opened(session)
            assert request["tokens"] == TOKENS
            request.save()

        assert stored(session)["tokens"] == seal

    def test_that_changed_is_sealed_anew(self, session):
        before = stored(session)
        request = opened(session)
        request["tokens"]["n"] = 2

        assert request.modified
        request.save()

        assert stored(session)["tokens"] != before["tokens"]
        assert opened(session)["tokens"] == {**TOKENS, "n": 2}

    def test_is_never_sealed_the_same_twice(self):
        assert stored(new_session())["tokens"] != stored(new_session())["tokens"]

    def test_of_another_record_is_refused(self, session):
        luigi = new_session(tokens={"access_token": "of-luigi"})
        write(session, {**stored(session), "tokens": stored(luigi)["tokens"]})

        assert opened(session).load() == {}

    def test_of_another_member_is_refused(self, session):
        with override_settings(SESSION_SEALED_MEMBERS=["tokens", "cart"]):
            other = new_session()
            held = stored(other)
            write(other, {**held, "cart": held["tokens"], "tokens": held["cart"]})

            assert opened(other).load() == {}

    def test_is_bound_to_the_new_id_of_a_rotated_session(self, session):
        request = opened(session)

        request.cycle_key()

        assert opened(request)["tokens"] == TOKENS
        assert opened(request)["cart"] == {"a": 1}

    def test_merges_as_it_would_without_a_seal(self):
        with override_settings(SESSION_SEALED_MEMBERS=["tokens", "cart"]):
            session = new_session()
            slow, fast = opened(session), opened(session)
            slow["cart"]["slow"] = 1
            fast["cart"]["fast"] = 1
            fast["tokens"]["n"] = 2

            fast.save()
            slow.save()

            assert opened(session)["cart"] == {"a": 1, "fast": 1, "slow": 1}
            assert opened(session)["tokens"]["n"] == 2
            assert isinstance(stored(session)["cart"], str)

    def test_taken_from_a_faster_writer_keeps_that_ones_seal(self, session):
        slow, fast = opened(session), opened(session)
        slow["seen"] = True
        fast["tokens"]["n"] = 2
        fast.save()
        seal = stored(session)["tokens"]

        slow.save()

        assert stored(session)["tokens"] == seal
        assert slow["tokens"]["n"] == 2

    def test_follows_a_rotation_into_what_the_old_id_may_still_see(self):
        with override_settings(SESSION_SEALED_MEMBERS=["cart"]):
            session = new_session()
            slow, later = opened(session), opened(session)
            slow["cart"]["slow"] = 1

            session.cycle_key()

            left: Any = failover.store().load(names.superseded_key(slow._key()))
            assert json.loads(left.raw)["data"]["cart"].startswith("sealed.1.")
            slow.save()
            assert later["cart"] == {"a": 1}
            assert not later.modified
            assert opened(session)["cart"] == {"a": 1, "slow": 1}

    def test_in_many_writers_loses_nothing(self, session):
        start = threading.Barrier(8)

        def write_one(number):
            request = opened(session)
            request["cart"][str(number)] = number
            start.wait()
            request.save()

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(write_one, range(8)))

        assert len(opened(session)["cart"]) == 9
        assert opened(session)["tokens"] == TOKENS

    def test_refuses_what_json_cannot_hold_with_its_keys_name(self, session):
        request = opened(session)
        request["tokens"]["at"] = {1, 2}

        assert request.modified
        with pytest.raises(UnstorableValue, match=r"\['tokens'\]\['at'\]"):
            request.save()

    def test_that_only_looks_like_a_seal_is_kept_as_it_is(self):
        session = new_session(note="sealed.1.00000000.AAAA", tokens="sealed.1.")

        assert opened(session)["note"] == "sealed.1.00000000.AAAA"
        assert opened(session)["tokens"] == "sealed.1."


class TestWhatCannotBeOpened:
    @pytest.mark.parametrize(
        "spoil",
        [
            lambda seal: seal[:-1],
            lambda seal: seal[:-4] + "AAAA",
            lambda seal: seal + "!",
            lambda seal: "sealed.1.",
            lambda seal: seal[:18] + "A",
            lambda seal: seal.replace(".1.", ".1.0", 1)[: len(seal)],
        ],
        ids=["shorter", "changed", "odd sign", "empty", "no nonce", "another key"],
    )
    def test_is_kept_aside_and_counted(self, session, spoil, redis_client):
        held = stored(session)
        write(session, {**held, "tokens": spoil(held["tokens"])})
        before = health.counts().get("damaged_records", 0)

        assert opened(session).load() == {}

        assert health.counts()["damaged_records"] == before + 1
        (kept,) = redis_client.keys("sessions:damaged:*")
        assert json.loads(redis_client.get(kept))["cart"] == {"a": 1}
        assert redis_client.keys(f"{PREFIX}*") == []

    @pytest.mark.parametrize("keys", [[SECOND], []])
    def test_for_a_key_that_is_gone(self, session, keys, redis_client, caplog):
        with override_settings(SESSION_SEALING_KEYS=keys):
            assert opened(session).load() == {}

        assert len(redis_client.keys("sessions:damaged:*")) == 1
        assert FIRST not in caplog.text
        assert "seal" in caplog.text

    def test_of_the_record_that_goes_on_ends_a_slow_request(self, session):
        slow = opened(session)
        slow["cart"]["slow"] = 1
        session.cycle_key()
        write(session, {**stored(session), "tokens": "sealed.1.broken"})

        with pytest.raises(UpdateError):
            slow.save()

    def test_is_listed_as_damaged(self, session, capsys):
        write(session, {**stored(session), "tokens": "sealed.1.broken"})

        call_command("sessions", "list")

        assert "damaged" in capsys.readouterr().out


class TestReading:
    def test_what_was_stored_before_sealing_was_switched_on(self):
        with override_settings(SESSION_SEALING_KEYS=[]):
            session = new_session()
            assert stored(session)["tokens"] == TOKENS

        request = opened(session)
        assert request["tokens"] == TOKENS
        # It is sealed by the next request that uses it.
        assert request.modified
        request.save()
        assert isinstance(stored(session)["tokens"], str)

    def test_show_opens_and_masks(self, session, capsys):
        call_command("sessions", "show", session.session_key)

        out = capsys.readouterr().out
        assert json.loads(out)["tokens"] == {
            "access_token": "***",
            "refresh_token": "***",
            "n": 1,
        }
        assert "secret" not in out

    @given(records, st.sets(st.sampled_from("abcde")))
    def test_gives_back_whatever_was_sealed(self, held, members):
        ring = sealing._Ring((b"k" * 32,))
        seals = sealing.Seals(ring, tuple(members))

        raw = seals.encode(held, "key")

        read = sealing.Seals(ring, ()).decode(raw, "key")
        assert record.same(read, held)
        assert seals.encode(read, "key") == raw
        if members & held.keys():
            with pytest.raises(DamagedRecord):
                sealing.Seals(ring, ()).decode(raw, "another key")


class TestReseal:
    def test_seals_with_the_first_key_what_an_older_one_sealed(self, session, capsys):
        ttl = seconds_left(session)
        unchanged = new_session()
        with override_settings(SESSION_SEALING_KEYS=[SECOND, FIRST]):
            call_command("sessions", "reseal")
            assert "2 of 2 sessions were sealed anew" in capsys.readouterr().out
            call_command("sessions", "reseal")
            assert "0 of 2 sessions were sealed anew" in capsys.readouterr().out
        with override_settings(SESSION_SEALING_KEYS=[SECOND]):
            assert opened(session)["tokens"] == TOKENS
            assert opened(unchanged)["cart"] == {"a": 1}
            assert ttl - 5 < seconds_left(session) <= ttl

    def test_seals_what_was_stored_before_and_opens_what_shall_be_open(self, capsys):
        with override_settings(SESSION_SEALING_KEYS=[]):
            session = new_session()
        with override_settings(SESSION_SEALED_MEMBERS=["cart"]):
            call_command("sessions", "reseal")
            assert isinstance(stored(session)["cart"], str)
        with override_settings(SESSION_SEALED_MEMBERS=["tokens"]):
            call_command("sessions", "reseal")
            assert stored(session)["cart"] == {"a": 1}
            assert isinstance(stored(session)["tokens"], str)
        with override_settings(SESSION_SEALED_MEMBERS=[]):
            call_command("sessions", "reseal")
            assert stored(session)["tokens"] == TOKENS
        with override_settings(SESSION_SEALING_KEYS=[]):
            # The way out: nothing is sealed any more, so no key is needed.
            assert opened(session)["tokens"] == TOKENS

    def test_leaves_what_it_cannot_open_and_says_so(self, session, capsys):
        with (
            override_settings(SESSION_SEALING_KEYS=[SECOND]),
            pytest.raises(CommandError, match="1 sessions cannot be read"),
        ):
            call_command("sessions", "reseal")

        assert opened(session)["tokens"] == TOKENS

    def test_loses_nothing_of_a_writer_that_is_faster(self, session, monkeypatch):
        load_many = type(failover.store()).load_many
        late = iter([1])

        def with_a_writer(self, keys):
            found = load_many(self, keys)
            for _ in late:
                request = opened(session)
                request["cart"]["late"] = 1
                request.save()
            return found

        monkeypatch.setattr(type(failover.store()), "load_many", with_a_writer)
        with override_settings(SESSION_SEALING_KEYS=[SECOND, FIRST]):
            assert operators.reseal() == operators.Resealed(1, 1, 0)

            assert opened(session)["cart"] == {"a": 1, "late": 1}

    def test_takes_few_round_trips_for_many(self, session, redis_client, monkeypatch):
        raw = json.dumps({"tokens": TOKENS})
        with redis_client.pipeline(transaction=False) as pipeline:
            for number in range(2000):
                pipeline.set(f"{PREFIX}session-{number:05}", raw, ex=900)
            pipeline.execute()
        sent = []
        exchange = BlockingTransport.exchange

        def counted(self, commands, *arguments, **options):
            sent.append(len(commands))
            return exchange(self, commands, *arguments, **options)

        monkeypatch.setattr(BlockingTransport, "exchange", counted)
        seen: list[int] = []

        assert operators.reseal(on_progress=seen.append).changed == 2000

        # Two for each 500, one to teach the script, and the search for keys.
        scans = sent.count(1)
        assert len(sent) - scans <= 2 * 5 + 1
        assert seen == [500, 1000, 1500, 2000, 2001]

    def test_under_steady_writing_nothing_is_lost(self, session):
        others = [new_session() for _ in range(20)]
        is_over = threading.Event()

        def keep_writing(one):
            count = 0
            while not is_over.is_set():
                request = opened(one)
                request["cart"][f"line-{count}"] = count
                request.save()
                count += 1
            return count

        # As it is to be done: everybody knows the new key before anybody uses it.
        with (
            override_settings(SESSION_SEALING_KEYS=[FIRST, SECOND]),
            ThreadPoolExecutor(4) as pool,
        ):
            writing = [pool.submit(keep_writing, one) for one in others[:4]]
            with override_settings(SESSION_SEALING_KEYS=[SECOND, FIRST]):
                for _ in range(5):
                    operators.reseal()
                is_over.set()
                counts = [one.result(10) for one in writing]

                for one, count in zip(others, counts, strict=False):
                    assert len(opened(one)["cart"]) == count + 1
                    assert opened(one)["tokens"] == TOKENS


def test_what_changes_in_an_outage_is_merged_in_the_open(valkey):
    members = ["tokens", "cart"]
    with override_settings(
        CACHES=caches_with(valkey.url), SESSION_SEALED_MEMBERS=members
    ):
        session = new_session()
        situation = failover.situation()
        assert situation is not None
        away = opened(session)
        away["cart"]["away"] = 1
        situation.breaker.open_at_start()
        away.save()
        situation.breaker.close()
        _write_past_the_journal(session)

        situation.recovery._return()

        assert opened(session)["cart"] == {"a": 1, "away": 1, "elsewhere": 1}
        assert isinstance(stored(session)["cart"], str)


def _write_past_the_journal(session):
    key = names.record_key(session.session_key)
    blocking: Any = failover.blocking()
    store: Any = Blocking(blocking._redis)
    seals = sealing.seals()
    held = store.load(key)
    elsewhere = seals.decode(held.raw, key)
    elsewhere["cart"] = {**elsewhere["cart"], "elsewhere": 1}
    store.replace(key, held.raw, seals.encode(elsewhere, key), 100)


class TestKeys:
    def test_may_be_as_secrets_makes_them(self):
        with override_settings(SESSION_SEALING_KEYS=[secrets.token_urlsafe(32)]):
            session = new_session()
            assert opened(session)["tokens"] == TOKENS

    @pytest.mark.parametrize("key", ["short", "", "é" * 43, "A" * 42, "*" * 43])
    def test_that_are_none_do_not_serve_and_are_not_told(self, key):
        with (
            override_settings(SESSION_SEALING_KEYS=[FIRST, key]),
            pytest.raises(ImproperlyConfigured, match="SESSION_SEALING_KEYS") as error,
        ):
            conf.load()
        assert not key or key not in str(error.value)

    def test_need_the_package_that_seals(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)

        with pytest.raises(ImproperlyConfigured, match=r"sessions-backend\[sealing\]"):
            sealing._Ring((b"k" * 32,))
