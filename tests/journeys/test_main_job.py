"""One login for the browser, the API, the kitchen and a command, end to end."""

import time

import pytest

from mario.identity.login_session import TOKENS, USER_INFO
from tests.journeys.conftest import record

KEYS = "mario_session:*"


def test_browser_and_bearer_share_one_session_until_logout(
    realm, open_shop, visitor, store_client, api_client
):
    shop = open_shop(realm)
    customer = visitor("customer", shop)

    # Looking around, and opening the login page, makes no session.
    assert customer.see("/menu/").status_code == 200
    assert customer.see("/auth/login").status_code == 302
    assert store_client.keys(KEYS) == []

    answer = customer.log_in()
    assert answer.headers["location"] == "/orders/"
    (key,) = store_client.keys(KEYS)
    assert key == f"mario_session:{customer.browser.cookies['mario_session']}"
    assert 86_390 <= store_client.ttl(key) <= 86_400
    session = record(store_client, key)
    assert session[USER_INFO]["preferred_username"] == "customer"
    assert session[USER_INFO]["roles"].count("customer") == 1
    assert {"access_token", "refresh_token", "id_token"} <= session[TOKENS].keys()

    # An API client with a token of this login fills the cart, and gets no cookie.
    api = api_client(shop, session[TOKENS]["access_token"])
    added = api.add("Margherita", size="medium", quantity=2)
    assert added.status_code == 201, added.text
    assert "set-cookie" not in added.headers
    assert added.json()["total_amount"] == "33.78"
    assert store_client.keys(KEYS) == [key]

    # The browser sees it and orders what is in it.
    assert "33.78" in customer.see("/cart/").text
    ordered = customer.order()
    assert ordered.status_code in (302, 303), ordered.text
    order_path = ordered.headers["location"]
    assert "33.78" in customer.see(order_path).text
    assert api.http.get("/cart/").json()["total_amount"] == "0.00"

    # The kitchen finishes it; the customer may not.
    (order,) = api.http.get("/orders/").json()["results"]
    advance = f"/kitchen/{order['id']}/advance/"
    assert customer.submit(advance, to="cooking").status_code == 403
    chef = visitor("chef", shop)
    chef.log_in()
    assert f"{order['id']}" in chef.see("/kitchen/").text
    for status in ("cooking", "ready"):
        assert chef.submit(advance, to=status).status_code in (200, 302, 303)
    assert api.http.get(f"/orders/{order['id']}/").json()["status"] == "ready"

    # A command sees the session, and shows no token.
    shown = shop.manage("sessions", "show", key.removeprefix("mario_session:"))
    assert "customer" in shown
    assert session[TOKENS]["access_token"] not in shown

    # Logging out ends the session and the bearer, and goes on to the realm.
    left = customer.log_out()
    assert left.status_code == 302
    assert left.headers["location"].startswith(f"{realm.issuer}/protocol/")
    assert store_client.exists(key) == 0
    refused = api.http.get("/cart/")
    assert refused.status_code == 401
    assert 'error="invalid_token"' in refused.headers["www-authenticate"]
    assert not customer.is_logged_in()
    assert store_client.keys(KEYS) != [key]

    for secret in (*session[TOKENS].values(), key.removeprefix("mario_session:")):
        if isinstance(secret, str) and len(secret) > 20:
            assert secret not in shop.log


def test_logging_out_at_keycloak_reaches_the_shop(
    realm, open_shop, visitor, store_client, api_client
):
    shop = open_shop(realm)
    customer = visitor("customer", shop)
    customer.log_in()
    (key,) = store_client.keys(KEYS)
    tokens = record(store_client, key)[TOKENS]

    # The person logs out elsewhere; Keycloak tells the shop by the back channel.
    customer.browser.get(
        f"{realm.issuer}/protocol/openid-connect/logout",
        params={"id_token_hint": tokens["id_token"]},
    )

    deadline = time.monotonic() + 10
    while store_client.exists(key) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not store_client.exists(key)
    api = api_client(shop, tokens["access_token"])
    assert api.http.get("/cart/").status_code == 401


def test_staff_enter_the_admin_through_the_realm(realm, open_shop, visitor):
    shop = open_shop(realm)
    admin = visitor("admin", shop)
    assert admin.see("/admin/").headers["location"].startswith("/admin/login/")

    admin.log_in()
    customer = visitor("customer", shop)
    customer.log_in()

    assert admin.see("/admin/").status_code == 200
    refused = customer.browser.get("/admin/", follow_redirects=True)
    assert refused.status_code == 403


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_password_opens_the_admin(dev_realm, open_shop, visitor, method):
    shop = open_shop(dev_realm)
    stranger = visitor("admin", shop)

    answer = stranger.browser.request(
        method, "/admin/login/", data={"username": "admin", "password": "test"}
    )

    assert answer.status_code in (302, 403)
    assert "mario_session" not in stranger.browser.cookies


def test_two_people_in_one_request_are_refused(
    dev_realm, open_shop, visitor, store_client
):
    shop = open_shop(dev_realm)
    customer, chef = visitor("customer", shop), visitor("chef", shop)
    customer.log_in()
    (key,) = store_client.keys(KEYS)
    token = record(store_client, key)[TOKENS]["access_token"]
    chef.log_in()

    answer = chef.browser.get(
        "/api/cart/", headers={"Authorization": f"Bearer {token}"}
    )

    assert answer.status_code == 400
    assert answer.json()["code"] == "two_people"
    assert chef.is_logged_in()


def test_the_cookie_needs_the_csrf_token_and_the_bearer_none(
    dev_realm, open_shop, visitor, store_client, api_client
):
    shop = open_shop(dev_realm)
    customer = visitor("customer", shop)
    customer.log_in()
    (key,) = store_client.keys(KEYS)
    api = api_client(shop, record(store_client, key)[TOKENS]["access_token"])
    item = {"pizza": api.pizza("Pepperoni")["id"], "size": "small", "quantity": 1}

    refused = customer.browser.post("/api/cart/items/", json=item)
    accepted = api.http.post("/cart/items/", json=item)

    assert refused.status_code == 403
    assert accepted.status_code == 201


def test_a_cart_filled_before_the_login_is_still_there_after_it(
    dev_realm, open_shop, visitor, store_client
):
    shop = open_shop(dev_realm)
    customer = visitor("customer", shop)
    pizza = customer.browser.get("/api/menu/").json()[0]["id"]
    customer.submit("/cart/add/", pizza=str(pizza), size="small", quantity="3")
    (before,) = store_client.keys(KEYS)
    cart = record(store_client, before)["cart"]

    customer.log_in()

    (after,) = store_client.keys(KEYS)
    assert after != before
    assert record(store_client, after)["cart"] == cart
