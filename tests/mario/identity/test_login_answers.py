"""What links to the login may ask for, and whom it answers how."""

import time
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import aauthenticate, authenticate
from django.contrib.auth.models import User
from django.test import Client

from mario.identity import attempts
from mario.identity.links import CHANGE_PASSWORD, CHANGE_PROFILE, login_url
from tests.mario.identity.issuer import Issuer
from tests.mario.identity.test_login import begin, come_back, log_in

pytestmark = pytest.mark.django_db


def follow(client: Client, url: str) -> dict[str, str]:
    query = parse_qs(urlsplit(client.get(url)["location"]).query)
    return {name: value for name, (value,) in query.items()}


class TestALink:
    @pytest.mark.parametrize("action", [CHANGE_PASSWORD, CHANGE_PROFILE])
    def test_asks_for_an_action_of_keycloak(self, client, issuer: Issuer, action):
        asked = follow(client, login_url("/orders/", kc_action=action))

        assert asked["kc_action"] == action

    def test_asks_for_a_recent_login(self, client, issuer: Issuer):
        url = login_url("/orders/", max_age=timedelta(minutes=5), login_hint="peach")

        asked = follow(client, url)

        assert asked["max_age"] == "300"
        assert asked["login_hint"] == "peach"

    def test_says_the_persons_language(self, client, issuer: Issuer):
        asked = follow(client, "/auth/login?ui_locales=it%20en-GB&prompt=login")

        assert asked["ui_locales"] == "it en-GB"
        assert asked["prompt"] == "login"

    def test_leads_to_the_form_for_new_accounts(self, client, issuer: Issuer, settings):
        settings.OIDC_OP_REGISTRATION_ENDPOINT = f"{issuer.url}/registrations"

        response = client.get("/auth/register?next=/orders/")

        assert response["location"].startswith(f"{issuer.url}/registrations?")
        asked = follow(client, "/auth/register?next=/orders/")
        issuer.will_answer(asked["nonce"])
        assert come_back(client, asked)["location"] == "/orders/"

    @pytest.mark.parametrize(
        "query",
        [
            "max_age=-1",
            "max_age=soon",
            "max_age=99999999",
            "max_age=1&max_age=2",
            "prompt=none",
            "prompt=consent",
            "kc_action=delete_account",
            "ui_locales=../..",
            "login_hint=a%00b",
            "login_hint=" + "x" * 256,
        ],
    )
    def test_that_is_not_one_of_ours_is_refused(self, client, issuer: Issuer, query):
        response = client.get(f"/auth/login?{query}")

        assert response.status_code == 400
        assert b"not one of ours" in response.content

    def test_carries_nothing_else_to_keycloak(self, client, issuer: Issuer):
        asked = follow(
            client, "/auth/login?redirect_uri=http://evil&scope=offline_access&x=y"
        )

        assert asked["redirect_uri"].endswith("/auth/callback")
        assert "offline_access" not in asked["scope"]
        assert "x" not in asked


class TestARecentLogin:
    def come_back_after(self, client: Client, issuer: Issuer, age: int | None):
        asked = follow(client, login_url("/orders/", max_age=timedelta(seconds=60)))
        auth_time = None if age is None else round(time.time()) - age
        issuer.will_answer(asked["nonce"], auth_time=auth_time)
        return come_back(client, asked)

    def test_is_taken_and_remembered(self, client, issuer: Issuer):
        assert self.come_back_after(client, issuer, 5).status_code == 302
        assert client.session["user_info"]["auth_time"] >= time.time() - 30

    @pytest.mark.parametrize("age", [600, None])
    def test_that_is_none_is_refused(self, client, issuer: Issuer, age):
        assert self.come_back_after(client, issuer, age).status_code == 400
        assert "mario_session" not in client.cookies

    def test_leaves_who_is_logged_in_as_they_were(self, client, issuer: Issuer):
        log_in(client, issuer)

        response = self.come_back_after(client, issuer, 600)

        assert response.status_code == 400
        assert b"You are still logged in as before." in response.content
        assert client.get("/orders/").status_code == 200


