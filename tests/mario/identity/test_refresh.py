import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connections
from django.test import Client

from mario.identity import interrupted, jwks, refresh
from mario.identity.exceptions import InvalidToken
from sessions_backend import failover, index
from sessions_backend.engine import SessionStore
from sessions_backend.exceptions import StorageUnavailable
from sessions_backend.lease import Lease
from tests.mario.identity.issuer import Issuer
from tests.mario.identity.test_login import log_in
from tests.servers import wait_until

# Renewals run in threads with database connections of their own.
pytestmark = pytest.mark.django_db(transaction=True)

CART = {"line": {"pizza": 1, "quantity": 2}}


class Visit:
    """Somebody logged in, whose tokens can be made to age."""

    def __init__(self, client: Client, redis_client) -> None:
        self.client, self.redis = client, redis_client

    @property
    def key(self) -> str:
        return self.client.cookies["mario_session"].value

    @property
    def record(self):
        return json.loads(self.redis.get(f"mario_session:{self.key}") or "{}")

    @property
    def tokens(self):
        return self.record.get("tokens", {})

    def let_tokens_end_in(self, seconds: float) -> None:
        session = SessionStore(self.key)
        session["tokens"] = {
            **session["tokens"],
            "expires_at": round(time.time() + seconds),
        }
        session.save()

    def see(self, path: str = "/orders/", **headers):
        return self.client.get(path, headers=headers)


# What a visitor goes on with.
LEFT = {"cart", "cart_voucher", "created_at", "expires_at"}


@pytest.fixture
def visit(client, issuer: Issuer, redis_client) -> Visit:
    visit = Visit(client, redis_client)
    log_in(client, issuer)
    session = SessionStore(visit.key)
    session["cart"], session["cart_voucher"] = CART, "PIZZA20"
    session.save()
    issuer.token_requests.clear()
    issuer.will_refresh()
    return visit


class TestTokensThatLive:
    def test_are_left_alone(self, visit, issuer: Issuer):
        visit.let_tokens_end_in(200)

        assert visit.see().status_code == 200
        assert issuer.token_requests == []

    def test_are_renewed_beside_the_request_before_they_end(
        self, visit, issuer: Issuer
    ):
        visit.let_tokens_end_in(30)
        may_answer = threading.Event()
        issuer.before_answering = may_answer.wait

        # Nobody waits for Keycloak.
        assert visit.see().status_code == 200
        assert visit.tokens["generation"] == 1

        may_answer.set()
        wait_until(lambda: visit.tokens["generation"] == 2)
        assert visit.tokens["refresh_token"] == "refresh-token-1"
        assert 290 < visit.tokens["expires_at"] - time.time() <= 300
        assert len(issuer.token_requests) == 1
        assert issuer.posted["grant_type"] == ["refresh_token"]
        assert issuer.posted["refresh_token"] == ["a-refresh-token"]

    def test_are_asked_for_once_however_many_requests_come(self, visit, issuer: Issuer):
        visit.let_tokens_end_in(30)
        issuer.before_answering = lambda: time.sleep(0.5)

        for _ in range(5):
            visit.see()

        wait_until(lambda: visit.tokens["generation"] == 2)
        assert len(issuer.token_requests) == 1

    def test_that_live_for_seconds_only_are_not_renewed_all_the_time(
        self, client, issuer: Issuer, redis_client
    ):
        log_in(client, issuer)
        visit = Visit(client, redis_client)
        session = SessionStore(visit.key)
        session["tokens"] = {**session["tokens"], "expires_in": 20}
        session.save()
        issuer.token_requests.clear()

        visit.let_tokens_end_in(10)
        visit.see()

        refresh.forget_all()
        assert issuer.token_requests == []


