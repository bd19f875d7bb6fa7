"""
What a callback makes of a wrong ID token, by the numbers of docs/identity.md.

The login fails with a page, nothing is kept, and nothing answers 500.
"""

import json
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model

from mario.identity import jwks, shared, validator
from mario.identity.exceptions import InvalidToken
from tests.mario.identity.issuer import Issuer
from tests.mario.identity.test_login import begin, come_back, log_in

pytestmark = pytest.mark.django_db

type Make = Callable[[Issuer, dict[str, Any]], str]


def claiming(**changes: Any) -> Make:
    """The good ID token with other claims; None leaves one out."""

    def make(issuer: Issuer, good: dict[str, Any]) -> str:
        claims = {**good, **changes}
        return issuer.sign({n: v for n, v in claims.items() if v is not None})

    return make


def ago(name: str, seconds: int) -> Make:
    """The same with a time that lies so long back; below zero, ahead."""

    def make(issuer: Issuer, good: dict[str, Any]) -> str:
        # Told when it is made, not when the tests are collected.
        return issuer.sign({**good, name: int(time.time()) - seconds})

    return make


def headed(**header: Any) -> Make:
    return lambda issuer, good: issuer.sign(good, **header)


def by(key: Callable[[Issuer], Any], **header: Any) -> Make:
    return lambda issuer, good: issuer.sign(good, key=key(issuer), **header)


def unsigned(issuer: Issuer, good: dict[str, Any]) -> str:
    head, payload, _ = issuer.sign(good, alg="HS256", key=b"x").split(".")
    return f"{head}.{payload}."


def without_kid_among_two(issuer: Issuer, good: dict[str, Any]) -> str:
    issuer.keys = [issuer.keys[0], issuer.new_key()]
    jwks.forget()
    shared.remove("jwks")
    return issuer.sign(good, kid=None)


REFUSED: dict[str, Make] = {
    "37-nonce-wrong": claiming(nonce="another"),
    "37-nonce-missing": claiming(nonce=None),
    "37-nonce-int": claiming(nonce=7),
    "38-iss-wrong": claiming(iss="http://elsewhere/realms/pyneuro"),
    "38-iss-missing": claiming(iss=None),
    "38-aud-wrong": claiming(aud="account"),
    "38-aud-missing": claiming(aud=None),
    "38-aud-several-without-azp": claiming(aud=["mario-app", "other"], azp=None),
    "38-aud-several": claiming(aud=["mario-app", "other"]),
    "38-azp-wrong": claiming(azp="other"),
    "39-sub-missing": claiming(sub=None),
    "39-iat-missing": claiming(iat=None),
    "39-exp-missing": claiming(exp=None),
    "40-expired": ago("exp", 60),
    "40-made-11-minutes-ago": ago("iat", 660),
    "40-clock-2-minutes-ahead": ago("iat", -120),
    "40-exp-far": claiming(exp=9_999_999_999),
    "40-exp-text": claiming(exp="1999999999"),
    "41-none": unsigned,
    "41-other-key": by(lambda issuer: issuer.new_key()),
    "41-HS256": by(lambda issuer: issuer.keys[0].as_pem(private=False), alg="HS256"),
    "41-PS256": headed(alg="PS256"),
    "42-kid-absent-two-keys": without_kid_among_two,
    "42-kid-unknown": headed(kid="unknown"),
    "43-at_hash-wrong": claiming(at_hash="another"),
    "43-at_hash-int": claiming(at_hash=7),
    "51-access-token": claiming(typ="Bearer"),
    "51-logout-token": claiming(events={validator.LOGOUT_EVENT: {}}),
    "51-logout-header": headed(typ="logout+jwt"),
    "52-auth_time-text": claiming(auth_time="now"),
    "garbage": lambda issuer, good: "garbage",
    "empty": lambda issuer, good: "",
    "huge": lambda issuer, good: "A" * 100_000,
}
ACCEPTED: dict[str, Make] = {
    "as-made": claiming(),
    "38-aud-in-a-list": claiming(aud=["mario-app"]),
    "40-clock-20-seconds-ahead": ago("iat", -20),
    "42-kid-absent-one-key": headed(kid=None),
}


def answer_with(client, issuer: Issuer, make: Make):
    asked = begin(client)
    answer = issuer.will_answer(asked["nonce"])
    good = {**issuer.claims(), "typ": "ID", "nonce": asked["nonce"]}
    answer["id_token"] = make(issuer, good)
    issuer.token_body = json.dumps(answer).encode()
    return come_back(client, asked)


@pytest.mark.parametrize("make", REFUSED.values(), ids=REFUSED)
def test_is_refused(client, issuer: Issuer, redis_client, make: Make):
    response = answer_with(client, issuer, make)

    assert response.status_code == 400
    assert b"/auth/login?next=" in response.content
    assert "mario_session" not in client.cookies
    assert redis_client.keys("mario_session:*") == []
    assert not get_user_model().objects.exists()


@pytest.mark.parametrize("make", ACCEPTED.values(), ids=ACCEPTED)
def test_is_accepted(client, issuer: Issuer, make: Make):
    response = answer_with(client, issuer, make)

    assert response.status_code == 302, response.content
    assert client.cookies["mario_session"].value


@pytest.mark.parametrize("acr", ["0", None, 1])
def test_52_weaker_than_was_asked_for(issuer: Issuer, acr):
    token = issuer.sign(issuer.claims(typ="ID", nonce="n1", acr=acr))

    with pytest.raises(InvalidToken, match="weaker"):
        validator.id_token(token, nonce="n1", access_token="x", acr="1")


def test_52_longer_ago_than_was_asked_for(issuer: Issuer):
    old = int(time.time()) - 400
    token = issuer.sign(issuer.claims(typ="ID", nonce="n1", auth_time=old))

    with pytest.raises(InvalidToken, match="too long ago"):
        validator.id_token(
            token, nonce="n1", access_token="x", max_age=timedelta(minutes=5)
        )


@pytest.mark.parametrize("is_verified", [True, False])
def test_53_the_address_of_somebody_else_leads_to_nobody(
    client, issuer: Issuer, is_verified: bool
):
    other = get_user_model().objects.create_user("toad", email="peach@example.com")

    log_in(client, issuer, email_verified=is_verified)

    assert client.session["_auth_user_id"] != str(other.pk)
