import asyncio
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.backends.base import CreateError, UpdateError
from django.test import RequestFactory, override_settings

from sessions_backend import failover, health, names, rotation
from sessions_backend.damaged import set_aside
from sessions_backend.engine import SessionStore
from sessions_backend.exceptions import (
    SessionTooLarge,
    StorageUnavailable,
    UnstorableValue,
)
from sessions_backend.stores.base import finish

PREFIX = "mario_session:"
DAY = 86400


def new_session():
    session = SessionStore()
    session["cart"] = {"a": 1}
    session.save()
    return session


@pytest.fixture
def stored_session():
    return new_session()


def opened(session):
    return SessionStore(session.session_key)


class TestTheRecord:
    def test_is_readable_json_under_the_prefix_and_the_id(self, redis_client):
        session = SessionStore()
        session["tokens"] = {"access_token": "ey"}
        session["user_info"] = {"name": "Peach 🍑"}
        session.save()

        raw = redis_client.get(f"{PREFIX}{session.session_key}")

        assert redis_client.keys(f"{PREFIX}*") == [f"{PREFIX}{session.session_key}"]
        assert json.loads(raw)["user_info"] == {"name": "Peach 🍑"}
        assert raw.startswith('{"tokens":{"access_token":"ey"},"user_info":')

    @override_settings(SESSION_COOKIE_AGE=DAY, SESSION_ABSOLUTE_AGE=7 * DAY)
    def test_lives_for_the_age_of_the_cookie(self, redis_client, stored_session):
        assert redis_client.ttl(PREFIX + stored_session.session_key) == DAY

    def test_ids_are_long_and_from_a_secret_source(self, stored_session):
        ids = {SessionStore()._get_new_session_key() for _ in range(1000)}

        assert len(ids) == 1000
        assert all(len(bytes.fromhex(session_id)) * 8 >= 128 for session_id in ids)

    @pytest.mark.usefixtures("any_store")
    @pytest.mark.parametrize(
        "session_id",
        [
            "",
            "short",
            "x" * 129,
            "../../etc/passwd",
            "ключ-ключ-ключ",
            "a b c d e f",
            "*" * 20,
            "abcdefgh\n",
            "mario_session:1",
            "١٢٣٤٥٦٧٨٩",
        ],
    )
    def test_a_crafted_id_is_no_id(self, session_id):
        session = SessionStore(session_id)

        assert session.session_key is None
        assert session.load() == {}
        session["cart"] = 1
        session.save()
        assert session.session_key != session_id

    @pytest.mark.usefixtures("any_store")
    def test_an_unknown_id_is_not_taken_over(self):
        session = SessionStore("chosen-by-an-attacker")
        session["cart"] = 1
        session.save()

        assert session.session_key != "chosen-by-an-attacker"