class TestTokensThatHaveEnded:
    def test_are_renewed_before_the_request_goes_on(self, visit, issuer: Issuer):
        visit.let_tokens_end_in(-1)

        assert visit.see().status_code == 200
        assert visit.tokens["generation"] == 2
        assert visit.record["cart"] == CART

    @pytest.mark.parametrize("method", ["get", "post", "put", "delete"])
    def test_are_renewed_for_every_method(self, visit, issuer: Issuer, method):
        visit.let_tokens_end_in(-1)

        getattr(visit.client, method)("/api/cart/")

        assert visit.tokens["generation"] == 2

    def test_leave_the_login_as_it_is(self, visit, issuer: Issuer):
        before = visit.record
        visit.let_tokens_end_in(-1)

        visit.see()

        after = visit.record
        assert after["user_info"] == before["user_info"]
        assert after["_auth_user_id"] == before["_auth_user_id"]
        assert after["expires_at"] == before["expires_at"]

    def test_of_many_requests_at_once_are_asked_for_once(self, visit, issuer: Issuer):
        visit.let_tokens_end_in(-1)
        issuer.before_answering = lambda: time.sleep(0.3)
        cookies = visit.client.cookies

        def request(_: int) -> int:
            browser = Client()
            browser.cookies = cookies
            return browser.get("/api/cart/").status_code

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(request, range(8)))

        assert answers == [200] * 8
        assert len(issuer.token_requests) == 1

    def test_bring_roles_and_names_up_to_date(self, visit, issuer: Issuer):
        issuer.will_refresh(given_name="Daisy", realm_access={"roles": ["chef"]})
        visit.let_tokens_end_in(-1)

        assert visit.see("/kitchen/").status_code == 200
        assert User.objects.get().first_name == "Daisy"
        assert visit.record["user_info"]["roles"] == ["chef"]

    def test_take_roles_away(self, visit, issuer: Issuer):
        issuer.will_refresh(realm_access={"roles": ["chef"]})
        visit.let_tokens_end_in(-1)
        visit.see()
        issuer.will_refresh(2, realm_access={"roles": []})
        visit.let_tokens_end_in(-1)

        assert visit.see("/kitchen/").status_code == 403

    def test_give_no_role_back_that_a_newer_token_has_taken(
        self, visit, issuer: Issuer
    ):
        now = int(time.time())
        chef: Any = {"realm_access": {"roles": ["chef"]}}
        issuer.will_refresh(iat=now - 60, **chef)
        visit.let_tokens_end_in(-1)

        visit.see()

        assert visit.tokens["generation"] == 2
        assert visit.see("/kitchen/").status_code == 403

    def test_keep_what_the_answer_leaves_out(self, visit, issuer: Issuer):
        id_token = visit.tokens["id_token"]
        answer = issuer.will_refresh()
        del answer["refresh_token"], answer["id_token"], answer["expires_in"]
        issuer.token_body = json.dumps(answer).encode()
        visit.let_tokens_end_in(-1)

        assert visit.see().status_code == 200
        assert visit.tokens["refresh_token"] == "a-refresh-token"
        assert visit.tokens["id_token"] == id_token
        assert 290 < visit.tokens["expires_at"] - time.time() <= 300

    def test_lead_bearers_of_the_login_to_its_session_again(
        self, visit, issuer: Issuer
    ):
        name = f"{issuer.issuer}|a3d1c9-login"
        index.relink(name, "another-session", ttl=60)
        visit.let_tokens_end_in(-1)

        visit.see()

        assert index.lookup(name) == (visit.key, False)

    def test_keep_what_another_request_saves_meanwhile(self, visit, issuer: Issuer):
        visit.let_tokens_end_in(-1)
        key = visit.key

        def add_to_cart() -> None:
            session = SessionStore(key)
            session["cart"] = {**CART, "more": {"pizza": 2}}
            session.save()

        issuer.before_answering = add_to_cart

        visit.see()

        assert visit.tokens["generation"] == 2
        assert "more" in visit.record["cart"]


