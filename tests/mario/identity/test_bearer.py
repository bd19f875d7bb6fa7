import json
import threading

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client

from mario.identity import jwks
from pizzeria.menu.models import Pizza
from tests.mario.identity.issuer import Issuer
from tests.mario.identity.test_login import log_in

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

    @pytest.mark.parametrize(
        "header", ["Bearer", "Bearer ", "Bearer a b", "Bearer \xff", "bearer x"]
    )
    def test_of_a_malformed_header(self, issuer: Issuer, header: str):
        response = Client().get("/api/cart/", headers={"Authorization": header})

        assert response.status_code == 401

    def test_asks_the_provider_nothing(self, issuer: Issuer):
        jwks.warm()
        before = issuer.requests

        for _ in range(3):
            call(issuer.sign(issuer.claims()))

        assert issuer.requests == before


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
