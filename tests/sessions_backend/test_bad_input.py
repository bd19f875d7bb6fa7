"""Ids and records that nobody should have made: no page fails for them."""

import json

import pytest
from asgiref.sync import async_to_sync
from django.http import HttpResponse
from django.test import RequestFactory, override_settings
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from sessions_backend import failover, health, names, operators
from sessions_backend.engine import SessionStore
from sessions_backend.middleware import SessionMiddleware
from tests.sessions_backend.test_record import text, values

SESSION_ID = "a-session-of-luigi"
SEALING_KEY = "A" * 43
# What the engine, Django and the shop look at in a record.
OWN_NAMES = st.sampled_from(
    [
        "_auth_user_id",
        "_auth_user_hash",
        "_session_expiry",
        "_session_init_timestamp_",
        "created_at",
        "expires_at",
        "tokens",
        "user_info",
        "cart",
    ]
)
EITHER = pytest.mark.parametrize("is_protected", [False, True])

# One example in one Redis after the other is what is wanted here.
many_in_one_test = hypothesis_settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def protected(is_protected):
    # A pause of the machine is not what is tried here.
    changes: dict[str, object] = {"SESSION_REDIS_BUDGET_MS": 10_000}
    if is_protected:
        changes |= {
            "SESSION_KEY_SECRET": "a-secret-of-the-tests-and-of-nobody-else",
            "SESSION_SEALING_KEYS": [SEALING_KEY],
        }
    with override_settings(**changes):
        yield


def page(request):
    request.session["seen"] = request.session.get("seen", 0)
    return HttpResponse("fine")


def visit(cookie):
    request = RequestFactory().get("/")
    request.COOKIES["mario_session"] = cookie
    response = SessionMiddleware(page)(request)
    return request.session, response


@EITHER
@pytest.mark.usefixtures("protected")
class TestIds:
    @many_in_one_test
    @given(st.text() | st.text("abc-_", min_size=8, max_size=140))
    @example("\ud800" * 10)
    @example("a" * 129)
    @example("sessions:marker")
    @example("mario_session:abc")
    @example("a-session\x00null")
    def test_that_were_made_up_are_nobodys(self, cookie):
        session, response = visit(cookie)

        assert response.status_code == 200
        assert session.session_key != cookie
        assert not SessionStore().exists(cookie)
        SessionStore().delete(cookie)
        assert operators.find(cookie) is None

    def test_that_are_none_lead_nowhere_in_an_event_loop_either(self):
        assert not async_to_sync(SessionStore().aexists)("\ud800 no id")
        async_to_sync(SessionStore().adelete)("\ud800 no id")


@EITHER
@pytest.mark.usefixtures("protected")
class TestRecords:
    @many_in_one_test
    @given(st.dictionaries(OWN_NAMES | text, values, max_size=6))
    @example({"_session_expiry": 10**30})
    @example({"_session_expiry": -1})
    @example({"_session_expiry": "2026-01-01"})
    @example({"_session_expiry": "0001-01-01T00:00:00+14:00"})
    @example({"_session_expiry": "9999-12-31T23:59:59-14:00"})
    @example({"_session_expiry": "2150-12-31T23:59:59+00:00"})
    @example({"_session_expiry": -67768042405307580})
    @example({"created_at": "2026-01-01T00:00:00+00:00", "expires_at": "9999"})
    @example({"created_at": 7, "expires_at": []})
    @example({"_auth_user_id": {"a": []}, "tokens": "sealed.1.x"})
    def test_of_any_shape_are_read_or_kept_aside(self, held):
        key = names.record_key(SESSION_ID)
        failover.store().put(key, json.dumps(held).encode(), 1000)

        session, response = visit(SESSION_ID)

        assert response.status_code == 200
        assert session["seen"] is not None
        listed = operators.read(SESSION_ID)
        assert listed is None or listed.record is not None

    @many_in_one_test
    @given(st.binary(max_size=60))
    @example(b"")
    @example(b'{"superseded_by": 7, "data": {}}')
    def test_that_are_no_json_are_kept_aside(self, raw):
        key = names.record_key(SESSION_ID)
        failover.store().put(key, b"\xff" + raw, 1000)

        _, response = visit(SESSION_ID)

        assert response.status_code == 200
        assert failover.store().load(key) is None

    @override_settings(SESSION_MOST_BYTES=10_000)
    def test_of_megabytes_are_not_read(self, redis_client):
        key = names.record_key(SESSION_ID)
        huge = json.dumps({"cart": "x" * 10_000_000}).encode()
        failover.store().put(key, huge, 1000)
        before = health.counts().get("damaged_records", 0)
        sent = redis_client.info("stats")["total_net_output_bytes"]

        session, response = visit(SESSION_ID)

        assert response.status_code == 200
        assert session.session_key != SESSION_ID
        now = redis_client.info("stats")["total_net_output_bytes"]
        assert now - sent < 200_000
        assert health.counts()["damaged_records"] > before
        (listed,) = operators.all_sessions(limit=1)
        assert listed.record is None
        assert failover.store().exists(key)

    @override_settings(SESSION_MOST_BYTES=10_000)
    def test_that_an_outage_has_made_too_large_are_read_all_the_same(self):
        held = {f"line-{number}": "x" * 1000 for number in range(15)}
        key = names.record_key(SESSION_ID)
        failover.store().put(key, json.dumps(held).encode(), 1000)

        assert SessionStore(SESSION_ID).load().keys() == held.keys()

    @pytest.mark.parametrize(
        "left",
        [
            b"\xff",
            b"[]",
            b"{}",
            b'{"superseded_by": "x"}',
            b'{"superseded_by": 7, "data": {"a": 1}}',
            b'{"superseded_by": "other-session", "data": 7}',
            b'{"superseded_by": "other-session", "data": {"tokens": "sealed.1.x"}}',
        ],
        ids=str,
    )
    def test_that_a_rotation_leaves_may_be_spoiled(self, left):
        before = health.counts().get("damaged_records", 0)
        key = names.superseded_key(names.record_key(SESSION_ID))
        failover.store().put(key, left, 1000)

        session, response = visit(SESSION_ID)

        assert response.status_code == 200
        assert session.session_key != SESSION_ID
        assert not session.is_superseded
        assert health.counts()["damaged_records"] > before


class TestReleasesSideBySide:
    def test_what_a_newer_one_has_added_survives(self):
        key = names.record_key(SESSION_ID)
        newer = {"cart": {"a": 1}, "devices": [{"name": "phone"}], "_format": 2}
        failover.store().put(key, json.dumps(newer).encode(), 1000)

        older = SessionStore(SESSION_ID)
        older["cart"]["b"] = 1
        older.save()

        assert dict(SessionStore(SESSION_ID).items()) == {
            **newer,
            "cart": {"a": 1, "b": 1},
        }

    def test_an_unknown_seal_is_kept_aside_and_not_misread(self, redis_client):
        key = names.record_key(SESSION_ID)
        newer = b'{"tokens":"sealed.1.0badcafe.eHl6"}'
        with override_settings(SESSION_SEALING_KEYS=[SEALING_KEY]):
            failover.store().put(key, newer, 1000)

            assert SessionStore(SESSION_ID).load() == {}

        (kept,) = redis_client.keys("sessions:damaged:*")
        assert redis_client.get(kept) == newer.decode()
