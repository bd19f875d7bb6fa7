"""A driver's and a manager's work in Chromium: with script, without, and on a phone."""

import shutil

import pytest

from tests.journeys.people import Person
from tests.journeys.windows import Window
from tests.servers import Valkey
from tests.shop import Shop

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PHONE = {
    "viewport": {"width": 360, "height": 740},
    "is_mobile": True,
    "has_touch": True,
}
WINDOWS = [
    pytest.param({}, id="desktop"),
    pytest.param({"java_script_enabled": False}, id="without script"),
    pytest.param({**PHONE, "color_scheme": "dark"}, id="phone in the dark"),
]


@pytest.fixture(scope="module")
def shop(dev_realm, ports, seeded_database, tmp_path_factory):
    folder = tmp_path_factory.mktemp("roles")
    shutil.copy(seeded_database, folder)
    with Valkey(folder / "valkey") as store:
        environment = {
            "REDIS_URL": store.url,
            "KEYCLOAK_SERVER_URL": dev_realm.url,
            "KEYCLOAK_CLIENT_SECRET": dev_realm.client_secret,
        }
        with Shop(ports[0], folder, **environment) as running:
            yield running


@pytest.fixture
def ready_orders(shop, visitor) -> list[int]:
    """Order twice and cook both, as quickly as a program can."""
    customer: Person = visitor("customer", shop)
    chef: Person = visitor("chef", shop)
    customer.log_in()
    chef.log_in()
    orders = []
    for pizza in ("1", "2"):
        customer.submit("/cart/add/", pizza=pizza, size="medium", quantity="1")
        placed = customer.order().headers["location"]
        orders.append(int(placed.rstrip("/").rsplit("/", 1)[1]))
        for status in ("cooking", "ready"):
            chef.submit(f"/kitchen/{orders[-1]}/advance/", to=status)
    return orders


def log_in(opened: Window, name: str, room: str) -> None:
    opened.log_in(name)
    opened.go_to(room)


@pytest.mark.parametrize("options", WINDOWS)
def test_a_driver_brings_one_order_and_returns_with_the_other(
    shop, window, ready_orders, options
):
    brought, returned = ready_orders
    driver = window(shop, **options)
    page = driver.page
    log_in(driver, "driver", "Delivery")

    for order in ready_orders:
        driver.tap("take", order, "Take along")
        driver.ticket(order, "tour").wait_for()
    stops = page.locator(".lane-tour [data-ticket]")
    assert stops.first.get_attribute("data-ticket") == str(brought)
    driver.tap("down", brought, "↓")
    page.locator(f".lane-tour li:first-child[data-ticket='{returned}']").wait_for()
    stop = driver.ticket(brought, "tour")
    assert (
        stop.get_by_role("link", name="Call").get_attribute("href").startswith("tel:")
    )
    assert "1 Castle Road" in stop.inner_text()

    driver.tap("deliver", brought, "Delivered")
    driver.ticket(brought, "tour").wait_for(state="detached")
    back = driver.ticket(returned, "tour")
    back.get_by_text("Bring it back", exact=True).click()
    back.get_by_label("Why?").fill("Nobody at home")
    back.get_by_role("button", name=f"Bring order {returned} back").click()
    driver.ticket(returned, "ready").get_by_text("Nobody at home").wait_for()

    assert stops.count() == 0
    assert driver.complaints == []


@pytest.mark.parametrize("options", WINDOWS)
def test_a_manager_reads_the_day_and_changes_the_menu(
    shop, window, ready_orders, options
):
    manager = window(shop, **options)
    page = manager.page
    log_in(manager, "manager", "Management")
    page.locator(".figure", has_text="Active orders").first.wait_for()

    for room, heading in (("Operations", "Operations"), ("Analytics", "Analytics")):
        page.get_by_label("Management").get_by_role("link", name=room).click()
        page.get_by_role("heading", level=1, name=heading).wait_for()
    page.get_by_text("The figures behind both charts").click()
    assert page.locator("table.numbers caption", has_text="Sales by").count() == 1

    page.get_by_label("Management").get_by_role("link", name="Menu").click()
    page.get_by_role("link", name="Edit Hawaiian").click()
    page.locator("[name=base_price]").fill("14.49")
    page.get_by_role("button", name="Save").click()
    page.locator("#toasts", has_text="Hawaiian").wait_for()
    page.goto("/management/menu/")
    assert "$14.49" in page.locator("main").inner_text()
    row = page.locator(".row-item", has_text="Hawaiian")
    row.get_by_role("button", name="Take off the menu").click()
    row.get_by_role("button", name="Bring back").click()
    row.get_by_role("button", name="Take off the menu").wait_for()

    page.goto("/kitchen/")
    page.get_by_text("Change", exact=True).click()
    page.get_by_label("Places in the oven").fill("4")
    page.get_by_role("button", name="Set").click()
    page.get_by_text("of 4 in the oven").wait_for()
    assert manager.complaints == []
