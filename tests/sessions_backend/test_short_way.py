"""What goes the short way, and what does not: the two never answer differently."""

import json
import threading
from unittest import mock

import hypothesis
import pytest
from django.conf import settings
from django.contrib.sessions.backends.base import UpdateError
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from sessions_backend import budget, conf, failover, health
from sessions_backend.engine import SessionStore
from sessions_backend.exceptions import StorageUnavailable
from sessions_backend.stores.failing_over import FailingOverStore
from tests.sessions_backend.conftest import caches_with
from tests.sessions_backend.misbehaving import HANG

METHODS = ("load", "create", "replace", "load_renewed")


@pytest.fixture
def session():
    session = SessionStore()
    session["cart"] = {"a": 1}
    session["_auth_user_id"] = "7"
    session.save()
    return session


@pytest.fixture
def long_way(monkeypatch):
    """Note who asks the long way for what."""
    asked: list[str] = []

    def noting(name):
        method = getattr(FailingOverStore, name)

        async def note(*arguments, **options):
            asked.append(name)
            return await method(*arguments, **options)

        return note

    for name in METHODS:
        monkeypatch.setattr(FailingOverStore, name, noting(name))
    return asked


def situation():
    serving = failover.situation()
    assert serving is not None
    return serving


def opened(session):
    return SessionStore(session.session_key)


def key_of(session):
    return f"{settings.SESSION_REDIS_KEY_PREFIX}{session.session_key}"


class TestNearlyEveryCall:
    def test_is_a_load_or_a_save_of_it(self, session, long_way, redis_client):
        request = opened(session)
        request["cart"]["b"] = 2
        request.save()
        another = SessionStore()
        another["cart"] = {}
        another.save()

        assert long_way == []
        assert json.loads(redis_client.get(key_of(session)))["cart"] == {"a": 1, "b": 2}
        assert redis_client.ttl(key_of(session)) == settings.SESSION_COOKIE_AGE
        assert redis_client.exists(key_of(another))

    def test_renews_where_each_request_does(self, session, long_way, redis_client):
        redis_client.expire(key_of(session), 100)
        with override_settings(SESSION_SAVE_EVERY_REQUEST=True):
            conf.load.cache_clear()
            request = opened(session)
            assert request["cart"] == {"a": 1}
            request.save()
        conf.load.cache_clear()

        assert long_way == []
        assert redis_client.ttl(key_of(session)) == settings.SESSION_COOKIE_AGE

    def test_is_remembered_for_an_outage(self, session, valkey):
        request = opened(session)
        request["cart"]["b"] = 2
        request.save()
        written = situation().copies.written_since(0)
        situation().breaker.open_at_start()

        assert opened(session)["cart"] == {"a": 1, "b": 2}
        assert json.loads(written[key_of(session)])["cart"] == {"a": 1, "b": 2}


