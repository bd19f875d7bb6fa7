"""One order across all roles, in four windows that nobody reloads."""

import pytest

from tests.journeys.windows import Window

pytestmark = [pytest.mark.browser, pytest.mark.slow]

BOARDS = {"chef": "Kitchen", "driver": "Delivery", "manager": "Management"}


@pytest.fixture
def everybody(realm, open_live_shop, window) -> dict[str, Window]:
    """Log in the people of the shop, each before the page that they work with."""
    shop = open_live_shop(realm)
    people = {"customer": window(shop), **{name: window(shop) for name in BOARDS}}
    for name, opened in people.items():
        opened.log_in(name)
    for name, room in BOARDS.items():
        people[name].go_to(room)
        people[name].page.locator("[data-live-state][data-state=live]").wait_for()
        people[name].remember_this_page()
    return people


def test_one_order_is_seen_by_everybody_as_it_goes(everybody):
    customer, chef, driver, manager = everybody.values()

    customer.choose("Hawaiian")
    order = customer.place_order()
    customer.remember_this_page()
    customer.wait_for_status("Confirmed")
    chef.ticket(order, "confirmed").wait_for()
    manager.wait_for_figure("Waiting", "1")
    manager.wait_for_figure("Orders", "1")

    chef.tap("advance", order, "Into the oven")
    customer.wait_for_status("In the oven")
    manager.wait_for_figure("In the oven", "1")
    manager.wait_for_figure("Waiting", "0")
    assert driver.page.locator("[data-ticket]").count() == 0

    chef.tap("advance", order, "Ready")
    customer.wait_for_status("Ready")
    driver.ticket(order, "ready").wait_for()
    manager.wait_for_figure("Ready", "1")

    driver.tap("take", order, "Take along")
    driver.ticket(order, "tour").wait_for()
    customer.wait_for_status("On its way")
    chef.ticket(order, "ready").wait_for(state="detached")
    manager.wait_for_figure("On the way", "1")

    driver.tap("deliver", order, "Delivered")
    driver.ticket(order, "tour").wait_for(state="detached")
    customer.wait_for_status("Delivered")
    manager.wait_for_figure("Brought today", "1")
    manager.wait_for_figure("Active orders", "0")
    # The bell counts the welcome, and what others did.
    customer.page.locator("#unread", has_text="5").wait_for()

    for name, opened in everybody.items():
        assert opened.is_still_the_same_page(), name
        assert opened.complaints == [], name
