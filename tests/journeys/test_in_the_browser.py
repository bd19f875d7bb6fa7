"""The main job in Chromium: what people click, and what they see."""

import re

import pytest

from mario.identity.login_session import TOKENS
from tests.journeys.conftest import record
from tests.journeys.test_main_job import KEYS

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.mark.parametrize("javascript", [True, False], ids=["javascript", "plain"])
def test_the_whole_story(
    realm, open_shop, window, store_client, api_client, javascript
):
    shop = open_shop(realm)
    customer = window(shop, java_script_enabled=javascript)

    customer.log_in("customer")
    (key,) = store_client.keys(KEYS)
    api = api_client(shop, record(store_client, key)[TOKENS]["access_token"])
    assert api.add("Margherita", quantity=2).status_code == 201

    customer.page.goto("/cart/")
    assert "33.78" in customer.page.inner_text("main")
    number = customer.place_order()
    assert "33.78" in customer.page.inner_text("main")

    chef = window(shop, java_script_enabled=javascript)
    chef.log_in("chef")
    chef.page.get_by_role("link", name="Kitchen").click()
    for step in ("Into the oven", "Ready"):
        chef.page.locator(f"#advance-{number}", has_text=step).click()
    chef.page.locator(f".lane-ready [data-ticket='{number}']").wait_for()

    customer.page.reload()
    assert "Ready" in customer.page.inner_text("main")
    customer.page.get_by_role("button", name="Log out").click()
    customer.page.wait_for_url(lambda url: url.startswith(shop.url))
    customer.page.get_by_role("heading", name="You are logged out.").wait_for()
    customer.page.goto("/menu/")
    customer.page.get_by_label("Main").get_by_text("Log in").wait_for()

    assert api.http.get("/cart/").status_code == 401
    assert store_client.exists(key) == 0
    assert customer.complaints == []
    assert chef.complaints == []


def test_a_double_click_orders_once(dev_realm, open_shop, window):
    shop = open_shop(dev_realm)
    customer = window(shop)
    customer.log_in("customer")
    with customer.page.expect_response("**/cart/add/"):
        customer.page.get_by_role("button", name="Add Hawaiian").click()
    customer.page.goto("/checkout/")
    customer.page.locator("[name=customer_phone]").fill("+1 202 555 0143")
    customer.page.locator("[name=customer_address]").fill("1 Castle Road, Toadstool")
    customer.page.locator("[name=payment_method][value=cash]").check()

    customer.page.get_by_role("button", name="Place the order").dblclick()

    customer.page.wait_for_url(re.compile(r"/orders/\d+/"))
    customer.page.goto("/orders/")
    assert customer.page.locator("a[href^='/orders/']:visible").count() >= 1
    assert shop.manage("shell", "-c", _COUNT_ORDERS).strip().endswith("orders: 1")


_COUNT_ORDERS = (
    "from pizzeria.orders.models import Order; print('orders:', Order.objects.count())"
)
