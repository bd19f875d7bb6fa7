import json
import re
import time
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone

from mario.identity.models import Identity
from tests.mario.identity.issuer import Issuer

pytestmark = pytest.mark.django_db


def begin(client: Client, next_url: str = "/orders/") -> dict[str, str]:
    """Open the login page; return what it asks of the identity provider."""
    response = client.get("/auth/login", {"next": next_url})
    query = parse_qs(urlsplit(response["location"]).query)
    return {name: value for name, (value,) in query.items()}


def come_back(client: Client, asked: dict[str, str], **changes: Any):
    """Let Keycloak send the browser back; None leaves a parameter out."""
    query = {
        "state": asked["state"],
        "code": "c0de",
        "iss": settings.OIDC_OP_ISSUER,
        **changes,
    }
    given = {name: value for name, value in query.items() if value is not None}
    return client.get("/auth/callback", given)


def log_in(client: Client, issuer: Issuer, **claims):
    asked = begin(client)
    issuer.will_answer(asked["nonce"], **claims)
    return come_back(client, asked)


class TestLoginPage:
    def test_asks_for_a_code_with_pkce_state_and_nonce(self, client, issuer: Issuer):
        asked = begin(client)

        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        assert len(asked["code_challenge"]) == 43
        assert len(asked["state"]) >= 32
        assert len(asked["nonce"]) >= 32

    def test_says_when_the_provider_is_away(self, client, issuer: Issuer):
        issuer.status = 500

        response = client.get("/auth/login", {"next": "/cart/"})

        assert response.status_code == 503
        assert response["Retry-After"]
        assert b"/auth/login?next=%2Fcart%2F" in response.content

    def test_makes_no_session(self, client, issuer: Issuer, redis_client):
        begin(client)

        assert redis_client.keys("mario_session:*") == []
        assert "mario_session" not in client.cookies

    def test_says_when_another_realm_answers(self, client, issuer: Issuer, caplog):
        issuer.calls_itself = "http://elsewhere/realms/pyneuro"

        page = client.get("/auth/login", {"next": "/cart/"})

        assert page.status_code == 503
        assert b"Your cart is kept" in page.content
        assert "is of the issuer 'http://elsewhere/realms/pyneuro'" in caplog.text

    def test_bounds_the_attempts_it_remembers(self, client, issuer: Issuer):
        for _ in range(20):
            begin(client)

        held = [c for c in client.cookies.values() if c.key.startswith("mario_login_")]
        assert len([cookie for cookie in held if cookie.value]) == 6
        # The test client sends every cookie everywhere; browsers mind the path.
        assert {cookie["path"] for cookie in held} == {"/auth/"}