@pytest.mark.usefixtures("any_store")
class TestSave:
    def test_does_not_revive_a_session_deleted_meanwhile(self, stored_session):
        slow_request = opened(stored_session)
        slow_request["cart"] = {"b": 1}

        stored_session.delete()

        with pytest.raises(UpdateError):
            slow_request.save()
        assert not SessionStore().exists(stored_session.session_key)

    def test_does_not_revive_a_session_rotated_meanwhile(self, stored_session):
        slow_request = opened(stored_session)
        slow_request["cart"]["b"] = 1
        former_id = stored_session.session_key

        stored_session.cycle_key()
        slow_request.save()

        assert not SessionStore().exists(former_id)
        assert opened(stored_session)["cart"] == {"a": 1, "b": 1}

    @override_settings(SESSION_ROTATION_GRACE=0)
    def test_of_a_session_rotated_meanwhile_may_be_refused(self, stored_session):
        slow_request = opened(stored_session)
        slow_request["cart"] = {"b": 1}

        stored_session.cycle_key()

        with pytest.raises(UpdateError):
            slow_request.save()

    def test_of_an_unchanged_session_that_was_deleted_says_so(self, stored_session):
        slow_request = opened(stored_session)
        assert slow_request["cart"] == {"a": 1}

        stored_session.delete()

        with pytest.raises(UpdateError):
            slow_request.save()

    def test_of_a_session_that_never_was_says_so(self):
        with pytest.raises(UpdateError):
            SessionStore("never-was-there").save()

    def test_keeps_what_a_faster_request_has_changed(self, stored_session):
        slow_request = opened(stored_session)
        slow_request["cart"]["slow"] = 1
        fast_request = opened(stored_session)
        fast_request["cart"]["fast"] = 1
        fast_request["seen"] = True

        fast_request.save()
        slow_request.save()

        both = {"cart": {"a": 1, "fast": 1, "slow": 1}, "seen": True}
        assert dict(opened(stored_session).items()) == both
        assert dict(slow_request.items()) == both
        assert health.counts()["merged_saves"] > 0

    def test_keeps_the_object_that_the_view_still_holds(self, stored_session):
        slow_request = opened(stored_session)
        cart = slow_request["cart"]
        cart["slow"] = 1
        fast_request = opened(stored_session)
        fast_request["cart"]["fast"] = 1
        fast_request.save()
        slow_request.save()

        cart["later"] = 1
        slow_request.save()

        assert opened(stored_session)["cart"] == {
            "a": 1,
            "fast": 1,
            "slow": 1,
            "later": 1,
        }

    def test_notices_a_change_deep_inside(self, stored_session):
        request = opened(stored_session)
        assert not request.modified

        request["cart"]["deep"] = {"inside": [1]}

        assert request.modified
        request.save()
        assert not request.modified
        assert opened(stored_session)["cart"]["deep"] == {"inside": [1]}

    def test_notices_that_one_became_true(self, stored_session):
        request = opened(stored_session)

        request["cart"]["a"] = True

        assert request.modified

    def test_of_two_users_keeps_the_later_login(self, stored_session):
        slow_request = opened(stored_session)
        slow_request["_auth_user_id"] = "1"
        login = opened(stored_session)
        login["_auth_user_id"] = "2"
        login["cart"] = {"of": 2}

        slow_request.save()
        login.save()

        assert opened(stored_session)["cart"] == {"of": 2}
        assert opened(stored_session)["_auth_user_id"] == "2"

    def test_takes_another_layout_for_no_change(self, stored_session):
        present = json.loads(stored_session._raw)
        by_hand = json.dumps(dict(reversed(present.items())), indent=4).encode()
        key = stored_session._key()
        assert failover.store().put(key, by_hand, 100) == stored_session._raw

        request = opened(stored_session)

        assert request["cart"] == {"a": 1}
        assert not request.modified
        request["cart"]["b"] = 1
        request.save()
        assert opened(stored_session)["cart"] == {"a": 1, "b": 1}

    def test_refuses_what_json_cannot_hold_and_stores_nothing(self, stored_session):
        request = opened(stored_session)
        request["cart"]["at"] = datetime.now(UTC)

        assert request.modified
        with pytest.raises(UnstorableValue, match=r"\['cart'\]\['at'\]"):
            request.save()
        assert opened(stored_session)["cart"] == {"a": 1}

    @override_settings(SESSION_MOST_BYTES=2000)
    def test_refuses_what_is_too_large_and_names_its_largest_key(self, stored_session):
        request = opened(stored_session)
        request["notes"] = ["è" * 100] * 10
        request["cart"]["b"] = "x" * 500

        with pytest.raises(SessionTooLarge, match=r"2000.*'notes', with 20\d\d bytes"):
            request.save()

        assert opened(stored_session).load() == {"cart": {"a": 1}}
        del request["notes"]
        request.save()
        assert len(opened(stored_session)["cart"]["b"]) == 500

    def test_must_create_refuses_a_taken_id(self, stored_session):
        with pytest.raises(CreateError):
            opened(stored_session).save(must_create=True)

    def test_takes_another_id_where_one_is_taken(self, stored_session, monkeypatch):
        ids = iter([stored_session.session_key, "an-id-that-is-free"])
        session = SessionStore()
        monkeypatch.setattr(session, "_get_new_session_key", lambda: next(ids))

        session.create()

        assert session.session_key == "an-id-that-is-free"
        assert opened(stored_session)["cart"] == {"a": 1}

    def test_gives_up_when_others_never_stop(self, stored_session, monkeypatch):
        request = opened(stored_session)
        request["cart"]["b"] = 1
        tries = always_faster(monkeypatch)

        with pytest.raises(StorageUnavailable, match="Too many"):
            request.save()

        assert len(tries) == 64

    def test_that_ends_a_session_says_if_it_had_ended(self, stored_session):
        request = opened(stored_session)
        request.set_expiry(-1)
        late = opened(stored_session)
        late.set_expiry(-1)

        request.save()

        assert not SessionStore().exists(stored_session.session_key)
        with pytest.raises(UpdateError):
            late.save()

    def test_reads_again_what_is_stored_and_forgets_no_change(self, stored_session):
        request = opened(stored_session)
        request["cart"]["b"] = 1

        assert request.load() == {"cart": {"a": 1}}

        request.save()
        assert opened(stored_session)["cart"] == {"a": 1, "b": 1}

    def test_after_clear_replaces_everything(self, stored_session):
        request = opened(stored_session)
        request.clear()
        request["only"] = 1

        request.save()

        assert dict(opened(stored_session).items()) == {"only": 1}

    def test_keeps_integers_and_empty_lists_as_they_are(self, stored_session):
        request = opened(stored_session)
        request["big"] = 2**70
        request["none"] = []
        request.save()
        rival, slow = opened(stored_session), opened(stored_session)
        slow["x"] = 1
        rival["y"] = 1
        rival.save()
        slow.save()

        assert opened(stored_session)["big"] == 2**70
        assert opened(stored_session)["none"] == []
        assert not opened(stored_session).modified


def always_faster(monkeypatch):
    """Let another writer be faster, however often a save is tried; return the tries."""
    store = failover.blocking()
    tries = []

    async def replace(*_, **__):
        tries.append(1)
        return b'{"theirs":%d}' % len(tries)

    monkeypatch.setattr(store, "replace", replace, raising=False)
    monkeypatch.setattr(failover, "short_way", lambda: None)
    return tries


