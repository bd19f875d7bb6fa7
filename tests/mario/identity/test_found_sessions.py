"""
Where a process has found the session of a login, and all that may become of it since.
"""

import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth import SESSION_KEY

from mario.identity import login_session, memo
from mario.identity.login_session import label
from pizzeria.menu.models import Pizza
from sessions_backend import failover, index, names, operators
from sessions_backend.engine import SessionStore
from tests.mario.identity.issuer import Issuer
from tests.mario.identity.test_bearer import add, call
from tests.mario.identity.test_login import begin, come_back, log_in
from tests.mario.identity.test_logout import logout_token, tell
from tests.servers import wait_until

pytestmark = pytest.mark.django_db
KEYS = "mario_session:*"


@pytest.fixture
def pizza() -> Pizza:
    return Pizza.objects.create(name="Margherita", base_price="12.99")


@pytest.fixture
def token(client, issuer: Issuer, pizza) -> str:
    """A bearer of Peach's, whose session this process has just found."""
    log_in(client, issuer)
    token = issuer.sign(issuer.claims())
    assert add(token, pizza).status_code == 201
    assert label(issuer.claims()) in login_session._found
    return token


def meanwhile(monkeypatch, name: str, happens: Callable[[], Any]) -> None:
    """Let something happen once, just before the index is asked."""
    asked = getattr(index, name)

    def after_it(*args, **options):
        monkeypatch.setattr(index, name, asked)
        happens()
        return asked(*args, **options)

    monkeypatch.setattr(index, name, after_it)


class TestTheEndOfItsLogin:
    """Nothing tells this process of it: it is as if another had been asked."""

    def by_the_button(self, client, issuer: Issuer) -> None:
        client.post("/auth/logout")

    def by_keycloak(self, client, issuer: Issuer) -> None:
        assert tell(logout_token(issuer)).status_code == 200

    def by_keycloak_for_the_person(self, client, issuer: Issuer) -> None:
        assert tell(logout_token(issuer, sid=None)).status_code == 200

    def by_an_operator(self, client, issuer: Issuer) -> None:
        found = operators.read(client.session.session_key)
        assert found
        operators.revoke(found)

    def by_an_answer_of_keycloaks(self, client, issuer: Issuer) -> None:
        login_session.lapse(client.session.session_key, generation=1)

    WAYS = (
        by_the_button,
        by_keycloak,
        by_keycloak_for_the_person,
        by_an_operator,
        by_an_answer_of_keycloaks,
    )

    @pytest.mark.parametrize("end", WAYS, ids=lambda way: way.__name__)
    def test_ends_its_bearers_at_once(self, client, issuer: Issuer, token, end):
        end(self, client, issuer)

        assert call(token).status_code == 401

    def test_ends_a_call_that_is_just_looking_it_up(
        self, client, issuer: Issuer, token, monkeypatch
    ):
        login_session._found.clear()
        meanwhile(monkeypatch, "lookup", lambda: client.post("/auth/logout"))

        assert call(token).status_code == 401

    def test_that_comes_while_redis_is_away_ends_them_here(
        self, client, issuer: Issuer, token, valkey
    ):
        valkey.pause()
        try:
            tell(logout_token(issuer))
            assert call(token).status_code == 401
        finally:
            valkey.resume()
            wait_until(lambda: not failover.is_degraded(), seconds=20)
        assert call(token).status_code == 401


