"""With SESSION_KEY_SECRET nothing in Redis is a cookie, and everything works on."""

import json

import pytest
from django.contrib.sessions.backends.base import UpdateError
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.test import RequestFactory, override_settings

from sessions_backend import conf, failover, health, index, names, operators
from sessions_backend.engine import SessionStore
from sessions_backend.middleware import SessionMiddleware
from sessions_backend.names import RecordName
from tests.servers import wait_until
from tests.sessions_backend.conftest import caches_with

PREFIX = "mario_session:"
SECRET = "a-secret-of-the-tests-and-of-nobody-else"
LABEL = "https://idp|sid"


@pytest.fixture(autouse=True)
def _with_a_secret():
    with override_settings(SESSION_KEY_SECRET=SECRET):
        yield


@pytest.fixture
def session():
    session = SessionStore()
    session.update({"_auth_user_id": "7", "cart": {"a": 1}})
    session.save()
    return session


def opened(session):
    return SessionStore(session.session_key)


def everything_in(redis_client):
    """Return all that a dump of Redis shows."""
    shown = []
    for key in redis_client.scan_iter():
        kind = redis_client.type(key)
        if kind == "string":
            held = redis_client.get(key)
        elif kind == "zset":
            held = redis_client.zrange(key, 0, -1)
        else:
            held = redis_client.xrange(key)
        shown.append(f"{key} {held}")
    return "\n".join(shown)


def run(capsys, *arguments):
    call_command("sessions", *arguments)
    return capsys.readouterr().out


class TestADumpOfRedis:
    def test_holds_no_id(self, session, redis_client):
        former_id = session.session_key
        index.link(LABEL, session.session_key, ttl=60)
        session.cycle_key()
        index.relink(LABEL, session.session_key, ttl=60)
        other = SessionStore()
        other["x"] = 1
        other.save()
        ended_id = other.session_key
        other.delete()

        dump = everything_in(redis_client)

        # A record, its user's list, a label, what a rotation leaves, the ended.
        for part in (PREFIX, "user:", "label:", "superseded:", "sessions:ended"):
            assert part in dump
        for session_id in (session.session_key, former_id, ended_id):
            assert session_id not in dump

    def test_is_no_bunch_of_cookies(self, session, redis_client):
        (key,) = redis_client.keys(f"{PREFIX}*")
        request = RequestFactory().get("/")
        request.COOKIES["mario_session"] = key.removeprefix(PREFIX)

        SessionMiddleware(lambda _: None).process_request(request)

        assert request.session.load() == {}

    def test_of_another_secret_leads_nowhere(self, session):
        with override_settings(SESSION_KEY_SECRET=SECRET[::-1]):
            assert opened(session).load() == {}
        assert opened(session)["cart"] == {"a": 1}


@pytest.mark.usefixtures("any_store")
class TestASession:
    def test_is_loaded_changed_renewed_rotated_and_deleted(self, session):
        request = opened(session)
        request["cart"]["b"] = 1
        request.save()
        request.renew()
        assert SessionStore().exists(session.session_key)
        request.cycle_key()
        assert opened(request)["cart"] == {"a": 1, "b": 1}
        assert not SessionStore().exists(session.session_key)
        request.delete()
        assert opened(request).load() == {}

    def test_goes_on_under_its_new_id_for_a_grace(self, session):
        slow_request = opened(session)
        slow_request["cart"]["slow"] = 1
        later_request = opened(session)

        session.cycle_key()
        slow_request.save()

        assert opened(session)["cart"] == {"a": 1, "slow": 1}
        assert later_request["cart"] == {"a": 1}
        assert later_request.is_superseded

    def test_is_opened_by_the_name_that_a_label_leads_to(self, session):
        index.link(LABEL, session.session_key, ttl=60)

        name, is_revoked = index.lookup(LABEL)

        assert not is_revoked
        assert name == session.record_name != session.session_key
        by_label = SessionStore(name)
        by_label["cart"]["by_label"] = 1
        by_label.save()
        assert opened(session)["cart"] == {"a": 1, "by_label": 1}
        # As plain text the same name is an id that nobody has.
        assert SessionStore(str.__str__(name)).load() == {}

    def test_ends_when_its_label_is_revoked(self, session):
        index.link(LABEL, session.record_name, ttl=60)

        assert index.revoke(LABEL, ttl=60) == session.record_name

        assert not SessionStore().exists(session.session_key)

    def test_can_be_had_by_no_label_that_is_forbidden(self, session):
        index.link(LABEL, session.session_key, ttl=60)

        index.forbid(LABEL, ttl=60)

        assert index.lookup(LABEL) == (None, True)
        assert SessionStore().exists(session.session_key)

    def test_stays_a_name_where_code_makes_it_text(self, session):
        assert type(str(session.record_name)) is RecordName
        assert SessionStore(str(session.record_name))["cart"] == {"a": 1}


@pytest.mark.django_db
class TestOperators:
    def test_list_show_and_revoke_by_one_handle(self, capsys, session):
        handle = operators.handle_of(session.session_key)

        assert handle in run(capsys, "list")
        assert handle in run(capsys, "list", "--user", "7")
        assert json.loads(run(capsys, "show", handle))["cart"] == {"a": 1}
        assert json.loads(run(capsys, "show", session.session_key))["cart"] == {"a": 1}
        run(capsys, "revoke", handle)

        assert not SessionStore().exists(session.session_key)

    def test_keep_the_session_that_is_to_stay(self, session):
        other = SessionStore()
        other["_auth_user_id"] = "7"
        other.save()

        assert operators.revoke_all("7", keep=session.session_key) == 1

        assert SessionStore().exists(session.session_key)
        assert operators.revoke_all("7", keep=session.record_name) == 0

    def test_repair_makes_lists_of_names(self, capsys, session, redis_client):
        redis_client.delete(names.user_list_key("7"))

        run(capsys, "repair")

        (listed,) = redis_client.zrange(names.user_list_key("7"), 0, -1)
        assert listed == session.record_name


def test_the_near_cache_answers(session):
    with override_settings(SESSION_NEAR_CACHE=True):
        wait_until(lambda: _is_read_from_memory(session))
        changed = opened(session)
        changed["cart"] = {"b": 1}
        changed.save()

        assert opened(session)["cart"] == {"b": 1}


def _is_read_from_memory(session):
    before = health.counts().get("near_hits", 0)
    assert opened(session)["cart"] == {"a": 1}
    return health.counts().get("near_hits", 0) > before


def test_an_outage_is_survived_and_merged_back(session, valkey, redis_client):
    with override_settings(CACHES=caches_with(valkey.url)):
        request = opened(session)
        request["cart"]["seen"] = 1
        request.save()
        situation = failover.situation()
        assert situation is not None
        situation.breaker.open_at_start()
        # The thread of the return is not started: the test settles by itself.
        away = opened(session)
        away["cart"]["away"] = 1
        away.save()
        label_before = index.link(LABEL, session.session_key, ttl=60)
        index.revoke(LABEL, ttl=60)

        situation.recovery._return()

        assert label_before == session.record_name
        # Revoked meanwhile, under the same name, by the label.
        assert redis_client.keys(f"{PREFIX}*") == []
        with pytest.raises(UpdateError):
            request.save()


def test_a_short_secret_does_not_serve():
    with (
        override_settings(SESSION_KEY_SECRET="short"),
        pytest.raises(ImproperlyConfigured, match="32 characters"),
    ):
        conf.load()