@pytest.mark.usefixtures("any_store")
class TestARequestOfAnIdThatWasRotated:
    @pytest.fixture
    def late(self, stored_session):
        former = stored_session.session_key
        stored_session.cycle_key()
        return SessionStore(former)

    def test_saves_to_the_session_that_goes_on(self, stored_session, late):
        late["cart"]["late"] = 1
        late.save()
        late["cart"]["later"] = 1
        late.save()

        assert opened(stored_session)["cart"] == {"a": 1, "late": 1, "later": 1}

    def test_renews_nothing_and_is_not_refused(self, stored_session):
        slow_request = opened(stored_session)
        assert slow_request["cart"]
        stored_session.cycle_key()

        slow_request.renew()

        assert not SessionStore().exists(slow_request.session_key)

    def test_is_refused_if_that_has_ended(self, stored_session, late):
        late["cart"]["late"] = 1
        stored_session.delete()

        with pytest.raises(UpdateError):
            late.save()

        assert not SessionStore().exists(stored_session.session_key)

    def test_is_refused_if_that_ends_at_this_moment(
        self, stored_session, late, monkeypatch
    ):
        late["cart"]["late"] = 1
        store = failover.blocking()
        replace = store.replace

        async def too_late(*arguments, **named):
            stored_session.delete()
            return await replace(*arguments, **named)

        monkeypatch.setattr(store, "replace", too_late, raising=False)

        with pytest.raises(UpdateError):
            late.save()

        assert not SessionStore().exists(stored_session.session_key)

    def test_is_refused_if_that_is_damaged(self, stored_session, late):
        late["cart"]["late"] = 1
        failover.store().put(stored_session._key(), b"damaged", 100)

        with pytest.raises(UpdateError):
            late.save()

        assert opened(stored_session).load() == {}

    def test_gives_up_when_others_never_stop(self, stored_session, late, monkeypatch):
        late["cart"]["late"] = 1
        tries = always_faster(monkeypatch)

        with pytest.raises(StorageUnavailable, match="Too many"):
            late.save()

        assert len(tries) == 64


@pytest.mark.usefixtures("any_store")
class TestCycleKey:
    def test_keeps_what_a_faster_request_has_changed(self, stored_session):
        login = opened(stored_session)
        login["_auth_user_id"] = "1"
        rival = opened(stored_session)
        rival["cart"]["fast"] = 1
        rival.save()

        login.cycle_key()

        assert opened(login)["cart"] == {"a": 1, "fast": 1}
        assert opened(login)["_auth_user_id"] == "1"
        assert not SessionStore().exists(stored_session.session_key)

    def test_revives_nothing_of_a_session_deleted_meanwhile(self, stored_session):
        stored_session["_auth_user_id"] = "1"
        stored_session.save()
        slow_request = opened(stored_session)
        slow_request["own"] = 1
        stored_session.delete()

        slow_request.cycle_key()

        assert dict(opened(slow_request).items()) == {"own": 1}

    def test_of_a_session_that_was_emptied_unread_leaves_nothing(self, stored_session):
        request = opened(stored_session)
        request.clear()
        request["only"] = 1

        request.cycle_key()

        assert dict(opened(request).items()) == {"only": 1}
        assert opened(stored_session).load() == {}

    def test_of_a_session_that_is_over_ends_it(self, stored_session):
        request = opened(stored_session)
        request.set_expiry(-1)
        failures_before = health.counts().get("redis_failures", 0)

        request.cycle_key()

        # Redis is not told of an end in the past, which it refuses.
        assert health.counts().get("redis_failures", 0) == failures_before
        for session in (request, stored_session):
            assert not SessionStore().exists(session.session_key)

    def test_to_an_id_that_is_taken_goes_on_under_another(
        self, stored_session, monkeypatch
    ):
        other, request = new_session(), opened(stored_session)
        ids = iter([other.session_key, "free" * 10])
        monkeypatch.setattr(request, "_get_new_session_key", lambda: next(ids))
        request["own"] = 1

        request.cycle_key()

        assert request.session_key == "free" * 10
        assert dict(opened(request).items()) == {"cart": {"a": 1}, "own": 1}
        assert dict(opened(other).items()) == {"cart": {"a": 1}}
        assert not SessionStore().exists(stored_session.session_key)

    def test_of_a_new_session_makes_one(self):
        session = SessionStore()
        session["cart"] = 1

        session.cycle_key()

        assert opened(session)["cart"] == 1


@pytest.mark.usefixtures("any_store")
class TestTakingOver:
    def test_ends_the_other_and_tells_what_it_held(self, stored_session):
        other = new_session()

        held = stored_session.take_over(other.session_key)

        assert held == {"cart": {"a": 1}}
        assert not SessionStore().exists(other.session_key)

    @override_settings(SESSION_ABSOLUTE_AGE=3600)
    def test_lets_its_requests_go_on_here(self, stored_session):
        other = new_session()
        slow_request = opened(other)
        slow_request["cart"]["b"] = 2
        slow_request["_auth_user_id"] = "17"

        assert "expires_at" not in stored_session.take_over(other.session_key)
        slow_request.save()

        assert opened(stored_session)["cart"] == {"a": 1, "b": 2}
        assert "_auth_user_id" not in opened(stored_session)

    @override_settings(SESSION_ROTATION_GRACE=0)
    def test_without_a_grace_is_their_end(self, stored_session):
        other = new_session()
        slow_request = opened(other)
        slow_request["cart"]["b"] = 2

        stored_session.take_over(other.session_key)

        with pytest.raises(UpdateError):
            slow_request.save()

    def test_of_a_damaged_one_takes_nothing(self, stored_session):
        other = new_session()
        failover.store().put(names.record_key(other.session_key), b"{", 60)

        assert stored_session.take_over(other.session_key) == {}

    def test_of_one_that_is_gone_takes_nothing(self, stored_session):
        assert stored_session.take_over("gone-" + "0" * 35) == {}

    def test_of_one_that_goes_at_that_moment_takes_nothing(
        self, stored_session, monkeypatch
    ):
        other = new_session()
        leaving = rotation.leaving

        def goes(*arguments):
            other.delete()
            return leaving(*arguments)

        monkeypatch.setattr(rotation, "leaving", goes)

        assert stored_session.take_over(other.session_key) == {}