class TestWhatIsOutOfTheOrdinary:
    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            (("persist",), {"a": 1}),
            (("set", "{damaged", "ex", 100), None),
            (("set", "", "ex", 100), None),
            (("del",), None),
        ],
        ids=["without an end", "damaged", "empty", "gone"],
    )
    def test_in_redis_is_read_the_long_way(
        self, session, long_way, redis_client, change, expected
    ):
        command, *arguments = change
        redis_client.execute_command(command, key_of(session), *arguments)

        assert opened(session).get("cart") == expected
        assert "load" in long_way

    def test_a_big_integer_is_read_exactly(self, session, redis_client):
        raw = '{"cart":{"a":12345678901234567890123}}'
        redis_client.set(key_of(session), raw, ex=100)

        assert opened(session)["cart"] == {"a": 12345678901234567890123}

    def test_a_key_of_another_type(self, session, long_way, redis_client):
        redis_client.delete(key_of(session))
        redis_client.lpush(key_of(session), "a list")

        assert opened(session).get("cart") is None
        assert long_way == ["load"]

    def test_a_record_that_is_too_long(self, session, long_way, settings):
        settings.SESSION_MOST_BYTES = 10
        conf.load.cache_clear()

        assert opened(session).get("cart") is None
        assert long_way == ["load"]

    def test_an_open_breaker(self, session, long_way):
        assert opened(session)["cart"]
        situation().breaker.open_at_start()

        request = opened(session)
        request["cart"]["b"] = 2
        request.save()
        SessionStore().create()
        with override_settings(SESSION_SAVE_EVERY_REQUEST=True):
            conf.load.cache_clear()
            assert opened(session)["cart"] == {"a": 1, "b": 2}
        conf.load.cache_clear()

        assert long_way[:4] == ["load", "replace", "create", "load_renewed"]

    def test_what_the_journal_knows_better(self, session, long_way):
        situation().journal.remove(key_of(session))
        request = opened(session)

        assert request.get("cart") is None
        assert "load" in long_way

    def test_a_thread_without_a_connection(self, session, long_way):
        found = []
        thread = threading.Thread(target=lambda: found.append(opened(session)["cart"]))
        thread.start()
        thread.join(10)

        assert found == [{"a": 1}]
        assert long_way == ["load"]

    @pytest.mark.parametrize("step", ["load", "save", "create", "renew"])
    def test_a_connection_that_was_closed(self, session, long_way, redis_client, step):
        request = opened(session)
        request["cart"]["b"] = 2
        redis_client.client_kill_filter(_type="normal", skipme=True)
        breaks = situation().recovery._redis.breaks

        if step == "load":
            assert opened(session)["cart"] == {"a": 1}
        elif step == "save":
            request.save()
            assert json.loads(redis_client.get(key_of(session)))["cart"]["b"] == 2
        elif step == "create":
            SessionStore().create()
        else:
            with override_settings(SESSION_SAVE_EVERY_REQUEST=True):
                conf.load.cache_clear()
                assert opened(session)["cart"] == {"a": 1}
            conf.load.cache_clear()

        assert long_way
        # Redis may have been restarted: who finds a session missing is to know.
        assert situation().recovery._redis.breaks > breaks

    def test_time_that_is_used_up(self, proxy, session):
        breaks = situation().recovery._redis.breaks
        with budget.of_one_request():
            budget.current().remaining = 0

            with pytest.raises(StorageUnavailable, match="used up"):
                opened(session).load()

        assert situation().recovery._redis.breaks == breaks

    def test_another_writer_is_merged_with(self, session, long_way, redis_client):
        slow, fast = opened(session), opened(session)
        slow["cart"]["slow"] = 1
        fast["cart"]["fast"] = 1
        fast.save()
        slow.save()

        expected = {"a": 1, "slow": 1, "fast": 1}
        assert json.loads(redis_client.get(key_of(session)))["cart"] == expected
        # Tried once more, against what stands there by then.
        assert long_way == ["replace", "replace"]

    def test_what_was_deleted_stays_so(self, session, redis_client):
        request = opened(session)
        request["cart"]["late"] = 1
        session.delete()

        with pytest.raises(UpdateError):
            request.save()
        assert not redis_client.exists(key_of(session))

    def test_what_cannot_be_stored_names_itself_and_shows_no_frames(self, session):
        session["cart"]["when"] = object()

        with pytest.raises(TypeError, match=r"\['cart'\]\['when'\]") as refusal:
            session.save()

        files = {str(frame.path).rpartition("/")[2] for frame in refusal.traceback}
        assert "stored_session.py" not in files

    def test_a_new_one_that_cannot_be_stored_has_no_id(self):
        session = SessionStore()
        session["when"] = object()

        with pytest.raises(TypeError):
            session.save()
        del session["when"]
        session.save()

        assert opened(session).session_key

    def test_a_redis_that_hangs_opens_the_breaker(self, proxy):
        with override_settings(SESSION_STRICT=False, CACHES=caches_with(proxy.url)):
            failover.reset()
            session = SessionStore()
            session["cart"] = {"a": 1}
            session.save()
            failures = health.counts().get("redis_failures", 0)
            proxy.mode = HANG

            for _ in range(3):
                assert not situation().breaker.is_open
                assert opened(session)["cart"] == {"a": 1}

            assert situation().breaker.is_open
            # Each load is one call, whichever ways it went.
            assert health.counts()["redis_failures"] == failures + 3

    def test_a_call_that_opens_the_breaker_is_counted_once(self, proxy):
        with override_settings(SESSION_STRICT=False, CACHES=caches_with(proxy.url)):
            failover.reset()
            session = SessionStore()
            session["cart"] = {"a": 1}
            session.save()
            for _ in range(2):
                situation().breaker.note_failure(OSError("earlier"))
            failures = health.counts().get("redis_failures", 0)
            proxy.mode = HANG

            assert opened(session)["cart"] == {"a": 1}

            assert situation().breaker.is_open
            assert health.counts()["redis_failures"] == failures + 1


ONE_REQUEST = st.tuples(
    st.sampled_from(["change", "replace", "read", "expire", "delete", "cycle"]),
    st.integers(0, 2),
    st.sampled_from(["cart", "tokens", "_auth_user_id"]),
    st.integers(-1, 3),
)


class TestEitherWay:
    """Two requests at a time, the same by the short way and by the long one."""

    @given(st.lists(ONE_REQUEST, min_size=1, max_size=12), st.booleans())
    @hypothesis.settings(max_examples=60)
    def test_ends_alike(self, requests, saves_every_request):
        with override_settings(SESSION_SAVE_EVERY_REQUEST=saves_every_request):
            conf.load.cache_clear()
            short = self.history(requests)
            with mock.patch.object(failover, "short_way", return_value=None):
                long = self.history(requests)
        conf.load.cache_clear()

        assert short == long

    def history(self, requests):
        session = SessionStore()
        session["cart"] = {"a": 1}
        session.save()
        key, seen = session.session_key, []
        open_ones = [SessionStore(key) for _ in range(3)]
        for step, number, name, value in requests:
            request = open_ones[number]
            seen.append((step, self.outcome(request, step, name, value)))
            if step in {"read", "cycle"}:
                # The next request begins.
                open_ones[number] = SessionStore(request.session_key or key)
        left = SessionStore(open_ones[0].session_key or key)
        return seen, sorted(left.items(), key=str), left.session_key is None

    def outcome(self, request, step, name, value):
        try:
            if step == "change":
                request.setdefault(name, {})
                if isinstance(request[name], dict):
                    request[name][str(value)] = value
                request.save()
            elif step == "replace":
                request[name] = {"new": value}
                request.save()
            elif step == "expire":
                request.set_expiry(value * 1000)
                request.save()
            elif step == "delete":
                request.delete()
            elif step == "cycle":
                request.cycle_key()
            else:
                return sorted(request.items(), key=str)
        except (UpdateError, KeyError) as error:
            return type(error).__name__
        return sorted(request.items(), key=str)
