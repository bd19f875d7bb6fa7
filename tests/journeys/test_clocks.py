"""A shop whose clock is wrong, before each realm: libfaketime shows it another time."""

import json
import time
from typing import Any

import httpx
import pytest

from tests.conftest import REQUIRED
from tests.journeys.conftest import record
from tests.journeys.people import Person
from tests.journeys.test_main_job import KEYS
from tests.servers import faketime

pytestmark = pytest.mark.slow

# Seconds that the shop is ahead of the realm. An access token lives 300, an ID token
# may be 600 old, and 30 are allowed for.
NEAR = (120, 15, -15)
_EARLY = "it is not valid yet"
FAR = {600: "it has expired", -120: _EARLY, -600: _EARLY}


@pytest.fixture
def session_key(realm, open_shop, visitor, store_client) -> tuple[str, Any]:
    """A customer with a cart logs in where the clock is right; and their cookies."""
    customer = visitor("customer", open_shop(realm))
    pizza = customer.browser.get("/api/menu/").json()[0]["id"]
    customer.submit("/cart/add/", pizza=str(pizza), size="small", quantity="3")
    assert customer.log_in().headers["location"] == "/orders/"
    (key,) = store_client.keys(KEYS)
    return key, customer.browser.cookies


@pytest.fixture
def customer(session_key, clock, realm, open_shop, visitor) -> Person:
    """The same customer at a copy of the shop whose clock is wrong."""
    library = faketime()
    if library is None:
        if "servers" in REQUIRED:
            pytest.fail("REQUIRE=servers, and there is no libfaketime")
        pytest.skip("no libfaketime")
    wrong = open_shop(realm, copy=True, LD_PRELOAD=library, FAKETIME=f"{clock:+}")
    customer: Person = visitor("customer", wrong)
    customer.browser.cookies = session_key[1]
    return customer


@pytest.fixture
def key(session_key) -> str:
    return str(session_key[0])


def let_tokens_end(store_client, key: str, *, clock: int) -> None:
    session = record(store_client, key)
    session["tokens"]["expires_at"] = int(time.time()) + clock - 1
    store_client.set(key, json.dumps(session), keepttl=True)


def call(customer: Person, token: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.get(f"{customer.shop.url}/api/cart/", headers=headers, timeout=20)


@pytest.mark.parametrize("clock", NEAR)
def test_that_is_wrong_by_little_is_not_noticed(customer, key, store_client, clock):
    token = record(store_client, key)["tokens"]["access_token"]

    assert call(customer, token).status_code == 200
    let_tokens_end(store_client, key, clock=clock)
    assert customer.is_logged_in()
    assert record(store_client, key)["tokens"]["generation"] == 2
    store_client.flushall()
    assert customer.log_in().headers["location"] == "/orders/"


@pytest.mark.parametrize("clock", FAR)
def test_that_is_far_off_lets_nobody_in_and_says_why(
    customer, key, store_client, clock
):
    before = record(store_client, key)

    refused = call(customer, before["tokens"]["access_token"])
    assert refused.status_code == 401
    assert 'error="invalid_token"' in refused.headers["www-authenticate"]
    assert f"A bearer token was refused: {FAR[clock]}" in customer.shop.log

    # Whoever has to have new tokens is a visitor then, with the cart.
    let_tokens_end(store_client, key, clock=clock)
    left = customer.see("/orders/")
    assert left.headers["location"] == "/auth/login?next=/orders/"
    assert record(store_client, key)["cart"] == before["cart"]
    assert "tokens" not in record(store_client, key)
    assert f"it was not renewed: {FAR[clock]}" in customer.shop.log

    page = customer.log_in()
    assert page.status_code == 400
    assert "clocks of the shop and of the login service disagree" in page.text
    assert f"Request {page.headers['x-request-id']}" in page.text
    assert f"A login was refused: {FAR[clock]}" in customer.shop.log
    assert record(store_client, key)["cart"] == before["cart"]

    tokens = before["tokens"]
    for name in ("access_token", "id_token", "refresh_token"):
        assert tokens[name] not in customer.shop.log
    assert key.removeprefix("mario_session:") not in customer.shop.log