class TestALoginThatKeycloakHasEnded:
    @pytest.fixture(autouse=True)
    def _ended(self, visit, issuer: Issuer):
        issuer.token_status = 400
        issuer.token_body = b'{"error": "invalid_grant", "error_description": "x"}'
        visit.let_tokens_end_in(-1)

    def test_is_asked_for_again_and_keeps_the_cart(self, visit, issuer: Issuer):
        response = visit.see()

        assert response.status_code == 302
        assert response["location"].startswith("/auth/login?next=/orders/")
        assert visit.record.keys() == LEFT
        assert visit.record["cart"] == CART

    def test_is_asked_about_once(self, visit, issuer: Issuer):
        visit.see()
        visit.see()
        visit.see("/menu/")

        assert len(issuer.token_requests) == 1

    def test_leaves_no_empty_session_behind(self, visit, issuer: Issuer, redis_client):
        session = SessionStore(visit.key)
        del session["cart"]
        session.save()

        response = visit.see("/menu/")

        assert response.status_code == 200
        assert redis_client.keys("mario_session:*") == []
        assert response.cookies["mario_session"].value == ""

    def test_shows_a_public_page_as_to_a_visitor(self, visit, issuer: Issuer):
        response = visit.see("/cart/")

        assert response.status_code == 200
        assert b"Log out" not in response.content

    def test_lets_a_visitors_form_go_on(self, visit, issuer: Issuer):
        response = visit.client.post("/cart/remove/", {"line": "line"})

        assert response.status_code in (302, 303)
        assert not response["location"].startswith("/auth/")

    def test_tells_htmx_to_go_to_the_login(self, visit, issuer: Issuer):
        response = visit.see(hx_request="true", hx_current_url="http://testserver/x/")

        assert response["HX-Redirect"] == "/auth/login?next=%2Fx%2F"

    def test_challenges_a_program(self, visit, issuer: Issuer):
        response = visit.see("/api/cart/")

        assert response.status_code == 401
        assert response["WWW-Authenticate"].startswith("Bearer")

    def test_refuses_its_bearers_while_they_could_live(self, visit, issuer: Issuer):
        token = visit.tokens["access_token"]
        visit.see()

        response = Client().get(
            "/api/cart/", headers={"authorization": f"Bearer {token}"}
        )

        assert response.status_code == 401
        assert 300 < visit.redis.ttl(visit.redis.keys("sessions:label:*")[0]) < 400

    def test_comes_back_with_its_cart(self, visit, issuer: Issuer):
        visit.see()
        issuer.token_status = 200

        log_in(visit.client, issuer)

        assert visit.record["cart"] == CART
        assert visit.tokens["generation"] == 1
        assert visit.see().status_code == 200

    def test_is_told_without_secrets(self, visit, issuer: Issuer, caplog):
        secrets = [visit.key, visit.tokens["refresh_token"], visit.tokens["id_token"]]
        visit.see()

        assert "A login has ended" in caplog.text
        assert [secret for secret in secrets if secret in caplog.text] == []


class TestAnAnswerThatMustNotBeBelieved:
    def assert_ended(self, visit):
        visit.let_tokens_end_in(-1)
        assert visit.see()["location"].startswith("/auth/login")
        assert visit.record.keys() == LEFT

    @pytest.mark.parametrize(
        "changes",
        [
            {"iss": "http://evil"},
            {"sub": "bowser"},
            {"sid": "another"},
            {"aud": "another"},
            {"azp": "another"},
            {"exp": 1},
            {"typ": "Bearer"},
            {"sub": None},
            {"at_hash": "wrong"},
        ],
        ids=str,
    )
    def test_ends_the_login_for_an_id_token(self, visit, issuer: Issuer, changes):
        answer = issuer.will_refresh()
        id_claims = issuer.claims(**{"typ": "ID", **changes})
        answer["id_token"] = issuer.sign(id_claims)
        issuer.token_body = json.dumps(answer).encode()

        self.assert_ended(visit)

    @pytest.mark.parametrize(
        "changes", [{"sub": "bowser"}, {"sid": "another"}, {"typ": "ID"}], ids=str
    )
    def test_ends_the_login_for_an_access_token(self, visit, issuer: Issuer, changes):
        answer = issuer.will_refresh()
        answer["access_token"] = issuer.sign(issuer.claims(**changes))
        issuer.token_body = json.dumps(answer).encode()

        self.assert_ended(visit)

    def test_ends_the_login_of_another_auth_time(
        self, client, issuer: Issuer, redis_client
    ):
        visit = Visit(client, redis_client)
        log_in(client, issuer, auth_time=1_700_000_000)
        issuer.will_refresh(auth_time=1_700_000_001)
        visit.let_tokens_end_in(-1)

        assert visit.see().status_code == 302

    def test_ends_the_login_of_somebody_switched_off(self, visit, issuer: Issuer):
        User.objects.update(is_active=False)

        self.assert_ended(visit)

    def test_ends_a_login_that_cannot_be_renewed(self, visit, issuer: Issuer):
        session = SessionStore(visit.key)
        tokens = {**session["tokens"]}
        del tokens["refresh_token"]
        session["tokens"] = tokens
        session.save()

        self.assert_ended(visit)
        assert issuer.token_requests == []


