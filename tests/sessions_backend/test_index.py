from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.test import override_settings

from sessions_backend import failover, index
from sessions_backend.engine import SessionStore
from sessions_backend.exceptions import StorageUnavailable
from tests.servers import wait_until
from tests.sessions_backend.misbehaving import HANG, PASS

LABEL = "https://idp/realms/pyneuro|0b1e-sid"
HOUR = timedelta(hours=1)


@pytest.fixture
def session():
    session = SessionStore()
    session["cart"] = 1
    session.save()
    return session


@pytest.mark.usefixtures("any_store")
class TestALabel:
    def test_that_nobody_linked_leads_nowhere(self):
        assert index.lookup(LABEL) == (None, False)

    def test_leads_to_its_session(self, session):
        assert index.link(LABEL, session.session_key, ttl=HOUR) == session.session_key
        assert index.lookup(LABEL) == (session.session_key, False)

    def test_stays_with_the_first_that_was_linked(self):
        index.link(LABEL, "first-session", ttl=HOUR)

        assert index.link(LABEL, "second-session", ttl=HOUR) == "first-session"

    def test_goes_to_one_of_many_at_once(self):
        ids = [f"session-{number}" for number in range(8)]

        with ThreadPoolExecutor(8) as pool:
            winners = list(pool.map(lambda key: index.link(LABEL, key, ttl=60), ids))

        assert len(set(winners)) == 1
        assert index.lookup(LABEL) == (winners[0], False)

    def test_can_be_led_elsewhere(self):
        assert index.relink(LABEL, "first-session", ttl=HOUR)
        assert index.relink(LABEL, "second-session", ttl=HOUR)

        assert index.lookup(LABEL) == ("second-session", False)

    def test_can_be_forbidden_for_a_while_and_leaves_the_session(self, session):
        index.link(LABEL, session.session_key, ttl=HOUR)

        index.forbid(LABEL, ttl=1)

        assert index.lookup(LABEL) == (None, True)
        assert not index.relink(LABEL, session.session_key, ttl=HOUR)
        assert SessionStore().exists(session.session_key)
        wait_until(lambda: index.lookup(LABEL) == (None, False), seconds=5)
        assert index.relink(LABEL, session.session_key, ttl=HOUR)

    def test_is_led_elsewhere_only_from_where_it_was_expected(self):
        index.link(LABEL, "first-session", ttl=HOUR)

        assert not index.relink(LABEL, "mine", ttl=HOUR, expected="another-session")
        assert not index.relink("unknown", "mine", ttl=HOUR, expected="another-session")
        assert index.lookup(LABEL) == ("first-session", False)
        assert index.relink(LABEL, "mine", ttl=HOUR, expected="first-session")
        assert index.lookup(LABEL) == ("mine", False)

    def test_that_is_revoked_ends_its_session(self, session):
        index.link(LABEL, session.session_key, ttl=HOUR)

        assert index.revoke(LABEL, ttl=HOUR) == session.session_key

        assert index.lookup(LABEL) == (None, True)
        assert not SessionStore().exists(session.session_key)
        assert index.revoke(LABEL, ttl=HOUR) is None

    def test_that_is_revoked_stays_so(self, session):
        index.revoke(LABEL, ttl=HOUR)

        assert index.link(LABEL, session.session_key, ttl=HOUR) is None
        assert not index.relink(LABEL, session.session_key, ttl=HOUR)
        assert not index.relink(LABEL, "mine", ttl=HOUR, expected="other")
        assert index.lookup(LABEL) == (None, True)


def test_a_label_stands_nowhere_in_clear_and_no_session_pattern_finds_it(
    redis_client, session
):
    index.link(LABEL, session.session_key, ttl=HOUR)

    (key,) = redis_client.keys("sessions:label:*")
    assert "sid" not in key.removeprefix("sessions:")
    assert session.session_key not in key
    assert 3590 <= redis_client.ttl(key) <= 3600


def test_a_lookup_is_one_round_trip(proxy, session):
    index.link(LABEL, session.session_key, ttl=HOUR)
    before = proxy.round_trips

    index.lookup(LABEL)

    assert proxy.round_trips == before + 1


def test_a_label_that_cannot_be_known_is_not_unknown(proxy, session):
    index.link(LABEL, session.session_key, ttl=HOUR)
    proxy.mode = HANG

    with pytest.raises(StorageUnavailable):
        index.lookup(LABEL)


def test_a_revocation_that_met_one_failure_reaches_redis_by_itself(
    proxy, redis_client, session
):
    with override_settings(SESSION_STRICT=False):
        failover.reset()
        failover.configure()
        proxy.mode = HANG
        with pytest.raises(StorageUnavailable):
            index.revoke(LABEL, ttl=HOUR)
        situation = failover.situation()
        assert situation
        assert not situation.breaker.is_open

        proxy.mode = PASS

        wait_until(lambda: redis_client.keys("sessions:label:*"))


def test_a_label_that_another_leads_elsewhere_meanwhile_is_led_on(monkeypatch):
    """Whoever comes last wins, however often others are faster."""
    index.link(LABEL, "first-session", ttl=60)
    store = failover.store()
    replace, faster = store.replace, ["second-session", "third-session"]

    def slow(key, *rest, **named):
        if faster:
            store.put(key, faster.pop().encode(), 60)
        return replace(key, *rest, **named)

    monkeypatch.setattr(store, "replace", slow)

    assert index.relink(LABEL, "mine-session", ttl=60)
    assert index.lookup(LABEL) == ("mine-session", False)