class TestRoundTrips:
    @pytest.mark.parametrize(
        ("steps", "expected"),
        [
            ("untouched", 0),
            ("load", 1),
            ("create", 1),
            ("save", 1),
            ("renew", 1),
            ("save_unchanged", 1),
            ("delete", 1),
            ("rotate", 1),
            ("load_change_save", 2),
            ("exists", 1),
            ("load_and_renew", 1),
        ],
    )
    def test_are_as_few_as_promised(self, proxy, steps, expected):
        session = SessionStore()
        session["cart"] = {}
        session.save()
        # The script is known to Redis from here on.
        session["warm"] = 1
        session.save()
        ready = getattr(self, steps)(session)
        before = proxy.round_trips

        ready()

        assert proxy.round_trips - before == expected

    @pytest.mark.parametrize(
        ("step", "expected"),
        [
            ("untouched", 0),
            ("load", 1),
            ("create", 1),
            ("save", 1),
            ("renew", 1),
            ("delete", 1),
            ("rotate", 1),
        ],
    )
    def test_are_as_few_in_an_event_loop(self, proxy, step, expected):
        async def untouched(session):
            assert not SessionStore(session.session_key).modified

        async def load(session):
            assert await SessionStore(session.session_key).aget("cart") == {"a": 1}

        async def create(_):
            await SessionStore().acreate()

        steps = {
            "untouched": untouched,
            "load": load,
            "create": create,
            "save": SessionStore.asave,
            "renew": SessionStore.arenew,
            "delete": SessionStore.adelete,
            "rotate": SessionStore.acycle_key,
        }

        async def count():
            session = SessionStore()
            await session.aset("cart", {})
            await session.asave()
            await session.aset("cart", {"a": 1})
            if step != "save":
                await session.asave()
            before = proxy.round_trips
            await steps[step](session)
            return proxy.round_trips - before

        assert asyncio.run(count()) == expected

    def test_an_unchanged_session_is_not_written(self, redis_client):
        session = new_session()
        session["cart"] = {"a": 1}
        assert session.modified
        redis_client.config_resetstat()

        session.save()

        assert "cmdstat_expire" in redis_client.info("commandstats")
        assert "cmdstat_set" not in redis_client.info("commandstats")

    def untouched(self, session):
        return lambda: opened(session).modified

    def load(self, session):
        return lambda: opened(session)["cart"]

    def create(self, session):
        new = SessionStore()
        new["cart"] = {}
        return new.save

    def save(self, session):
        session["cart"]["a"] = 1
        return session.save

    def save_unchanged(self, session):
        return session.save

    def renew(self, session):
        return session.renew

    def load_and_renew(self, session):
        def run():
            with override_settings(SESSION_SAVE_EVERY_REQUEST=True):
                again = opened(session)
                assert again["warm"]
                again.save()

        return run

    def delete(self, session):
        return session.delete

    def rotate(self, session):
        return session.cycle_key

    def exists(self, session):
        return lambda: session.exists(session.session_key)

    def load_change_save(self, session):
        def run():
            again = opened(session)
            again["cart"]["b"] = 1
            again.save()

        return run


def listed(user_id):
    return failover.store().listed(names.user_list_key(user_id))