PASSING = [
    (500, b"{}"),
    (503, b"<html>"),
    (429, b"{}"),
    (200, b"<html>"),
    (200, b"[]"),
    (200, b'{"access_token": null}'),
    (401, b'{"error": "invalid_client"}'),
    (400, b'{"error": "temporarily_unavailable"}'),
    (302, b""),
]


class TestWhileKeycloakIsAway:
    @pytest.mark.parametrize(("status", "body"), PASSING, ids=range(len(PASSING)))
    def test_a_login_goes_on_for_the_grace(self, visit, issuer: Issuer, status, body):
        issuer.token_status, issuer.token_body = status, body
        visit.let_tokens_end_in(-1)

        assert visit.see().status_code == 200
        assert visit.tokens["generation"] == 1
        assert len(issuer.token_requests) == 1

    def test_it_is_not_asked_with_every_request(self, visit, issuer: Issuer):
        issuer.token_status = 500
        visit.let_tokens_end_in(-1)

        for _ in range(5):
            assert visit.see().status_code == 200

        assert len(issuer.token_requests) == 1

    def test_a_login_waits_after_the_grace_and_is_kept(self, visit, issuer: Issuer):
        issuer.token_status = 500
        visit.let_tokens_end_in(-301)

        response = visit.see()

        assert response.status_code == 503
        assert response["Retry-After"]
        assert b"your login, your cart and your orders are kept" in response.content
        assert visit.tokens["generation"] == 1
        assert visit.record["cart"] == CART
        api = visit.see("/api/cart/")
        assert (api.status_code, api.json()["code"]) == (503, "login_unavailable")

    def test_the_menu_is_shown_as_to_a_visitor(self, visit, issuer: Issuer):
        issuer.token_status = 500
        visit.let_tokens_end_in(-301)

        response = visit.see("/menu/")

        assert response.status_code == 200
        assert b"Log out" not in response.content
        assert visit.tokens["generation"] == 1

    def test_the_login_goes_on_when_it_is_back(
        self, visit, issuer: Issuer, monkeypatch
    ):
        monkeypatch.setattr(refresh, "REST", 1)
        issuer.token_status = 500
        visit.let_tokens_end_in(-301)
        assert visit.see().status_code == 503

        issuer.token_status = 200
        issuer.will_refresh()

        wait_until(lambda: visit.see().status_code == 200)
        assert visit.tokens["generation"] == 2

    def test_a_logout_and_the_login_page_work(self, visit, issuer: Issuer):
        issuer.token_status = 500
        visit.let_tokens_end_in(-301)

        assert visit.see("/auth/login").status_code == 302
        assert visit.client.post("/auth/logout").status_code == 302
        assert visit.record == {}

    def test_a_request_waits_longer_for_what_it_cannot_go_on_without(
        self, visit, issuer: Issuer, settings
    ):
        settings.OIDC_REFRESH_PATIENCE = 0.1
        issuer.token_status = 200
        issuer.will_refresh()
        issuer.before_answering = lambda: time.sleep(1)
        visit.let_tokens_end_in(-301)

        assert visit.see().status_code == 200
        assert visit.tokens["generation"] == 2

    def test_a_hanging_endpoint_holds_nobody_for_long(
        self, visit, issuer: Issuer, settings
    ):
        settings.OIDC_REFRESH_PATIENCE = 2
        may_answer = threading.Event()
        issuer.token_status = 200
        issuer.will_refresh()
        issuer.before_answering = may_answer.wait
        visit.let_tokens_end_in(-1)
        started = time.monotonic()

        assert visit.see().status_code == 200
        assert 1.9 < time.monotonic() - started < 10
        # From now on nobody waits, until it answers.
        started = time.monotonic()
        visit.see()
        assert time.monotonic() - started < 1.9

        # The answer comes late, and is not lost.
        may_answer.set()
        wait_until(lambda: visit.tokens["generation"] == 2)
        assert len(issuer.token_requests) == 1


