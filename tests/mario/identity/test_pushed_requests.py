"""What a login asks for, told to Keycloak behind the browser's back."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.mario.identity.issuer import Issuer
from tests.mario.identity.test_login import come_back

pytestmark = pytest.mark.django_db

NAME = "urn:ietf:params:oauth:request_uri:a-name"


@pytest.fixture
def pushing(issuer: Issuer, settings) -> Issuer:
    settings.OIDC_PUSHES_REQUESTS = True
    settings.OIDC_OP_PUSHED_ENDPOINT = f"{issuer.url}/par"
    issuer.token_status = 201
    issuer.token_body = json.dumps({"request_uri": NAME, "expires_in": 60}).encode()
    return issuer


def test_the_browser_carries_a_name_alone(client, pushing: Issuer):
    response = client.get("/auth/login?next=/cart/&login_hint=peach")

    asked = parse_qs(urlsplit(response["Location"]).query)
    assert asked == {"client_id": ["mario-app"], "request_uri": [NAME]}
    told = pushing.posted
    assert told["client_secret"]
    assert told["login_hint"] == ["peach"]
    assert told["code_challenge_method"] == ["S256"]
    assert told["redirect_uri"] == ["http://testserver/auth/callback"]

    # And it is the attempt's own state and nonce that Keycloak was told.
    pushing.token_status = 200
    pushing.will_answer(told["nonce"][0])
    back = come_back(client, {"state": told["state"][0]})
    assert back["Location"] == "/cart/"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b'{"request_uri": "urn:x"}'),
        (400, b'{"error": "invalid_request"}'),
        (500, b""),
        (302, b""),
        (201, b"<html>"),
        (201, b"[]"),
        (201, b"{}"),
        (201, b'{"request_uri": 5}'),
        (201, json.dumps({"request_uri": "x" * 600}).encode()),
    ],
)
def test_nobody_is_sent_anywhere_when_it_is_not_taken(
    client, pushing: Issuer, status, body
):
    pushing.token_status, pushing.token_body = status, body

    response = client.get("/auth/login?next=/cart/")

    assert response.status_code == 503
    assert b"Your cart is kept" in response.content
    assert not [name for name in client.cookies if name.startswith("mario_login")]
