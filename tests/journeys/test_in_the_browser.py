"""The main job in Chromium: what people click, and what they see."""

import re

import pytest
from playwright.sync_api import ConsoleMessage

from mario.identity.login_session import TOKENS
from tests.journeys.conftest import record
from tests.journeys.people import PASSWORD
from tests.journeys.test_main_job import KEYS

pytestmark = [pytest.mark.browser, pytest.mark.slow]


class Window:
    """Somebody's browser window, with everything that its console complained of."""

    def __init__(self, browser, shop, **options) -> None:
        self.context = browser.new_context(base_url=shop.url, **options)
        self.context.set_default_timeout(20_000)
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", self._listen)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _listen(self, said: ConsoleMessage) -> None:
        if said.type == "error":
            self.complaints.append(said.text)

    def log_in(self, name: str) -> None:
        self.page.goto("/menu/")
        self.page.get_by_label("Main").get_by_text("Log in").click()
        self.page.locator("input[name=username]").fill(name)
        self.page.locator("input[name=password]").fill(PASSWORD)
        self.page.locator("input[name=password]").press("Enter")
        self.page.wait_for_url("**/menu/")

    def place_order(self) -> None:
        self.page.goto("/cart/")
        self.page.get_by_role("link", name="Order now").click()
        self.page.locator("[name=customer_phone]").fill("+1 202 555 0143")
        self.page.locator("[name=customer_address]").fill("1 Castle Road, Toadstool")
        self.page.locator("[name=payment_method][value=cash]").check()
        self.page.get_by_role("button", name="Place the order").click()
        self.page.wait_for_url(re.compile(r"/orders/\d+/"))


@pytest.fixture
def window(browser):
    windows: list[Window] = []

    def window(shop, **options) -> Window:
        windows.append(Window(browser, shop, **options))
        return windows[-1]

    yield window
    for opened in windows:
        opened.context.close()


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
    customer.place_order()
    assert "33.78" in customer.page.inner_text("main")
    number = customer.page.url.rstrip("/").rsplit("/", 1)[1]

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