class TestManyLoginsAtOnce:
    LOGINS = 8

    @pytest.fixture
    def visits(self, issuer: Issuer, redis_client) -> list[Visit]:
        """Eight people, whose refresh tokens are told by their number."""
        visits = []
        for number in range(self.LOGINS):
            visit = Visit(Client(), redis_client)
            name = f"guest-{number}"
            log_in(visit.client, issuer, sub=name, sid=name, preferred_username=name)
            session = SessionStore(visit.key)
            session["tokens"] = {**session["tokens"], "refresh_token": name}
            session.save()
            visits.append(visit)
        issuer.token_requests.clear()
        return visits

    @pytest.fixture
    def asked(self, issuer: Issuer):
        return lambda: [form["refresh_token"][0] for form in issuer.token_requests]

    def test_hold_few_requests_and_let_the_others_go_on(
        self, visits, issuer: Issuer, asked, settings
    ):
        settings.OIDC_REFRESH_PATIENCE = 60
        may_answer = threading.Event()
        issuer.before_answering = may_answer.wait
        issuer.token_status = 500
        for visit in visits:
            visit.let_tokens_end_in(-1)
        statuses: list[int] = []

        def see(visit: Visit) -> None:
            statuses.append(visit.see().status_code)
            connections.close_all()

        with ThreadPoolExecutor(self.LOGINS) as pool:
            for visit in visits:
                pool.submit(see, visit)
            try:
                going_on = self.LOGINS - refresh.MOST_PATIENT
                wait_until(lambda: len(statuses) == going_on, seconds=30)
                wait_until(lambda: len(asked()) == self.LOGINS, seconds=30)
                assert len(statuses) == going_on
            finally:
                may_answer.set()

        # Each was asked for once.
        assert sorted(asked()) == [f"guest-{number}" for number in range(self.LOGINS)]
        assert statuses == [200] * self.LOGINS

    def test_are_renewed_first_where_a_request_cannot_go_on_without(
        self, visits, issuer: Issuer, asked, monkeypatch
    ):
        refresh.forget_all()
        monkeypatch.setattr(refresh, "AT_ONCE", 1)
        may_answer = threading.Event()
        issuer.before_answering = may_answer.wait
        issuer.token_body = b"{}"
        *early, late = visits
        for visit in early:
            visit.let_tokens_end_in(30)
            assert visit.see().status_code == 200
        wait_until(asked)

        late.let_tokens_end_in(-301)
        with ThreadPoolExecutor(1) as pool:
            waits = pool.submit(late.see)
            wait_until(lambda: refresh._renewals._urgent)
            may_answer.set()
            waits.result(timeout=60)

        refresh.forget_all()
        assert asked()[:2] == ["guest-0", f"guest-{self.LOGINS - 1}"]


class TestNewKeysOfTheRealm:
    def test_are_waited_for_rather_than_a_login_lost(
        self, visit, issuer: Issuer, settings, monkeypatch
    ):
        # Somebody has just made the shop look for unknown keys: it may not again.
        monkeypatch.setattr(jwks, "COOL_DOWN", 3)
        settings.OIDC_REFRESH_PATIENCE = 10
        with pytest.raises(InvalidToken):
            jwks.key("unknown")
        former, issuer.keys = issuer.keys, [issuer.new_key()]
        issuer.will_refresh()
        visit.let_tokens_end_in(-1)

        assert visit.see().status_code == 200
        assert visit.tokens["generation"] == 2
        assert len(issuer.token_requests) == 1
        assert former != issuer.keys


class TestALogoutDuringARenewal:
    def test_is_not_undone(self, visit, issuer: Issuer, redis_client):
        visit.let_tokens_end_in(-1)
        leaving = Client()
        leaving.cookies.load(visit.client.cookies.output(header=""))
        issuer.before_answering = lambda: leaving.post("/auth/logout")

        response = visit.see()

        assert response.status_code == 302
        assert response["location"].startswith("/auth/login")
        assert redis_client.keys("mario_session:*") == []
        assert response.cookies["mario_session"].value == ""


