import json
import threading
import time
from collections.abc import Iterator

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import URLResolver, get_resolver

from mario.account.models import AuditEntry
from mario.devrealm.environment import REALM_FILE
from mario.identity import jwks, lifetimes, scopes
from mario.identity.login_session import label
from pizzeria.menu.models import Pizza
from sessions_backend import index
from tests.mario.identity.issuer import Issuer
from tests.mario.identity.test_login import begin, come_back, log_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def pizza() -> Pizza:
    return Pizza.objects.create(name="Margherita", base_price="12.99")


def call(token: str, method: str = "GET", path: str = "/api/cart/", **item):
    return Client().generic(
        method,
        path,
        data=json.dumps(item) if item else "",
        content_type="application/json",
        headers={"Authorization": f"Bearer {token}"},
    )


def _routes(resolver: URLResolver, before: str = "") -> Iterator[str]:
    for entry in resolver.url_patterns:
        route = before + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from _routes(entry, route)
        else:
            yield route


def add(token: str, pizza: Pizza):
    return call(
        token, "POST", "/api/cart/items/", pizza=pizza.pk, size="medium", quantity=1
    )


class TestSharedSession:
    def test_is_the_browsers(self, client, issuer: Issuer, pizza, redis_client):
        log_in(client, issuer)
        keys = redis_client.keys("mario_session:*")

        response = add(issuer.sign(issuer.claims()), pizza)

        assert response.status_code == 201, response.content
        assert redis_client.keys("mario_session:*") == keys
        assert len(client.session["cart"]) == 1

    def test_is_found_with_one_question_while_it_stays_where_it_is(
        self, client, issuer: Issuer, pizza, redis_client
    ):
        log_in(client, issuer)
        token = issuer.sign(issuer.claims())
        add(token, pizza)
        redis_client.config_resetstat()

        assert call(token).json()["items"]
        asked = redis_client.info("commandstats")
        assert asked["cmdstat_getrange"]["calls"] == 1

    @pytest.mark.parametrize("how", ["under a new id", "as a new record"])
    def test_is_found_again_after_it_moved(
        self, client, issuer: Issuer, pizza, redis_client, how
    ):
        log_in(client, issuer)
        token = issuer.sign(issuer.claims())
        add(token, pizza)
        if how == "under a new id":
            session = client.session
            session.cycle_key()
            name = label(session["user_info"]) or ""
            index.relink(name, session.session_key, ttl=600)
        else:
            redis_client.delete(*redis_client.keys("mario_session:*"))

        assert len(call(token).json()["items"]) == (how == "under a new id")

    def test_is_not_what_became_another_logins(
        self, client, issuer: Issuer, pizza, redis_client
    ):
        log_in(client, issuer)
        token = issuer.sign(issuer.claims())
        add(token, pizza)
        session = client.session
        session["user_info"] = session["user_info"] | {"sid": "another-login"}
        session.save()
        index.revoke(label(issuer.claims()) or "", ttl=600)
        session.save(must_create=True)

        assert call(token).status_code == 401

    def test_gives_the_caller_no_cookie(self, client, issuer: Issuer, pizza):
        log_in(client, issuer)

        response = add(issuer.sign(issuer.claims()), pizza)

        assert not response.cookies

    def test_is_made_when_the_login_has_none(self, issuer: Issuer, pizza, redis_client):
        token = issuer.sign(issuer.claims())

        add(token, pizza)
        response = call(token)

        assert len(redis_client.keys("mario_session:*")) == 1
        assert response.json()["total_amount"] == "16.89"

    def test_is_taken_over_by_the_browser_of_the_same_login(
        self, client, issuer: Issuer, pizza, redis_client
    ):
        add(issuer.sign(issuer.claims()), pizza)

        log_in(client, issuer)

        assert len(redis_client.keys("mario_session:*")) == 1
        assert len(client.session["cart"]) == 1
        assert client.session["tokens"]

    def test_is_not_stored_for_a_caller_without_a_login(
        self, issuer: Issuer, pizza, redis_client
    ):
        response = add(issuer.sign(issuer.claims(sid=None)), pizza)

        assert response.status_code == 201
        assert redis_client.keys("mario_session:*") == []

    def test_of_somebody_else_is_not_reached(
        self, client, issuer: Issuer, pizza, redis_client
    ):
        log_in(client, issuer)

        response = add(issuer.sign(issuer.claims(sub="bowser")), pizza)

        assert response.status_code == 401
        assert "cart" not in client.session
        written = AuditEntry.objects.filter(event=AuditEntry.Event.LOGIN_REFUSED)
        assert "for the session of somebody else" in written.get().detail

    def test_refuses_the_cookie_of_another_person(self, client, issuer: Issuer):
        log_in(client, issuer)
        token = issuer.sign(issuer.claims(sub="bowser", sid="other"))

        headers = {"Authorization": f"Bearer {token}"}
        response = client.get("/api/cart/", headers=headers)

        assert response.status_code == 400
        assert response.json()["code"] == "two_people"


