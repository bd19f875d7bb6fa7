"""The same login, by browser and bearer token, where Redis holds no id and no token."""

import base64
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.test import Client, override_settings

from pizzeria.menu.models import Pizza
from tests.mario.identity.issuer import Issuer
from tests.mario.identity.test_bearer import TestRefusal as _Refusal
from tests.mario.identity.test_bearer import TestSharedSession as _SharedSession
from tests.mario.identity.test_found_sessions import (
    TestTheEndOfItsLogin as _TheEndOfItsLogin,
)
from tests.mario.identity.test_found_sessions import (
    TestWhoComesAtTheSameMoment as _WhoComesAtTheSameMoment,
)
from tests.mario.identity.test_found_sessions import token  # noqa: F401  # a fixture
from tests.mario.identity.test_login import log_in

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _protected():
    with override_settings(
        SESSION_KEY_SECRET="a-secret-of-the-tests-and-of-nobody-else",
        SESSION_SEALING_KEYS=[base64.urlsafe_b64encode(b"k" * 32).decode()],
    ):
        yield


@pytest.fixture
def pizza() -> Pizza:
    return Pizza.objects.create(name="Margherita", base_price="12.99")


class TestSharedSession(_SharedSession):
    pass


class TestRefusal(_Refusal):
    pass


class TestTheEndOfItsLogin(_TheEndOfItsLogin):
    pass


class TestWhoComesAtTheSameMoment(_WhoComesAtTheSameMoment):
    pass


def test_redis_holds_neither_the_cookie_nor_a_token(
    client, issuer: Issuer, redis_client
):
    log_in(client, issuer)
    cookie = client.cookies["mario_session"].value
    tokens = client.session["tokens"]

    keys = redis_client.keys("*")
    (record_key,) = redis_client.keys("mario_session:*")
    record = redis_client.get(record_key)

    assert not any(cookie in key for key in keys)
    assert tokens["access_token"] not in record
    assert tokens["refresh_token"] not in record
    assert '"user_info":{' in record


def test_tokens_are_renewed_once_for_browser_and_bearer(client, issuer: Issuer):
    log_in(client, issuer)
    issuer.token_requests.clear()
    issuer.will_refresh()
    session = client.session
    session["tokens"] = {**session["tokens"], "expires_at": round(time.time()) - 1}
    session.save()
    bearer = {"Authorization": f"Bearer {issuer.sign(issuer.claims())}"}

    with ThreadPoolExecutor(2) as pool:
        answers = [
            pool.submit(client.get, "/orders/"),
            pool.submit(Client().get, "/api/cart/", headers=bearer),
        ]
        assert [answer.result(20).status_code for answer in answers] == [200, 200]

    assert client.session["tokens"]["generation"] == 2
    assert len(issuer.token_requests) == 1