class TestSaveEveryRequest:
    """A load renews the session, too, if this process knows what it holds."""

    @pytest.fixture(autouse=True)
    def _switched_on(self):
        with override_settings(SESSION_SAVE_EVERY_REQUEST=True):
            yield

    @pytest.fixture
    def login(self):
        session = SessionStore()
        session["_auth_user_id"] = "luigi"
        session.save()
        return session

    def test_a_load_moves_the_end(self, login, redis_client):
        key = f"{PREFIX}{login.session_key}"
        redis_client.expire(key, 100)

        assert opened(login)["_auth_user_id"] == "luigi"

        assert redis_client.ttl(key) > 100

    def test_the_list_hears_of_it_once_in_a_tenth_of_the_age(self, login, redis_client):
        redis_client.config_resetstat()
        for _ in range(5):
            assert opened(login)["_auth_user_id"] == "luigi"

        assert "cmdstat_zadd" not in redis_client.info("commandstats")
        ends_at = redis_client.zscore(names.user_list_key("luigi"), login.session_key)
        assert ends_at - time.time() == pytest.approx(
            1.1 * settings.SESSION_COOKIE_AGE, abs=5
        )
        assert (
            redis_client.ttl(names.user_list_key("luigi")) > settings.SESSION_COOKIE_AGE
        )

        with override_settings(SESSION_COOKIE_AGE=2 * settings.SESSION_COOKIE_AGE):
            assert opened(login)["_auth_user_id"] == "luigi"
        later = redis_client.zscore(names.user_list_key("luigi"), login.session_key)
        assert later > ends_at + settings.SESSION_COOKIE_AGE

    def test_who_looks_at_an_evicted_list_has_it_made_anew(self, login, redis_client):
        redis_client.delete(names.user_list_key("luigi"))

        assert listed("luigi") == []
        assert opened(login)["_auth_user_id"] == "luigi"

        assert listed("luigi") == [login.session_key]

    def test_a_broken_connection_lists_all_anew(self, login, redis_client):
        redis_client.delete(names.user_list_key("luigi"))
        redis_client.client_kill_filter(_type="normal", skipme=True)

        for _ in range(2):
            assert opened(login)["_auth_user_id"] == "luigi"

        assert redis_client.zscore(names.user_list_key("luigi"), login.session_key)

    def test_what_another_process_wrote_is_read(self, login, redis_client):
        key = f"{PREFIX}{login.session_key}"
        raw = redis_client.get(key).replace("luigi", "peach")
        redis_client.set(key, raw, ex=100)

        request = opened(login)
        assert request["_auth_user_id"] == "peach"
        request.save()

        assert redis_client.ttl(key) > 100
        assert listed("luigi") == []
        assert listed("peach") == [login.session_key]

    def test_what_another_process_changed_stays_in_its_users_list(
        self, login, redis_client
    ):
        key = f"{PREFIX}{login.session_key}"
        raw = redis_client.get(key).replace("{", '{"cart":{},', 1)
        redis_client.set(key, raw, ex=100)

        request = opened(login)
        request["cart"]["a"] = 1
        request.save()

        assert listed("luigi") == [login.session_key]

    def test_its_own_expiry_is_kept(self, redis_client):
        session = SessionStore()
        session.set_expiry(300)
        session.save()
        key = f"{PREFIX}{session.session_key}"
        redis_client.expire(key, 100)

        opened(session).get("cart")

        assert 290 < redis_client.ttl(key) <= 300

    def test_a_deleted_session_stays_deleted(self, login, redis_client):
        redis_client.delete(f"{PREFIX}{login.session_key}")

        request = opened(login)

        assert "_auth_user_id" not in request
        assert request.session_key is None
        assert listed("luigi") == []
        assert not redis_client.exists(f"{PREFIX}{login.session_key}")

    def test_an_expired_one_is_not_renewed(self, redis_client):
        session = SessionStore()
        session["a"] = 1
        session.save()
        ended = datetime.now(UTC) - timedelta(days=1)
        redis_client.set(
            f"{PREFIX}{session.session_key}",
            json.dumps({"_session_expiry": ended.isoformat()}),
            ex=100,
        )
        with override_settings(SESSION_SAVE_EVERY_REQUEST=False):
            opened(session).load()

        opened(session).load()

        assert redis_client.ttl(f"{PREFIX}{session.session_key}") <= 100

    def test_a_damaged_one_is_set_aside(self, login, redis_client):
        key = f"{PREFIX}{login.session_key}"
        redis_client.set(key, "damaged", ex=100)
        with override_settings(SESSION_SAVE_EVERY_REQUEST=False):
            failover.store().load(key)

        assert opened(login).get("_auth_user_id") is None
        assert not redis_client.exists(key)

    def test_a_damaged_one_is_taken_off_the_list(self, login, redis_client):
        """This process knows whose it was, and Redis holds something else by now."""
        assert listed("luigi") == [login.session_key]
        redis_client.set(f"{PREFIX}{login.session_key}", "damaged", ex=100)

        assert opened(login).load() == {}

        assert listed("luigi") == []

    def test_what_another_process_has_changed_is_read(self, login, redis_client):
        key = f"{PREFIX}{login.session_key}"
        situation = failover.situation()
        assert situation
        situation.copies.forget(key)
        request = opened(login)
        request.load()
        redis_client.set(key, '{"_auth_user_id":"mario"}', ex=100)

        # Asked twice, as Django's own `load` may be.
        assert request.load() == {"_auth_user_id": "mario"}
        assert request["_auth_user_id"] == "mario"

    def test_a_later_save_renews_once_more(self, login, redis_client, monkeypatch):
        request = opened(login)
        assert request["_auth_user_id"]
        monkeypatch.setattr(request, "_renewed_at", request._renewed_at - 2)
        redis_client.expire(f"{PREFIX}{login.session_key}", 100)

        request.save()

        assert redis_client.ttl(f"{PREFIX}{login.session_key}") > 100