class TestRefusal:
    def test_is_a_challenge(self, issuer: Issuer):
        response = call(issuer.sign(issuer.claims(aud="account")))

        assert response.status_code == 401
        assert response["WWW-Authenticate"] == (
            'Bearer realm="pizzeria", error="invalid_token"'
        )
        assert response.json()["code"] == "invalid_token"

    def test_without_a_token_names_no_error(self, issuer: Issuer):
        response = Client().get("/api/cart/")

        assert response.status_code == 401
        assert response["WWW-Authenticate"] == 'Bearer realm="pizzeria"'

    def test_ends_a_login_that_was_logged_out(
        self, client, issuer: Issuer, redis_client
    ):
        log_in(client, issuer)
        client.post("/auth/logout")

        response = call(issuer.sign(issuer.claims()))

        assert response.status_code == 401
        assert redis_client.keys("mario_session:*") == []

    def test_of_a_user_who_is_switched_off(self, client, issuer: Issuer):
        log_in(client, issuer)
        get_user_model().objects.update(is_active=False)

        assert call(issuer.sign(issuer.claims())).status_code == 401

    def test_says_when_tokens_cannot_be_checked(self, issuer: Issuer):
        issuer.status = 500
        jwks.forget()

        response = call(issuer.sign(issuer.claims()))

        assert response.status_code == 503
        assert response.json()["code"] == "login_unavailable"

    def test_asks_the_provider_nothing(self, issuer: Issuer):
        jwks.warm()
        before = issuer.requests

        for _ in range(3):
            call(issuer.sign(issuer.claims()))

        assert issuer.requests == before


class TestScopes:
    """Each address of the API takes only tokens that are for it."""

    def test_are_named_for_every_route(self, settings):
        routes = [route for route in _routes(get_resolver()) if route[:4] == "api/"]

        assert len(routes) >= 15
        without = {scopes.part(route) for route in routes} - set(
            settings.OIDC_API_SCOPES
        )
        assert without == set()

    def test_are_scopes_of_the_realm(self, settings):
        realm = json.loads(REALM_FILE.read_text())
        (client,) = [
            client for client in realm["clients"] if client["clientId"] == "mario-app"
        ]

        wanted = {scope for scope in settings.OIDC_API_SCOPES.values() if scope}

        assert wanted <= {scope["name"] for scope in realm["clientScopes"]}
        assert wanted <= set(client["defaultClientScopes"])

    def test_let_a_part_without_one_take_no_token(self, issuer: Issuer, settings):
        settings.OIDC_API_SCOPES = {}

        response = call(issuer.sign(issuer.claims()))

        assert response.status_code == 403
        assert response["WWW-Authenticate"] == (
            'Bearer realm="pizzeria", error="insufficient_scope"'
        )

    def test_make_no_user_of_a_token_for_something_else(self, issuer: Issuer):
        response = call(issuer.sign(issuer.claims(scope="openid")))

        assert response.status_code == 403
        assert not get_user_model().objects.exists()


class TestRoles:
    def is_cook(self) -> bool:
        return get_user_model().objects.get().has_perm("orders.cook")

    def token(self, issuer: Issuer, *roles: str, age: int = 0) -> str:
        now = int(time.time()) - age
        return issuer.sign(issuer.claims(iat=now, realm_access={"roles": [*roles]}))

    def test_are_those_of_the_newest_token(self, issuer: Issuer):
        call(self.token(issuer, "chef", age=60))
        assert self.is_cook()

        call(self.token(issuer, "customer", age=30))
        assert not self.is_cook()

    def test_do_not_come_back_with_an_older_token(self, issuer: Issuer):
        older = self.token(issuer, "chef", age=60)
        call(older)
        call(self.token(issuer, "customer", age=30))

        response = call(older, path="/api/kitchen/orders/")

        assert response.status_code == 403
        assert not self.is_cook()

    def test_are_written_once_for_a_token(
        self, issuer: Issuer, django_assert_num_queries
    ):
        token = issuer.sign(issuer.claims())
        call(token)

        # Who it is; reading an empty cart asks for nothing else.
        with django_assert_num_queries(1):
            response = call(token)

        assert response.status_code == 200