class TestCallback:
    def test_opens_a_session_with_tokens_and_user_info(
        self, client, issuer: Issuer, redis_client
    ):
        response = log_in(client, issuer)

        assert response.status_code == 302
        assert response["location"] == "/orders/"
        (key,) = redis_client.keys("mario_session:*")
        record = json.loads(redis_client.get(key))
        assert record["tokens"]["refresh_token"] == "a-refresh-token"
        assert record["user_info"]["sub"] == "8c2f6d0e-peach"

    def test_sends_the_verifier_of_the_attempt(self, client, issuer: Issuer):
        log_in(client, issuer)

        assert issuer.posted["grant_type"] == ["authorization_code"]
        assert len(issuer.posted["code_verifier"][0]) >= 43

    def test_makes_the_user_once_and_knows_it_by_issuer_and_subject(
        self, client, issuer: Issuer
    ):
        log_in(client, issuer)
        log_in(Client(), issuer, email="new@example.com", preferred_username="toad")

        identity = Identity.objects.get()
        assert identity.subject == "8c2f6d0e-peach"
        assert identity.user.username == "peach"
        assert identity.user.email == "new@example.com"

    def test_never_links_accounts_by_e_mail_or_name(self, client, issuer: Issuer):
        get_user_model().objects.create_user("peach", "peach@example.com", "pw")

        log_in(client, issuer)

        assert get_user_model().objects.count() == 2
        assert Identity.objects.get().user.username.startswith("peach-")

    @pytest.mark.parametrize("name", ["\ufb01n", "\ufdfa" * 100], ids=["fin", "long"])
    def test_gives_a_name_that_is_spelled_in_two_ways_once(
        self, client, issuer: Issuer, name
    ):
        """Django spells names anew (NFKC): \ufb01n is fin, and some grow 18-fold."""
        users = get_user_model().objects
        users.create_user(name[:8])

        log_in(client, issuer, preferred_username=name)

        user = users.get(pk=client.session["_auth_user_id"])
        assert len(user.username) <= 150

    def test_turns_realm_roles_into_groups_and_back(self, client, issuer: Issuer):
        log_in(client, issuer, realm_access={"roles": ["chef", "admin", "other"]})
        admin = Identity.objects.get().user
        assert [group.name for group in admin.groups.all()] == ["chef"]
        assert admin.is_superuser

        log_in(client, issuer, realm_access={"roles": ["customer"]})

        user = Identity.objects.get().user
        assert [group.name for group in user.groups.all()] == ["customer"]
        assert not user.is_superuser
        assert not user.is_staff

    def test_gives_the_session_a_new_id(self, client, issuer: Issuer, redis_client):
        log_in(client, issuer)
        before = client.cookies["mario_session"].value

        log_in(client, issuer)

        assert client.cookies["mario_session"].value != before
        assert redis_client.exists(f"mario_session:{before}") == 0

    def test_says_once_that_the_cart_came_along(self, client, issuer: Issuer):
        session = client.session
        session["cart"] = {"line": {"pizza": 1}}
        session.save()
        log_in(client, issuer)
        assert "your cart came along" in client.get("/account/").text

        log_in(client, issuer)

        assert "your cart came along" not in client.get("/account/").text

    def test_says_nothing_of_a_cart_that_is_empty(self, client, issuer: Issuer):
        log_in(client, issuer)

        assert "your cart came along" not in client.get("/account/").text

    def test_that_ends_soon_says_when_and_how_to_go_on(
        self, client, issuer: Issuer, redis_client
    ):
        notice = re.compile(r'<p class="notice"[^>]*data-from[^>]*?( hidden)?>')
        assert notice.search(client.get("/menu/").text) is None
        log_in(client, issuer)
        found = notice.search(client.get("/account/").text)
        assert found
        assert found[1] == " hidden"
        (key,) = redis_client.keys("mario_session:*")
        record = json.loads(redis_client.get(key))
        soon = timezone.now() + timedelta(minutes=20)
        record["expires_at"] = soon.isoformat()
        redis_client.set(key, json.dumps(record), keepttl=True)

        page = client.get("/account/").text

        found = notice.search(page)
        assert found
        assert found[1] is None
        assert f"ends at {timezone.localtime(soon):%H:%M}" in page
        assert "/auth/login?prompt=login&amp;next=%2Faccount%2F" in page

    def test_never_mixes_two_people(self, client, issuer: Issuer, redis_client):
        log_in(client, issuer)
        session = client.session
        session["cart"] = {"line": {"pizza": 1}}
        session.save()

        log_in(client, issuer, sub="bowser", sid="other", preferred_username="bowser")

        (key,) = redis_client.keys("mario_session:*")
        record = json.loads(redis_client.get(key))
        assert record["user_info"]["sub"] == "bowser"
        assert "cart" not in record

    @pytest.mark.parametrize(
        "next_url",
        [
            "//evil.example",
            "https://evil.example/",
            "/\\evil.example",
            "javascript:1",
            "/menu/?" + "x" * 2000,
        ],
        ids=range(5),
    )
    def test_leads_only_to_pages_of_this_shop(self, client, issuer: Issuer, next_url):
        asked = begin(client, next_url)
        issuer.will_answer(asked["nonce"])

        assert come_back(client, asked)["location"] == "/"

    def test_keeps_six_tabs_apart(self, client, issuer: Issuer):
        tabs = {
            f"/orders/?tab={n}": begin(client, f"/orders/?tab={n}") for n in range(6)
        }

        for next_url, asked in tabs.items():
            issuer.will_answer(asked["nonce"])
            assert come_back(client, asked)["location"] == next_url


