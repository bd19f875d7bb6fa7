"""What somebody meets on the way to the login and back: on both realms."""

import json
import re
import time
from html import unescape
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from mario.identity.links import CHANGE_PASSWORD, CHANGE_PROFILE
from tests.journeys.conftest import record
from tests.journeys.people import PASSWORD
from tests.journeys.test_main_job import KEYS
from tests.realms import DevRealm, submit_login, trust_localhost
from tests.servers import wait_until


@pytest.fixture
def shop(realm, open_shop):
    return open_shop(realm)


@pytest.fixture
def customer(shop, visitor):
    return visitor("customer", shop)


def walk(person, url: str) -> httpx.Response:
    """Open an address and follow every redirect, as a browser does."""
    answer: httpx.Response = person.browser.get(url)
    for _ in range(10):
        trust_localhost(person.browser.cookies.jar)
        if not answer.is_redirect:
            return answer
        answer = person.browser.get(answer.url.join(answer.headers["location"]))
    raise AssertionError("a circle of redirects")


def asked(answer: httpx.Response) -> dict[str, list[str]]:
    return parse_qs(urlsplit(answer.headers["location"]).query)


def test_the_back_button_and_a_second_callback_change_nothing(
    customer, shop, store_client
):
    page = walk(customer, "/auth/login?next=/orders/")
    answer = submit_login(customer.browser, page, "customer", PASSWORD)
    callback = answer.headers["location"]
    assert customer.browser.get(callback).headers["location"] == "/orders/"
    (key,) = store_client.keys(KEYS)

    again = customer.browser.get(callback)

    assert again.headers["location"] == "/"
    assert store_client.keys(KEYS) == [key]
    assert customer.is_logged_in()


def test_a_callback_without_its_attempt_or_its_verifier_opens_nothing(
    customer, shop, visitor, store_client
):
    page = walk(customer, "/auth/login")
    answer = submit_login(customer.browser, page, "customer", PASSWORD)
    callback = answer.headers["location"]

    # Another browser has no attempt, or one with another verifier.
    stranger = visitor("user", shop)
    assert stranger.browser.get(callback).status_code == 400
    stranger.browser.get("/auth/login")
    begun = asked(stranger.browser.get("/auth/login"))
    stolen = httpx.URL(callback).copy_set_param("state", begun["state"][0])
    assert stranger.browser.get(stolen).status_code == 400

    assert store_client.keys(KEYS) == []


def test_two_tabs_each_go_where_they_wanted(customer, store_client):
    one = walk(customer, "/auth/login?next=/orders/")
    other = walk(customer, "/auth/login?next=/cart/")

    answer = submit_login(customer.browser, other, "customer", PASSWORD)
    assert customer.browser.get(answer.headers["location"]).headers["location"] == (
        "/cart/"
    )

    # Known by now; the first tab's form, or its link once more, leads on.
    again = walk(customer, "/auth/login?next=/orders/")
    assert again.url.path == "/orders/"
    assert one.is_success


def test_a_recent_login_is_asked_for_and_checked(customer, store_client):
    customer.log_in()
    (key,) = store_client.keys(KEYS)
    first = record(store_client, key)["user_info"]["auth_time"]
    time.sleep(2)

    page = walk(customer, "/auth/login?next=/cart/&max_age=1")
    assert 'id="kc-form-login"' in page.text
    answer = submit_login(customer.browser, page, "customer", PASSWORD)

    assert customer.browser.get(answer.headers["location"]).headers["location"] == (
        "/cart/"
    )
    (key,) = store_client.keys(KEYS)
    assert record(store_client, key)["user_info"]["auth_time"] > first


def test_a_level_of_the_realms_is_asked_for_and_checked(customer, store_client):
    page = walk(customer, "/auth/login?next=/cart/&acr_values=1")
    answer = submit_login(customer.browser, page, "customer", PASSWORD)
    assert customer.browser.get(answer.headers["location"]).headers["location"] == (
        "/cart/"
    )
    (key,) = store_client.keys(KEYS)
    assert record(store_client, key)["user_info"]["acr"] == "1"

    # A level that the realm does not have is not reached, however it asks.
    refused = walk(customer, "/auth/login?next=/orders/&acr_values=gold")
    if 'id="kc-form-login"' in refused.text:
        answer = submit_login(customer.browser, refused, "customer", PASSWORD)
        refused = customer.browser.get(answer.headers["location"])
    assert refused.status_code == 400
    assert customer.is_logged_in()