class TestWhoComesAtTheSameMoment:
    def test_a_bearer_while_the_browser_logs_in_leaves_no_session_behind(
        self, client, issuer: Issuer, pizza, redis_client, monkeypatch
    ):
        token = issuer.sign(issuer.claims())
        asked = begin(client)
        issuer.will_answer(asked["nonce"])
        meanwhile(monkeypatch, "link", lambda: add(token, pizza))

        come_back(client, asked)

        assert len(redis_client.keys(KEYS)) == 1
        assert len(client.session["cart"]) == 1
        call(token)
        client.post("/auth/logout")
        assert call(token).status_code == 401
        assert redis_client.keys(KEYS) == []

    def test_a_bearer_while_the_browser_logs_in_again_leaves_no_session_behind(
        self, client, issuer: Issuer, token, pizza, redis_client, monkeypatch
    ):
        asked = begin(client)
        issuer.will_answer(asked["nonce"])
        meanwhile(monkeypatch, "link", lambda: add(token, pizza))

        come_back(client, asked)

        assert len(redis_client.keys(KEYS)) == 1
        assert len(client.session["cart"]) == 2

    def test_what_a_bearer_is_changing_meanwhile_is_kept(
        self, client, issuer: Issuer, token, pizza, redis_client
    ):
        client.cookies.clear()
        (key,) = redis_client.keys(KEYS)
        slow = SessionStore(names.name_of(key))
        stored = SessionStore(names.name_of(key))
        stored["cart_voucher"] = "PIZZA20"
        stored.save()
        slow["cart"]["slow"] = {"pizza": pizza.pk, "size": "medium", "quantity": 1}
        asked = begin(client)
        issuer.will_answer(asked["nonce"])
        come_back(client, asked)

        slow.save()

        assert len(redis_client.keys(KEYS)) == 1
        assert "slow" in client.session["cart"]
        assert client.session["cart_voucher"] == "PIZZA20"

    def test_new_tokens_take_over_what_a_bearer_has_opened(
        self, client, issuer: Issuer, token, pizza, redis_client
    ):
        redis_client.delete(*redis_client.keys("sessions:label:*"))
        login_session._found.clear()
        add(token, pizza)
        assert len(redis_client.keys(KEYS)) == 2

        session = SessionStore(client.session.session_key)
        login_session.link_again(session, issuer.claims())

        assert len(redis_client.keys(KEYS)) == 1
        assert len(client.session["cart"]) == 2

    def test_a_bearer_of_somebody_else_with_the_same_sid_gets_nothing(
        self, issuer: Issuer, pizza, monkeypatch
    ):
        bowser = issuer.sign(issuer.claims(sub="bowser"))
        meanwhile(monkeypatch, "link", lambda: add(bowser, pizza))

        assert call(issuer.sign(issuer.claims())).status_code == 401
        assert len(call(bowser).json()["items"]) == 1


def test_a_login_that_leads_nowhere_is_no_loop(issuer: Issuer, token, redis_client):
    redis_client.delete(*redis_client.keys(KEYS))
    (led_from,) = redis_client.keys("sessions:label:*")
    redis_client.set(led_from, "", ex=60)

    assert call(token).status_code == 503
    assert redis_client.keys(KEYS) == []


def test_another_persons_bearer_finds_the_session_and_is_refused(issuer: Issuer, token):
    assert call(issuer.sign(issuer.claims(sub="bowser"))).status_code == 401


def test_somebody_else_in_the_same_browser_gets_nothing_of_it(
    client, issuer: Issuer, token
):
    log_in(client, issuer, sub="bowser", sid="castle")

    # Peach's login goes on at Keycloak, with a session of its own here.
    assert call(token).json()["items"] == []
    record_name, _ = index.lookup(label(issuer.claims()) or "")
    assert SessionStore(record_name)[SESSION_KEY] != client.session[SESSION_KEY]


def test_it_is_looked_for_again_after_ten_seconds(issuer: Issuer, token):
    name = label(issuer.claims()) or ""
    found, until = login_session._found[name]
    assert 0 < until - time.monotonic() <= 10

    index.relink(name, "another-session", ttl=60)
    assert len(call(token).json()["items"]) == 1
    login_session._found[name] = found, time.monotonic()

    assert call(token).json()["items"] == []


def _keep_in_the_memo(name: str) -> None:
    memo.keep(name, {}, None, ends_at=0)  # type: ignore[arg-type]  # no key is used


@pytest.mark.parametrize(
    "note", [_keep_in_the_memo, lambda name: login_session._note_found(name, name)]
)
def test_threads_that_drop_the_oldest_at_once_do_not_fail(note, monkeypatch):
    monkeypatch.setattr(memo, "MOST", 64)
    monkeypatch.setattr(login_session, "_MOST_FOUND", 64)
    interval = sys.getswitchinterval()

    def many(thread: int) -> None:
        for number in range(20_000):
            note(f"{thread} {number}")

    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(many, range(4))) == [None] * 4
    finally:
        sys.setswitchinterval(interval)
        memo.forget()
        login_session._found.clear()