class TestTheStore:
    def test_that_takes_no_writes_costs_no_token(
        self, visit, issuer: Issuer, monkeypatch
    ):
        visit.let_tokens_end_in(-1)
        monkeypatch.setattr(SessionStore, "amend", unavailable)

        assert visit.see().status_code == 200
        assert issuer.token_requests == []

    def test_that_fails_for_a_moment_loses_no_tokens(
        self, visit, issuer: Issuer, monkeypatch
    ):
        visit.let_tokens_end_in(-1)
        amend, calls = SessionStore.amend, []

        def fail_twice(session, change):
            calls.append(change)
            if len(calls) in (2, 3):
                raise StorageUnavailable
            return amend(session, change)

        monkeypatch.setattr(SessionStore, "amend", fail_twice)

        assert visit.see().status_code == 200
        assert visit.tokens["generation"] == 2

    def test_that_loses_the_new_tokens_is_told_and_the_login_asked_for_again(
        self, visit, issuer: Issuer, monkeypatch, caplog
    ):
        visit.let_tokens_end_in(-1)
        monkeypatch.setattr(refresh, "_STORING_PAUSES", (0.01,))
        amend, calls = SessionStore.amend, []

        def fail_after_the_exchange(session, change):
            calls.append(change)
            if len(calls) > 1:
                raise StorageUnavailable
            return amend(session, change)

        monkeypatch.setattr(SessionStore, "amend", fail_after_the_exchange)
        visit.see()
        monkeypatch.undo()
        assert "New tokens are lost" in caplog.text
        assert visit.tokens["generation"] == 1

        issuer.token_status, issuer.token_body = 400, b'{"error": "invalid_grant"}'
        assert visit.see()["location"].startswith("/auth/login")
        assert visit.record["cart"] == CART


def unavailable(*_: object):
    raise StorageUnavailable


def test_a_session_that_somebody_has_edited_is_left_alone(visit, issuer: Issuer):
    damages: list[Any] = [5, [], None, {"expires_at": "x"}, {"expires_at": 5}]
    for damage in damages:
        session = SessionStore(visit.key)
        session["tokens"] = damage
        session.save()

        assert visit.see().status_code == 200
    assert issuer.token_requests == []


def test_a_process_without_redis_renews_what_it_knows(visit, issuer: Issuer, valkey):
    visit.let_tokens_end_in(-1)
    visit.see("/menu/")
    assert visit.tokens["generation"] == 2
    visit.let_tokens_end_in(-1)
    key = visit.key
    SessionStore(key).load()
    valkey.stop()
    try:
        issuer.will_refresh(2)
        assert visit.see().status_code == 200
        assert SessionStore(key)["tokens"]["generation"] == 3
    finally:
        valkey.start()
        wait_until(lambda: not failover.is_degraded(), seconds=20)
    assert visit.tokens["generation"] == 3