def test_what_is_asked_for_is_pushed_if_the_realm_takes_it(realm, open_shop, visitor):
    customer = visitor("customer", open_shop(realm, KEYCLOAK_PUSHED_REQUESTS="true"))

    if isinstance(realm, DevRealm):
        # It has no such address, and nobody is sent there in vain.
        assert customer.see("/auth/login").status_code == 503
        return
    begun = asked(customer.see("/auth/login"))
    assert begun.keys() == {"client_id", "request_uri"}
    # Keycloak takes the name once, and leads on to its form.
    page = walk(customer, "/auth/login?next=/orders/")
    answer = submit_login(customer.browser, page, "customer", PASSWORD)
    back = customer.browser.get(answer.headers["location"])
    assert back.headers["location"] == "/orders/"
    assert customer.is_logged_in()


def test_the_form_speaks_the_language_that_a_link_asks_for(customer, realm):
    page = walk(customer, "/auth/login?ui_locales=it%20de")

    # The development realm has one language.
    languages = ("en", "Sign in") if isinstance(realm, DevRealm) else ("it", "Accedi")
    assert all(word in page.text for word in (f'lang="{languages[0]}"', languages[1]))
    assert 'id="kc-form-login"' in page.text


@pytest.mark.parametrize("action", [CHANGE_PASSWORD, CHANGE_PROFILE])
def test_an_action_of_keycloak_is_on_the_way(customer, realm, action):
    customer.log_in()

    page = walk(customer, f"/auth/login?next=/cart/&kc_action={action}")

    if isinstance(realm, DevRealm):
        # It says that it has no such page, and the person is back.
        assert page.url.path == "/cart/"
    else:
        assert page.is_success
        assert re.search(r'name="(password-new|firstName)"', page.text)
    assert customer.is_logged_in()


def test_new_accounts_are_made_at_the_realm(customer, realm):
    page = walk(customer, "/auth/register?next=/cart/")

    if isinstance(realm, DevRealm):
        assert "Registration not allowed" in page.text
    else:
        assert page.is_success
        assert 'name="email"' in page.text


def test_an_error_of_the_realm_logs_nobody_out(customer, store_client):
    customer.log_in()
    begun = asked(customer.browser.get("/auth/login?next=/cart/"))
    known = {"state": begun["state"][0], "error": "access_denied"}

    foreign = customer.browser.get(
        "/auth/callback", params={"error": "x", "state": "y"}
    )
    cancelled = customer.browser.get("/auth/callback", params=known)

    assert foreign.status_code == 302
    assert cancelled.status_code == 400
    assert "You are still logged in as before." in cancelled.text
    assert customer.is_logged_in()


def test_whom_a_widened_logout_has_met_comes_back_with_the_password(
    realm, open_shop, visitor, store_client
):
    shop = open_shop(realm, KEYCLOAK_LOGOUT_WIDENS_TO_SUBJECT="true")
    laptop, phone = visitor("customer", shop), visitor("customer", shop)
    for device in (laptop, phone):
        device.log_in()
    key = f"mario_session:{laptop.browser.cookies['mario_session']}"
    session = record(store_client, key)
    laptop.browser.get(
        f"{realm.issuer}/protocol/openid-connect/logout",
        params={"id_token_hint": session["tokens"]["id_token"]},
    )
    wait_until(lambda: store_client.keys(KEYS) == [])
    ended_at = int(time.time())

    # The realm still knows the phone, and sends it back with the login from before.
    refused = walk(phone, "/auth/login?next=/orders/")
    assert refused.status_code == 400
    again = re.search(r'href="(/auth/login[^"]*prompt=login)"', refused.text)
    assert again
    wait_until(lambda: int(time.time()) > ended_at)
    page = walk(phone, unescape(again[1]))
    answer = submit_login(phone.browser, page, "customer", PASSWORD)

    assert phone.browser.get(answer.headers["location"]).headers["location"] == (
        "/orders/"
    )
    assert phone.is_logged_in()


def test_while_the_realm_is_away_the_cart_is_kept_and_people_stay(
    dev_realm, open_shop, visitor, store_client
):
    shop = open_shop(dev_realm)
    known, new = visitor("chef", shop), visitor("customer", shop)
    known.log_in()
    pizza = new.browser.get("/api/menu/").json()[0]["id"]
    new.submit("/cart/add/", pizza=str(pizza), size="small", quantity="3")
    dev_realm.stop()
    try:
        time.sleep(0.1)
        let_tokens_end(store_client)
        page = new.browser.get("/auth/login?next=/checkout/")
        people_stay = known.is_logged_in()
    finally:
        dev_realm.start()

    assert page.status_code in (302, 503)
    assert people_stay
    assert new.log_in().headers["location"] == "/orders/"
    assert "Your cart is empty" not in new.see("/cart/").text


def let_tokens_end(store_client) -> None:
    for key in store_client.keys(KEYS):
        session = record(store_client, key)
        if "tokens" in session:
            session["tokens"]["expires_at"] = int(time.time()) - 1
            store_client.set(key, json.dumps(session), keepttl=True)