class TestServiceAccount:
    """A program with client credentials: a user with permissions, and no login."""

    def token(self, issuer: Issuer, **changes) -> str:
        return issuer.sign(
            issuer.claims(
                **{
                    "sid": None,
                    "azp": "mario-service",
                    "client_id": "mario-service",
                    "sub": "service-account",
                    "preferred_username": None,
                    "given_name": None,
                    "email": None,
                    "realm_access": {"roles": ["chef"]},
                    "scope": "kitchen",
                    **changes,
                }
            )
        )

    def test_may_what_its_roles_may(self, issuer: Issuer):
        response = call(self.token(issuer), path="/api/kitchen/orders/")

        assert response.status_code == 200
        assert get_user_model().objects.get().username == "mario-service"

    def test_may_no_more(self, issuer: Issuer):
        token = self.token(issuer, realm_access={"roles": []})

        assert call(token, path="/api/kitchen/orders/").status_code == 403

    def test_has_no_stored_session(self, issuer: Issuer, pizza, redis_client):
        token = self.token(issuer, scope="cart kitchen")

        assert add(token, pizza).status_code == 201

        assert redis_client.keys("mario_session:*") == []
        assert call(token).json()["items"] == []

    def test_of_a_client_that_may_not_call_is_refused(self, issuer: Issuer):
        assert call(self.token(issuer, azp="pyneuro-public")).status_code == 401

    def test_that_was_switched_off_is_refused(self, issuer: Issuer):
        call(self.token(issuer), path="/api/kitchen/orders/")
        get_user_model().objects.update(is_active=False)

        response = call(self.token(issuer), path="/api/kitchen/orders/")

        assert response.status_code == 401


def test_a_page_with_login_and_session_asks_once_who_it_is(client, issuer: Issuer):
    log_in(client, issuer)

    with CaptureQueriesContext(connection) as queries:
        response = client.get("/cart/")

    assert response.status_code == 200
    asked = [query["sql"] for query in queries.captured_queries]
    assert len([sql for sql in asked if 'FROM "auth_user" WHERE' in sql]) == 1


class TestLifetimes:
    def log_in_for(self, client, issuer: Issuer, seconds: object) -> None:
        asked = begin(client)
        answer = issuer.will_answer(asked["nonce"])
        answer["refresh_expires_in"] = seconds
        issuer.token_body = json.dumps(answer).encode()
        assert come_back(client, asked).status_code == 302

    @pytest.fixture(autouse=True)
    def _nothing_learnt(self):
        lifetimes.forget()
        yield
        lifetimes.forget()

    def test_that_differ_are_told_once_and_at_the_next_start(
        self, client, issuer: Issuer, caplog
    ):
        for _ in range(2):
            self.log_in_for(client, issuer, 1800)
        told = "Keycloak ends a login after 1800 s"
        assert caplog.text.count(told) == 1

        lifetimes.check()

        assert caplog.text.count(told) == 2

    @pytest.mark.parametrize("seconds", [86400, 86399, 999_999, 0, "x", None])
    def test_that_agree_are_no_news(self, client, issuer: Issuer, caplog, seconds):
        self.log_in_for(client, issuer, seconds)

        lifetimes.check()

        assert "Keycloak ends a login" not in caplog.text


@pytest.mark.django_db(transaction=True)
def test_two_first_calls_of_a_login_share_one_session(
    issuer: Issuer, redis_client, pizza
):
    jwks.warm()
    token = issuer.sign(issuer.claims())
    start = threading.Barrier(6)
    answers = []

    def first_call() -> None:
        start.wait()
        answers.append(call(token).status_code)
        connection.close()

    threads = [threading.Thread(target=first_call) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert answers == [200] * 6
    assert len(redis_client.keys("mario_session:*")) == 1