class TestAFormOfALoginThatHasEnded:
    FORM = {
        "customer_phone": "+1 202 555 0143",
        "customer_address": "<b>Castle</b>",
        "order_key": "c3ff1bdc",
    }

    @pytest.fixture(autouse=True)
    def _ended(self, visit, issuer: Issuer):
        issuer.token_status, issuer.token_body = 400, b'{"error": "invalid_grant"}'
        visit.let_tokens_end_in(-1)

    def log_in_again(self, visit, issuer: Issuer, **claims) -> None:
        issuer.token_status = 200
        log_in(visit.client, issuer, **claims)

    def test_is_kept_until_the_person_is_back(self, visit, issuer: Issuer):
        response = visit.client.post("/checkout/", self.FORM)

        assert response["location"] == "/auth/login?next=%2Fauth%2Finterrupted"
        self.log_in_again(visit, issuer)
        page = visit.see("/auth/interrupted")
        assert page.status_code == 200
        assert b'action="/checkout/"' in page.content
        assert b'value="+1 202 555 0143"' in page.content
        assert b"<dt>Phone</dt><dd>+1 202 555 0143</dd>" in page.content
        assert page.content.count(b"c3ff1bdc") == 1
        assert b"&lt;b&gt;Castle&lt;/b&gt;" in page.content
        assert "no-store" in page["Cache-Control"]

    def test_is_shown_once(self, visit, issuer: Issuer):
        visit.client.post("/checkout/", self.FORM)
        self.log_in_again(visit, issuer)
        visit.see("/auth/interrupted")

        assert visit.see("/auth/interrupted")["location"] == "/"
        assert "interrupted_form" not in visit.record

    def test_is_shown_to_nobody_else(self, visit, issuer: Issuer):
        visit.client.post("/checkout/", self.FORM)
        self.log_in_again(visit, issuer, sub="bowser", preferred_username="bowser")

        assert visit.see("/auth/interrupted")["location"] == "/"
        assert "interrupted_form" not in visit.record

    def test_is_forgotten_after_ten_minutes(self, visit, issuer: Issuer, monkeypatch):
        monkeypatch.setattr(interrupted, "_SECONDS", -1)
        visit.client.post("/checkout/", self.FORM)
        self.log_in_again(visit, issuer)

        assert visit.see("/auth/interrupted")["location"] == "/"

    def test_of_htmx_is_kept_too(self, visit, issuer: Issuer):
        response = visit.client.post(
            "/checkout/", self.FORM, headers={"hx-request": "true"}
        )

        assert response["HX-Redirect"] == "/auth/login?next=%2Fauth%2Finterrupted"

    def test_that_is_too_large_is_not_kept(self, visit, issuer: Issuer):
        form = {"customer_address": "x" * 5000}

        response = visit.client.post("/checkout/", form)

        assert response["location"].startswith("/auth/login?next=/checkout/")
        assert "interrupted_form" not in visit.record

    def test_is_behind_the_login(self, issuer: Issuer):
        response = Client().get("/auth/interrupted")

        assert response["location"] == "/auth/login?next=%2Fauth%2Finterrupted"


class TestAnotherProcess:
    @pytest.fixture
    def its_lease(self, visit, settings) -> Lease:
        settings.OIDC_REFRESH_PATIENCE = 0.5
        visit.let_tokens_end_in(-1)
        lease = Lease(f"refresh|{visit.key}", seconds=60)
        assert lease.acquire()
        return lease

    def test_that_asks_is_waited_for(self, visit, issuer: Issuer, its_lease: Lease):
        assert visit.see().status_code == 200
        assert issuer.token_requests == []

        its_lease.release()

        wait_until(lambda: visit.tokens["generation"] == 2)
        assert len(issuer.token_requests) == 1

    def test_that_was_faster_has_done_it(self, visit, issuer: Issuer, its_lease: Lease):
        visit.see()
        session = SessionStore(visit.key)
        session["tokens"] = {
            **session["tokens"],
            "generation": 2,
            "expires_at": int(time.time()) + 300,
        }
        session.save()

        its_lease.release()

        refresh.forget_all()
        assert visit.see().status_code == 200
        assert issuer.token_requests == []

    def test_that_answered_first_keeps_its_tokens(self, visit, issuer: Issuer):
        # Its lease was lost, and both have asked: the session has the newer ones.
        visit.let_tokens_end_in(-1)

        def be_faster() -> None:
            session = SessionStore(visit.key)
            session["tokens"] = {
                **session["tokens"],
                "generation": 2,
                "refresh_token": "the other's",
                "expires_at": int(time.time()) + 300,
            }
            session.save()

        issuer.before_answering = be_faster

        assert visit.see().status_code == 200
        assert visit.tokens["refresh_token"] == "the other's"
        assert visit.tokens["generation"] == 2

    def test_that_found_keycloak_away_is_believed(
        self, visit, issuer: Issuer, its_lease: Lease, settings
    ):
        settings.OIDC_REFRESH_PATIENCE = 20
        its_lease.rest(60)
        started = time.monotonic()

        assert visit.see().status_code == 200
        assert time.monotonic() - started < 10
        assert issuer.token_requests == []
