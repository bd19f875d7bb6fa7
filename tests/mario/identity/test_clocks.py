"""
The realm's clock and the shop's tell different times: 20 seconds, which is allowed, 2
and 10 minutes. With two real clocks the same is in `tests/journeys/test_clocks.py`.
"""

import json
import time
from typing import Any

import pytest
from django.test import Client

from mario.identity import validator
from sessions_backend.engine import SessionStore
from tests.mario.identity.issuer import Issuer
from tests.mario.identity.test_login import begin, come_back, log_in
from tests.mario.identity.test_logout import logout_token, tell
from tests.mario.identity.test_refresh import CART, Visit

pytestmark = pytest.mark.django_db(transaction=True)

# Seconds that the realm is ahead of the shop, and what the log says. An access token
# of 300 s that comes from a clock 120 s behind is merely no longer young.
NEAR = [-120, -20, 20]
FAR = [(-600, "it has expired"), (120, "not valid yet"), (600, "not valid yet")]


def made_at(seconds: int) -> dict[str, Any]:
    now = int(time.time()) + seconds
    return {"iat": now, "exp": now + 300}


def bearer(issuer: Issuer, seconds: int):
    token = issuer.sign(issuer.claims(**made_at(seconds)))
    return Client().get("/api/cart/", headers={"Authorization": f"Bearer {token}"})


@pytest.fixture
def visit(client, issuer: Issuer, redis_client) -> Visit:
    """Peach is logged in and has a cart; her access token has ended."""
    log_in(client, issuer)
    visit = Visit(client, redis_client)
    session = SessionStore(visit.key)
    session["cart"] = CART
    session.save()
    visit.let_tokens_end_in(-1)
    return visit


@pytest.fixture
def no_secret_is_logged(issuer: Issuer, caplog):
    """Whatever was sent stands in no line."""
    yield
    sent = json.loads(issuer.token_body)
    for secret in (sent["access_token"], sent["id_token"], sent["refresh_token"]):
        assert secret not in caplog.text
    assert "c0de" not in caplog.text


class TestNearEnough:
    @pytest.mark.parametrize("seconds", NEAR)
    def test_logs_in(self, client, issuer: Issuer, seconds):
        assert log_in(client, issuer, **made_at(seconds)).status_code == 302

    @pytest.mark.parametrize("seconds", NEAR)
    def test_takes_the_bearer(self, issuer: Issuer, seconds):
        assert bearer(issuer, seconds).status_code == 200

    @pytest.mark.parametrize("seconds", NEAR)
    def test_renews(self, visit, issuer: Issuer, seconds):
        issuer.will_refresh(**made_at(seconds))

        assert visit.see().status_code == 200
        assert visit.tokens["generation"] == 2
        # Counted by the shop's own clock: not renewed again at the next request.
        assert visit.tokens["expires_at"] - time.time() > 280

    @pytest.mark.parametrize("seconds", [-120, -20, 20])
    def test_logs_out(self, visit, issuer: Issuer, seconds, redis_client):
        now = int(time.time()) + seconds

        # Keycloak's live for 120 s; so does the leeway add to them.
        answer = tell(logout_token(issuer, iat=now, exp=now + 120))

        assert answer.status_code == 200
        assert redis_client.keys("mario_session:*") == []


@pytest.mark.parametrize(("seconds", "reason"), FAR)
class TestTooFar:
    @pytest.mark.usefixtures("no_secret_is_logged")
    def test_logs_nobody_in_and_says_why(
        self, client, issuer: Issuer, seconds, reason, caplog
    ):
        asked = begin(client, "/checkout/")
        issuer.will_answer(asked["nonce"], **made_at(seconds))

        page = come_back(client, asked)

        text = page.content.decode()
        assert page.status_code == 400
        assert "clocks of the shop and of the login service disagree" in text
        assert "Your cart is kept" in text
        assert "/auth/login?next=%2Fcheckout%2F" in text
        assert f"Request {page['X-Request-Id']}" in text
        assert "mario_session" not in client.cookies
        assert reason in caplog.text

    @pytest.mark.usefixtures("no_secret_is_logged")
    def test_ends_a_login_that_is_renewed_and_keeps_the_cart(
        self, visit, issuer: Issuer, seconds, reason, caplog
    ):
        issuer.will_refresh(**made_at(seconds))

        answer = visit.see()

        assert answer["Location"] == "/auth/login?next=/orders/"
        assert visit.record["cart"] == CART
        assert visit.tokens == {}
        assert "A login has ended, it was not renewed: " in caplog.text
        assert reason in caplog.text

    def test_refuses_the_bearer(self, issuer: Issuer, seconds, reason, caplog):
        answer = bearer(issuer, seconds)

        assert answer.status_code == 401
        assert answer["WWW-Authenticate"] == (
            'Bearer realm="pizzeria", error="invalid_token"'
        )
        assert reason in caplog.text

    def test_refuses_the_logout_token(
        self, visit, issuer: Issuer, seconds, reason, redis_client, caplog
    ):
        now = int(time.time()) + seconds

        answer = tell(logout_token(issuer, iat=now, exp=now + 120))

        assert answer.status_code == 400
        assert answer.json() == {"error": "invalid_request"}
        assert len(redis_client.keys("mario_session:*")) == 1
        assert reason in caplog.text


def test_the_leeway_is_less_than_what_is_too_far():
    assert 20 < validator.LEEWAY < 120