@pytest.mark.usefixtures("any_store")
class TestLifetimes:
    @override_settings(SESSION_ABSOLUTE_AGE=3600, SESSION_COOKIE_AGE=DAY)
    def test_no_session_outlives_its_absolute_end(self):
        stored_session = new_session()
        assert stored_session.get_expiry_age() <= 3600
        assert stored_session._ttl() <= 3600
        loaded = opened(stored_session)
        assert loaded.expires_at - loaded.created_at == timedelta(hours=1)
        assert list(loaded.keys()) == ["cart"]

    @override_settings(SESSION_ABSOLUTE_AGE=3600)
    def test_a_save_does_not_move_the_absolute_end(self):
        stored_session = new_session()
        stored_session._lifetime = stored_session._lifetime.starting(
            datetime.now(UTC) - timedelta(minutes=30), age_seconds=3600
        )
        stored_session.save()
        request = opened(stored_session)
        request["cart"]["b"] = 1
        request.save()

        again = opened(stored_session)
        assert again["cart"] == {"a": 1, "b": 1}
        assert 1790 <= again._ttl() <= 1800
        assert opened(stored_session).expires_at == request.expires_at

    @override_settings(SESSION_ABSOLUTE_AGE=3600)
    def test_a_login_begins_it_anew(self):
        stored_session = new_session()
        stored_session._lifetime = stored_session._lifetime.starting(
            datetime.now(UTC) - timedelta(minutes=30), age_seconds=3600
        )
        stored_session.save()
        request = opened(stored_session)

        request.restart_lifetime()
        request.save()

        left = opened(stored_session).expires_at - datetime.now(UTC)
        assert timedelta(minutes=59) < left <= timedelta(hours=1)

    # Others than the engine hear of a login, too, and write it down.
    @pytest.mark.django_db
    @override_settings(SESSION_ABSOLUTE_AGE=3600)
    def test_a_login_of_django_begins_it_anew_by_itself(self, monkeypatch):
        # The project's receivers want a real person.
        ours = [
            receiver
            for receiver in user_logged_in.receivers
            if receiver[0][0] == "sessions_backend"
        ]
        monkeypatch.setattr(user_logged_in, "receivers", ours)
        request = RequestFactory().get("/")
        request.session = SessionStore()
        luigi = get_user_model().objects.create(username="luigi")
        former: object = request.session.created_at
        assert former is None

        user_logged_in.send(sender=type(luigi), request=request, user=luigi)

        assert request.session.created_at is not None
        assert request.session.modified

    @pytest.mark.parametrize("has_request", [True, False])
    @override_settings(SESSION_ABSOLUTE_AGE=3600)
    def test_a_login_without_a_session_of_ours_is_left_alone(
        self, has_request, monkeypatch
    ):
        (ours,) = [
            receiver
            for receiver in user_logged_in.receivers
            if receiver[0][0] == "sessions_backend"
        ]
        monkeypatch.setattr(user_logged_in, "receivers", [ours])
        request = RequestFactory().get("/") if has_request else None

        told = user_logged_in.send(sender=None, request=request, user=None)

        assert [answer for _, answer in told] == [None]

    @override_settings(SESSION_ABSOLUTE_AGE=3600)
    def test_a_record_past_its_end_is_missing(self):
        stored_session = new_session()
        stored_session._lifetime = stored_session._lifetime.starting(
            datetime.now(UTC) - timedelta(minutes=59, seconds=59), age_seconds=3600
        )
        stored_session.save()

        threading.Event().wait(1.1)

        assert opened(stored_session).load() == {}

    @override_settings(SESSION_ABSOLUTE_AGE=3600)
    def test_a_record_past_its_end_is_missing_even_where_it_is_kept(self):
        stored_session = new_session()
        ended = datetime.now(UTC) - timedelta(seconds=1)
        held = {
            "created_at": (ended - timedelta(hours=1)).isoformat(),
            "expires_at": ended.isoformat(),
            "cart": {"a": 1},
        }
        failover.store().put(stored_session._key(), json.dumps(held).encode(), 100)

        assert opened(stored_session).load() == {}

    @override_settings(SESSION_ABSOLUTE_AGE=3600)
    def test_its_names_are_the_engines_own(self):
        stored_session = new_session()
        stored_session["expires_at"] = "mine"

        with pytest.raises(UnstorableValue, match="expires_at"):
            stored_session.save()

    @override_settings(SESSION_ABSOLUTE_AGE=None)
    def test_without_it_the_names_are_free(self):
        stored_session = new_session()
        stored_session["expires_at"] = "mine"
        stored_session.save()

        assert opened(stored_session)["expires_at"] == "mine"
        assert opened(stored_session).expires_at is None

    @override_settings(SESSION_COOKIE_AGE=1000, SESSION_ABSOLUTE_AGE=None)
    def test_renewal_is_due_once_for_each_tenth_of_the_age(self):
        stored_session = new_session()
        request = opened(stored_session)
        assert request["cart"]
        assert not request.is_renewal_due

        request._remaining = 901
        assert not request.is_renewal_due
        request._remaining = 899
        assert request.is_renewal_due
        request.renew()
        assert not request.is_renewal_due

    @override_settings(SESSION_COOKIE_AGE=1000, SESSION_ABSOLUTE_AGE=None)
    def test_renewal_is_due_where_the_end_lies_too_far_away(self):
        stored_session = new_session()

        stored_session._remaining = float("inf")

        assert stored_session.is_renewal_due

    @override_settings(SESSION_ABSOLUTE_AGE=None)
    def test_without_an_absolute_end_a_login_has_nothing_to_begin_anew(self):
        request = opened(new_session())

        request.restart_lifetime()

        assert not request.modified
        assert request.expires_at is None

    def test_an_id_that_was_rotated_is_not_due(self):
        stored_session = new_session()
        former = stored_session.session_key
        stored_session.cycle_key()

        request = SessionStore(former)

        assert request["cart"] == {"a": 1}
        assert request.is_superseded
        assert not request.is_renewal_due

    def test_an_untouched_session_is_not_due(self):
        stored_session = new_session()
        assert not opened(stored_session).is_renewal_due

    def test_a_sessions_own_expiry_counts(self):
        stored_session = new_session()
        stored_session.set_expiry(100)
        stored_session.save()

        session = opened(stored_session)
        session.renew()
        assert session._remaining == 100

    def test_an_expiry_beyond_measure_is_cut(self):
        stored_session = new_session()
        stored_session.set_expiry(10**30)
        stored_session.save()

        assert opened(stored_session)["cart"] == {"a": 1}