class TestTheLoginPage:
    def test_tells_htmx_to_move_the_whole_page(self, client, issuer: Issuer):
        response = client.get("/auth/login?next=/x/", headers={"hx-request": "true"})

        assert response.status_code == 200
        assert response["HX-Redirect"] == "/auth/login?next=/x/"
        assert "location" not in response

    @pytest.mark.parametrize(
        "headers",
        [
            {"accept": "application/json"},
            {"accept": "text/event-stream"},
            {"sec-fetch-mode": "cors", "accept": "*/*"},
            {"sec-fetch-mode": "same-origin"},
            {"x-requested-with": "XMLHttpRequest"},
        ],
        ids=str,
    )
    def test_sends_no_program_to_another_host(self, client, issuer: Issuer, headers):
        response = client.get("/auth/login?next=/x/", headers=headers)

        assert response.status_code == 401
        assert response["WWW-Authenticate"] == 'Bearer realm="pizzeria"'
        assert response.json()["code"] == "not_authenticated"

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"accept": "*/*"},
            {"accept": "text/html,application/xhtml+xml", "sec-fetch-mode": "navigate"},
        ],
        ids=str,
    )
    def test_sends_a_page_to_keycloak(self, client, issuer: Issuer, headers):
        response = client.get("/auth/login", headers=headers)

        assert response["location"].startswith(f"{issuer.url}/auth?")

    def test_keeps_its_cookie_from_neighbours_where_there_is_tls(
        self, client, issuer: Issuer, settings
    ):
        settings.SESSION_COOKIE_SECURE = True
        asked = begin(client)
        (cookie,) = [
            value for name, value in client.cookies.items() if "mario_login_" in name
        ]

        assert cookie.key.startswith("__Host-")
        assert cookie["secure"]
        assert (cookie["path"], cookie["domain"]) == ("/", "")
        assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
        issuer.will_answer(asked["nonce"])
        response = come_back(client, asked)
        assert response.status_code == 302
        assert response.cookies[cookie.key]["secure"]
        assert response.cookies[cookie.key]["max-age"] == 0


class TestACallback:
    @pytest.mark.parametrize("iss", [None, "", "http://evil", ["a", "b"]], ids=str)
    def test_that_does_not_say_who_answers_is_refused(
        self, client, issuer: Issuer, iss
    ):
        asked = begin(client)
        issuer.will_answer(asked["nonce"])

        assert come_back(client, asked, iss=iss).status_code == 400
        assert issuer.token_requests == []

    @pytest.mark.parametrize("name", ["state", "code"])
    def test_with_a_parameter_twice_is_refused(self, client, issuer: Issuer, name):
        asked = begin(client)
        issuer.will_answer(asked["nonce"])
        twice = {"state": asked["state"], "code": "c0de"}[name]

        assert come_back(client, asked, **{name: [twice, twice]}).status_code == 400
        assert issuer.token_requests == []

    def test_with_the_cookie_of_another_attempt_is_refused(
        self, client, issuer: Issuer
    ):
        asked, other = begin(client), begin(Client())
        issuer.will_answer(asked["nonce"])
        names = [attempts._cookie_name(one["state"]) for one in (asked, other)]
        client.cookies[names[1]] = client.cookies[names[0]].value

        assert come_back(client, other).status_code == 400
        assert issuer.token_requests == []

    def test_too_late_is_refused(self, client, issuer: Issuer, monkeypatch):
        asked = begin(client)
        issuer.will_answer(asked["nonce"])
        monkeypatch.setattr("mario.identity.attempts.MAX_AGE", -1)

        response = come_back(client, asked)

        assert response.status_code == 400
        assert b"took too long" in response.content

    def test_cancelled_by_somebody_logged_in_says_so(self, client, issuer: Issuer):
        log_in(client, issuer)
        asked = begin(client)

        response = come_back(client, asked, code=None, error="access_denied")

        assert response.status_code == 400
        assert b"You are still logged in as before." in response.content
        assert client.get("/orders/").status_code == 200

    def test_of_a_used_code_can_be_tried_again(self, client, issuer: Issuer):
        asked = begin(client)
        issuer.token_status = 400
        issuer.token_body = b'{"error": "invalid_grant"}'

        response = come_back(client, asked)

        assert response.status_code == 400
        assert b"/auth/login?next=%2Forders%2F" in response.content
        issuer.token_status = 200
        assert log_in(client, issuer).status_code == 302

    def test_gives_a_visitors_session_a_new_id_and_keeps_the_cart(
        self, client, issuer: Issuer
    ):
        session = client.session
        session["cart"] = {"line": {"pizza": 1}}
        session.save()
        before = client.cookies["mario_session"].value

        log_in(client, issuer)

        assert client.cookies["mario_session"].value != before
        assert client.session["cart"] == {"line": {"pizza": 1}}

    def test_leaves_no_token_with_who_is_refused(
        self, client, issuer: Issuer, redis_client
    ):
        log_in(client, issuer)
        client.post("/auth/logout")
        User.objects.update(is_active=False)

        assert log_in(client, issuer).status_code == 400
        assert redis_client.keys("mario_session:*") == []


class TestPasswords:
    def test_open_nothing(self, issuer: Issuer):
        User.objects.create_user("peach", password="pw")

        assert authenticate(None, username="peach", password="pw") is None

    @pytest.mark.parametrize("method", ["get", "post"])
    def test_open_nothing_at_the_login_page(self, client, issuer: Issuer, method):
        User.objects.create_user("peach", password="pw")

        getattr(client, method)("/auth/login", {"username": "peach", "password": "pw"})

        assert "mario_session" not in client.cookies


@pytest.mark.django_db(transaction=True)
def test_passwords_open_nothing_in_an_event_loop():
    User.objects.create_user("peach", password="pw")

    assert async_to_sync(aauthenticate)(None, username="peach", password="pw") is None
