"""Signing out, and who is told, on either realm."""

import re
import time
from html import unescape
from urllib.parse import urljoin

import pytest

from tests.devrealm.relying_party import claims, header

EVENT = "http://schemas.openid.net/event/backchannel-logout"


def goodbye(party, query=""):
    return f"{party.realm.shop_url}/auth/logged-out{query}"


class TestWithAnIdToken:
    def test_ends_at_once_and_goes_back_to_the_shop(self, party, listener):
        tokens = party.log_in()

        answer = party.log_out(
            id_token_hint=tokens["id_token"],
            post_logout_redirect_uri=goodbye(party),
            state="the-state",
        )

        assert answer.status_code == 302
        assert answer.headers["location"] == goodbye(party, "?state=the-state")
        assert party.ask().status_code == 200
        refused = party.refresh(tokens["refresh_token"])
        assert refused.json()["error_description"] == "Session not active"
        assert party.userinfo(tokens["access_token"]).status_code == 401

    def test_needs_no_cookie_and_takes_a_post(self, party):
        tokens = party.log_in()
        party.browser.cookies.clear()

        answer = party.browser.post(
            f"{party.realm.protocol_url}/logout",
            data={
                "id_token_hint": tokens["id_token"],
                "post_logout_redirect_uri": goodbye(party),
            },
        )

        assert answer.headers["location"] == goodbye(party)
        assert party.refresh(tokens["refresh_token"]).status_code == 400

    def test_a_second_time_still_leads_back(self, party):
        tokens = party.log_in()
        back = goodbye(party)
        hint = tokens["id_token"]
        party.log_out(id_token_hint=hint, post_logout_redirect_uri=back)

        again = party.log_out(id_token_hint=hint, post_logout_redirect_uri=back)

        assert again.headers["location"] == back

    @pytest.mark.parametrize(
        "address",
        [
            "http://evil.example/",
            "http://localhost:18080",
            "http://localhost:18080/menu/",
        ],
    )
    def test_never_leads_to_an_address_that_is_not_exactly_the_clients(
        self, party, address
    ):
        tokens = party.log_in()

        answer = party.log_out(
            id_token_hint=tokens["id_token"], post_logout_redirect_uri=address
        )

        assert answer.status_code == 400
        assert party.refresh(tokens["refresh_token"]).status_code == 200

    @pytest.mark.parametrize("kind", ["access_token", "refresh_token", "garbage"])
    def test_takes_nothing_else_for_a_hint(self, party, kind):
        tokens = party.log_in() | {"garbage": "a.b.c"}

        answer = party.log_out(id_token_hint=tokens[kind])

        assert answer.status_code == 400
        assert party.refresh(tokens["refresh_token"]).status_code == 200


class TestWithoutAHint:
    def test_asks_first(self, party):
        tokens = party.log_in()

        page = party.log_out()

        assert page.status_code == 200
        assert "Do you want to log out?" in page.text
        assert party.refresh(tokens["refresh_token"]).status_code == 200

    def test_ends_once_it_is_confirmed(self, party):
        tokens = party.log_in()
        page = party.log_out(
            client_id=party.realm.client_id,
            post_logout_redirect_uri=goodbye(party),
            state="the-state",
        )

        answer = _confirm(party, page)

        assert answer.headers["location"] == goodbye(party, "?state=the-state")
        assert party.refresh(tokens["refresh_token"]).status_code == 400

    def test_an_address_needs_its_client(self, party):
        party.log_in()

        answer = party.log_out(post_logout_redirect_uri=goodbye(party))

        assert answer.status_code == 400

    def test_no_other_site_can_confirm(self, dev_party):
        tokens = dev_party.log_in()

        answer = dev_party.browser.post(
            f"{dev_party.realm.protocol_url}/logout/logout-confirm",
            data={"session_code": "guessed"},
        )

        assert answer.status_code == 400
        assert dev_party.refresh(tokens["refresh_token"]).status_code == 200


class TestTheBackChannel:
    def test_tells_the_shop_whose_sign_in_has_ended(self, party, listener):
        tokens = party.log_in()
        identity = claims(tokens["id_token"])

        party.log_out(id_token_hint=tokens["id_token"])

        token = listener.told_about(identity["sid"])
        told = claims(token)
        assert header(token)["typ"] == "logout+jwt"
        assert header(token)["alg"] == "RS256"
        assert header(token)["kid"] == header(tokens["id_token"])["kid"]
        assert told["iss"] == party.realm.issuer
        assert told["aud"] == "mario-app"
        assert told["sid"] == identity["sid"]
        assert told["sub"] == identity["sub"]
        assert told["events"] == {EVENT: {}}
        assert told["exp"] == told["iat"] + 120
        assert told.keys() == {
            *("iss", "aud", "sid", "sub", "events", "iat", "exp", "jti", "typ"),
        }
        assert told["typ"] == "Logout"

    def test_tells_when_an_administrator_ends_it(self, party, listener):
        tokens = party.log_in("driver")

        party.realm.sign_out("driver")

        listener.told_about(claims(tokens["id_token"])["sid"])
        assert party.refresh(tokens["refresh_token"]).status_code == 400

    def test_a_shop_that_does_not_answer_holds_nobody_up(self, dev_party, listener):
        tokens = dev_party.log_in()
        listener.delay.set()
        try:
            started = time.monotonic()
            answer = dev_party.log_out(id_token_hint=tokens["id_token"])
            took = time.monotonic() - started
        finally:
            listener.delay.clear()

        assert answer.status_code == 200
        assert took < 3
        assert dev_party.refresh(tokens["refresh_token"]).status_code == 400


def _confirm(party, page):
    form = re.search(r'<form[^>]*action="([^"]+)"', page.text)
    assert form
    fields = re.findall(
        r'<input[^>]*type="hidden"[^>]*name="([^"]+)"[^>]*value="([^"]*)"', page.text
    )
    return party.browser.post(
        urljoin(str(page.url), unescape(form[1])),
        data={name: unescape(value) for name, value in fields}
        | {"confirmLogout": "Logout"},
    )