class TestADamagedRecord:
    @pytest.mark.parametrize(
        "raw",
        [
            b"{",
            b"[]",
            b"\x80\x05pickle",
            b'{"_session_expiry": {}}',
            b'{"_session_expiry": "yesterday"}',
            b'{"_session_expiry": "2030-01-01T00:00:00"}',
            b'{"created_at": 1, "expires_at": "2099-01-01T00:00:00+00:00"}',
        ],
    )
    @override_settings(SESSION_ABSOLUTE_AGE=3600)
    def test_is_empty_kept_aside_logged_and_counted(
        self, raw, stored_session, redis_client, caplog
    ):
        key = PREFIX + stored_session.session_key
        redis_client.set(key, raw, ex=100)
        before = health.counts().get("damaged_records", 0)

        request = opened(stored_session)

        assert dict(request.items()) == {}
        assert request.session_key is None
        assert health.counts()["damaged_records"] == before + 1
        (kept,) = redis_client.keys("sessions:damaged:*")
        assert 0 < redis_client.ttl(kept) <= 7 * DAY
        assert redis_client.execute_command("STRLEN", kept) == len(raw)
        assert not redis_client.exists(key)
        assert stored_session.session_key not in caplog.text
        assert kept in caplog.text

    def test_of_another_kind_is_empty_and_stays(
        self, stored_session, redis_client, caplog
    ):
        key = PREFIX + stored_session.session_key
        redis_client.delete(key)
        redis_client.hset(key, "a", "b")

        assert opened(stored_session).load() == {}
        assert redis_client.hgetall(key) == {"a": "b"}
        assert "cannot be read" in caplog.text
        assert stored_session.session_key not in caplog.text

    def test_does_not_stop_a_save(self, stored_session, redis_client):
        stored_session["cart"]["b"] = 1
        redis_client.set(PREFIX + stored_session.session_key, b"{damaged", ex=100)

        stored_session.save()

        assert opened(stored_session)["cart"] == {"a": 1, "b": 1}

    def test_that_another_writer_has_repaired_stays(self, stored_session, redis_client):
        key = PREFIX + stored_session.session_key
        repaired = redis_client.get(key)

        finish(set_aside(failover.blocking(), key, b"damaged", "found a moment ago"))

        assert redis_client.get(key) == repaired
        (kept,) = redis_client.keys("sessions:damaged:*")
        assert redis_client.get(kept) == "damaged"


class TestConcurrency:
    """Races started at the same instant; each must end right, whoever wins."""

    @pytest.mark.usefixtures("any_store")
    def test_no_change_of_eight_parallel_writers_is_lost(self):
        for _ in range(20):
            session = SessionStore()
            session["cart"] = {}
            session.save()

            def write(number, session=session):
                request = opened(session)
                request["cart"][f"line-{number}"] = number
                request[f"own-{number}"] = number
                return request.save

            at_once(write, 8)

            stored = opened(session)
            assert len(stored["cart"]) == 8
            assert len(stored.keys()) == 9

    @pytest.mark.usefixtures("any_store")
    def test_no_save_revives_what_a_logout_ends(self):
        for _ in range(40):
            session = SessionStore()
            session["cart"] = {}
            session.save()

            def run(number, session=session):
                request = opened(session)
                request["cart"]["line"] = number
                return request.flush if number == 0 else request.save

            at_once(run, 4)

            assert not SessionStore().exists(session.session_key)

    def test_no_save_revives_what_a_rotation_ends(self, redis_client):
        for _ in range(40):
            session = SessionStore()
            session["cart"] = {}
            session.save()

            def run(number, session=session):
                request = opened(session)
                request["cart"][f"line-{number}"] = number
                return request.cycle_key if number == 0 else request.save

            assert all(at_once(run, 4))

            assert not SessionStore().exists(session.session_key)
            (key,) = redis_client.keys(PREFIX + "*")
            cart = json.loads(redis_client.get(key))["cart"]
            assert cart.keys() == {f"line-{number}" for number in range(4)}
            redis_client.flushdb()


def at_once(prepare, count):
    """Prepare each request, start all at the same instant, swallow lost races."""
    start = threading.Barrier(count)

    def run(number):
        act = prepare(number)
        start.wait()
        try:
            act()
        except UpdateError:
            return False
        return True

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