class TestRefusedCallback:
    def assert_refused(self, client, response, status: int = 400):
        assert response.status_code == status
        assert "mario_session" not in client.cookies
        assert b"Traceback" not in response.content
        assert b"/auth/login?next=" in response.content

    def test_of_an_unknown_attempt(self, client, issuer: Issuer):
        self.assert_refused(client, client.get("/auth/callback?state=x&code=y"))

    def test_of_another_browser(self, client, issuer: Issuer):
        asked = begin(client)
        issuer.will_answer(asked["nonce"])
        stranger = Client()

        self.assert_refused(stranger, come_back(stranger, asked))

    def test_that_comes_twice_leaves_the_person_logged_in(self, client, issuer: Issuer):
        asked = begin(client)
        issuer.will_answer(asked["nonce"])
        come_back(client, asked)
        before = client.cookies["mario_session"].value

        again = come_back(client, asked)

        assert again.status_code == 302
        assert client.cookies["mario_session"].value == before

    def test_with_a_foreign_error_logs_nobody_out(self, client, issuer: Issuer):
        log_in(client, issuer)

        client.get("/auth/callback?error=access_denied&state=foreign")

        assert client.session.get("user_info")

    def test_with_an_error_says_so(self, client, issuer: Issuer):
        asked = begin(client)

        response = client.get(
            "/auth/callback", {"state": asked["state"], "error": "access_denied"}
        )

        self.assert_refused(client, response)

    def test_of_another_issuer(self, client, issuer: Issuer):
        asked = begin(client)
        issuer.will_answer(asked["nonce"])

        self.assert_refused(client, come_back(client, asked, iss="http://evil"))

    def test_with_the_nonce_of_another_attempt(self, client, issuer: Issuer):
        asked = begin(client)
        issuer.will_answer("another")

        self.assert_refused(client, come_back(client, asked))

    @pytest.mark.parametrize("changes", [{"sub": "bowser"}, {"sid": "another"}])
    def test_with_tokens_of_two_logins(self, client, issuer: Issuer, changes):
        asked = begin(client)
        answer = issuer.will_answer(asked["nonce"])
        answer["access_token"] = issuer.sign(issuer.claims(**changes))
        issuer.token_body = json.dumps(answer).encode()

        self.assert_refused(client, come_back(client, asked))

    def test_of_a_user_who_is_switched_off(self, client, issuer: Issuer, redis_client):
        log_in(client, issuer)
        get_user_model().objects.update(is_active=False)
        stranger = Client()

        self.assert_refused(stranger, log_in(stranger, issuer))
        assert client.get("/orders/").status_code == 302

    @pytest.mark.parametrize(
        ("status", "body", "expected"),
        [
            (400, b'{"error": "invalid_grant"}', 400),
            (401, b'{"error": "invalid_client"}', 503),
            (500, b"{}", 503),
            (200, b"<html>", 503),
            (302, b"", 503),
            (307, b'{"access_token": "x", "id_token": "y"}', 503),
            (200, b'{"access_token": "x", "id_to', 503),
            (200, b"[" * 100_000, 503),
            (200, b"x" * 300_000, 503),
            (200, b"", 503),
            (200, b"[]", 503),
            (200, b'{"id_token": null}', 503),
            (200, b'{"access_token": "x", "id_token": null}', 503),
            (200, b'{"access_token": "x", "id_token": "y"}', 400),
        ],
        ids=range(14),
    )
    def test_when_the_token_endpoint_misbehaves(
        self, client, issuer: Issuer, status, body, expected, caplog
    ):
        asked = begin(client)
        issuer.token_status, issuer.token_body = status, body
        issuer.token_headers = {"Location": f"{issuer.url}/token"}

        page = come_back(client, asked)

        self.assert_refused(client, page, expected)
        assert f"Request {page['X-Request-Id']}" in page.content.decode()
        # No redirect takes the code elsewhere, and no line has it.
        assert len(issuer.token_requests) == 1
        assert "A login " in caplog.text
        assert "c0de" not in caplog.text

    @pytest.mark.parametrize(
        "headers",
        [{"Content-Encoding": "gzip"}, {"Content-Length": "5000"}],
        ids=["no gzip", "cut off"],
    )
    def test_when_the_token_endpoints_answer_is_damaged_on_its_way(
        self, client, issuer: Issuer, headers, caplog
    ):
        asked = begin(client)
        issuer.will_answer(asked["nonce"])
        issuer.token_headers = headers

        self.assert_refused(client, come_back(client, asked), 503)
        # Nobody waits for the time to run out.
        assert "no answer in time" not in caplog.text

    def test_when_the_token_endpoint_trickles(self, client, issuer: Issuer, settings):
        settings.OIDC_TIMEOUT = 1
        issuer.trickles = True
        asked = begin(client)
        started = time.monotonic()

        self.assert_refused(client, come_back(client, asked), 503)
        assert time.monotonic() - started < 3

    def test_when_the_provider_is_away(self, client, issuer: Issuer, settings):
        asked = begin(client)
        settings.OIDC_OP_TOKEN_ENDPOINT = "http://127.0.0.1:9/token"

        response = come_back(client, asked)

        self.assert_refused(client, response, 503)
        assert response["Retry-After"]


def test_pages_of_a_person_are_kept_by_no_cache(client, issuer: Issuer):
    assert not client.get("/menu/").has_header("Cache-Control")
    log_in(client, issuer)

    assert client.get("/menu/")["Cache-Control"] == "private, no-store"