@pytest.mark.usefixtures("any_store")
class TestStillHolds:
    """Whether what a request began with is still so, asked before it is done."""

    @pytest.fixture
    def under_way(self, stored_session):
        session = opened(stored_session)
        assert session["cart"]
        return session

    def test_what_is_stored_as_it_was(self, stored_session, under_way):
        stored_session["other"] = 1
        stored_session.save()

        assert under_way.still_holds("cart")
        assert not under_way.still_holds("other")
        assert not under_way.modified

    @pytest.mark.parametrize("change", ["changed", "removed", "deleted", "damaged"])
    def test_not_what_has_ended(self, stored_session, under_way, change):
        if change == "changed":
            stored_session["cart"] = {"b": 1}
            stored_session.save()
        elif change == "removed":
            del stored_session["cart"]
            stored_session.save()
        elif change == "deleted":
            stored_session.delete()
        else:
            failover.store().put(stored_session._key(), b"damaged", 100)

        assert not under_way.still_holds("cart")

    @pytest.mark.parametrize("change", ["", "removed", "deleted", "damaged"])
    def test_follows_an_id_that_was_rotated(self, stored_session, change):
        stored_session["_auth_user_id"] = "7"
        stored_session.save()
        login = opened(stored_session)
        assert login["_auth_user_id"]
        stored_session.cycle_key()
        if change == "removed":
            del stored_session["_auth_user_id"]
            stored_session.save()
        elif change == "deleted":
            stored_session.delete()
        elif change == "damaged":
            failover.store().put(stored_session._key(), b"damaged", 100)

        assert login.still_holds("_auth_user_id") == (not change)

    def test_a_new_session_holds_nothing_yet(self):
        session = SessionStore()
        session["cart"] = {}

        assert not session.still_holds("cart")


class TestAsync:
    @pytest.mark.usefixtures("any_store")
    def test_has_the_same_promises(self):
        async_to_sync(self.keep_them)()

    async def keep_them(self):
        session = SessionStore()
        await session.aset("cart", {"a": 1})
        await session.asave()
        slow = SessionStore(session.session_key)
        slow_cart: Any = await slow.aget("cart")
        slow_cart["slow"] = 1
        fast = SessionStore(session.session_key)
        fast_cart: Any = await fast.aget("cart")
        fast_cart["fast"] = 1

        await fast.asave()
        await slow.asave()
        await slow.arenew()

        again = SessionStore(session.session_key)
        assert await again.aget("cart") == {"a": 1, "fast": 1, "slow": 1}
        assert await again.astill_holds("cart")
        assert not await slow.astill_holds("other")
        former = again.session_key
        await again.acycle_key()
        assert not await again.aexists(former)
        await again.aflush()
        assert again.session_key is None


def test_settings_name_the_engine():
    assert settings.SESSION_ENGINE == "sessions_backend.engine"


def test_clear_expired_has_nothing_to_do(stored_session):
    SessionStore.clear_expired()

    assert opened(stored_session)["cart"] == {"a": 1}


@pytest.mark.usefixtures("any_store")
class TestAmend:
    def stored(self, **data):
        session = SessionStore()
        session.update(data)
        session.save()
        return session

    def test_changes_what_is_stored_now(self):
        session = self.stored(tokens={"generation": 1})
        other = SessionStore(session.session_key)
        other["cart"] = {"a": 1}
        other.save()

        def change(record):
            record["tokens"] = {"generation": record["tokens"]["generation"] + 1}
            return True

        amended = SessionStore(session.session_key)
        assert amended.amend(change)

        expected = {"cart": {"a": 1}, "tokens": {"generation": 2}}
        assert dict(amended.items()) == expected
        assert dict(SessionStore(session.session_key).items()) == expected
        assert not amended.modified

    def test_is_asked_again_when_another_writer_was_faster(self):
        session = self.stored(tokens={"generation": 1})
        seen = []

        def change(record):
            seen.append(record["tokens"]["generation"])
            if len(seen) == 1:
                other = SessionStore(session.session_key)
                other["tokens"] = {"generation": 2}
                other.save()
            record["tokens"]["generation"] = 9
            return seen[-1] == 1

        # What was seen first is no longer true, and the second look says no.
        assert not SessionStore(session.session_key).amend(change)
        assert seen == [1, 2]
        assert SessionStore(session.session_key)["tokens"] == {"generation": 2}

    def test_leaves_the_end_where_it_is(self):
        session = self.stored(cart=1)
        session.set_expiry(100)
        session.save()

        SessionStore(session.session_key).amend(lambda record: True)

        assert SessionStore(session.session_key).get_expiry_age() <= 100

    def test_brings_nothing_back(self):
        session = self.stored(cart=1)

        def change(record):
            SessionStore(session.session_key).delete()
            return True

        with pytest.raises(UpdateError):
            SessionStore(session.session_key).amend(change)
        with pytest.raises(UpdateError):
            SessionStore().amend(change)
        assert not SessionStore().exists(session.session_key)

    def test_knows_nothing_of_an_id_that_was_rotated(self):
        session = self.stored(cart=1)
        former = session.session_key
        session.cycle_key()

        with pytest.raises(UpdateError):
            SessionStore(former).amend(lambda record: True)

    def test_gives_up_when_others_never_stop(self):
        session = self.stored(count=0)

        def change(record):
            other = SessionStore(session.session_key)
            other["count"] = record["count"] + 1
            other.save()
            return True

        with pytest.raises(StorageUnavailable):
            SessionStore(session.session_key).amend(change)
