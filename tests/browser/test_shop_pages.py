"""The shop's other pages in a real browser, with and without script."""

import pytest
from django.contrib.auth.models import Group, Permission, User

from pizzeria.customers import services
from pizzeria.orders.models import Order
from pizzeria.roles import GROUP_PERMISSIONS
from tests.browser.test_look import DESKTOP, PHONE, assert_well_made

pytestmark = pytest.mark.browser


@pytest.fixture(params=[PHONE, DESKTOP], ids=["phone", "desktop"])
def viewport(request):
    return request.param


@pytest.fixture
def daisy(transactional_db) -> User:
    """Manages."""
    daisy = User.objects.create_user("daisy", first_name="Daisy")
    group = Group.objects.get_or_create(name="manager")[0]
    daisy.groups.add(group)
    # A transactional test begins without what `migrate` gave to the group.
    for permission in GROUP_PERMISSIONS["manager"]:
        app, _, codename = permission.partition(".")
        group.permissions.add(
            Permission.objects.get(content_type__app_label=app, codename=codename)
        )
    return daisy


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_of_a_customer_are_well_made(
    window, viewport, scheme, peach, menu, order_of
):
    customer = window(peach, viewport=viewport, color_scheme=scheme)
    assert_well_made(customer, "/profile/")
    services.save_address(user=peach, label="Home", text="1 Castle Road, Toadstool")
    services.set_favourite(user=peach, pizza=menu[3], is_favourite=True)
    order = order_of(peach)
    customer.fill_cart()
    customer.see(f"/orders/{order.pk}/")
    share = customer.page.locator("a.share").get_attribute("href")

    for path in (
        "/menu/?vegetarian=on",
        "/menu/?q=nothing+is+called+that",
        f"/menu/{menu[3].pk}/?size=large&extra_toppings=Olives",
        "/checkout/",
        "/orders/?state=cancelled",
        share,
        "/profile/",
        "/profile/edit/",
        "/profile/addresses/add/",
    ):
        assert_well_made(customer, path)


def test_pages_of_a_manager_are_well_made(window, viewport, daisy, menu):
    manager = window(daisy, viewport=viewport)

    for path in (
        "/management/menu/",
        "/management/menu/add/",
        f"/management/menu/{menu[0].pk}/",
    ):
        assert_well_made(manager, path)


def test_one_pizza_follows_what_is_chosen_on_top_of_the_address(window, menu):
    visitor = window()
    visitor.see(f"/menu/{menu[3].pk}/?size=large&extra_toppings=Olives")
    page = visitor.page
    price = page.locator("[data-price]")
    assert price.inner_text() == "$26.48"

    page.get_by_label("Basil").check()
    assert price.inner_text() == "$28.98"
    page.get_by_label("Olives").uncheck()

    assert price.inner_text() == "$26.48"
    drawn = [use.get_attribute("href") for use in page.locator(".pizza-disc use").all()]
    assert drawn == ["#base-classic", "#t-ham", "#t-pineapple", "#t-basil"]
    assert visitor.complaints == []


def test_the_address_is_asked_for_only_when_the_pizza_goes_there(window, peach):
    services.save_address(user=peach, label="Home", text="1 Castle Road, Toadstool")
    customer = window(peach)
    customer.fill_cart()
    customer.see("/checkout/")
    page = customer.page
    address = page.locator("[name=customer_address]")
    assert not address.is_visible()

    page.get_by_label("Another address").check()
    assert address.is_visible()

    page.get_by_label("Pick-up").check()
    assert not address.is_visible()
    assert not page.get_by_label("Another address").is_visible()


def test_the_whole_way_works_without_a_script(window, peach, menu):
    customer = window(peach, java_script_enabled=False)
    page = customer.page
    customer.see(f"/menu/{menu[3].pk}/")
    page.get_by_label("Large").check()
    page.get_by_label("Olives").check()
    page.get_by_role("button", name="Show picture and price").click()
    assert page.locator("use[href='#t-olives']").count() == 1
    page.get_by_role("button", name="Add to the cart").click()
    assert page.locator(".row-total").inner_text() == "$26.48"

    page.get_by_role("link", name="Change Hawaiian").click()
    page.get_by_label("Small").check()
    page.get_by_role("button", name="Save").click()
    assert page.locator(".row-total").inner_text() == "$17.49"
    page.get_by_role("button", name="Remove Hawaiian").click()
    page.get_by_role("button", name="Undo").click()
    assert page.locator(".row-total").inner_text() == "$17.49"

    page.get_by_role("link", name="Order now").click()
    page.get_by_label("Pick-up").check()
    page.get_by_label("Phone").fill("(202) 555-0143")
    page.get_by_role("button", name="Place the order").click()
    assert "Ready to pick up" in page.inner_text("main")
    page.get_by_text("Cancel the order").click()
    page.get_by_role("button", name="Cancel order").click()

    assert "is cancelled" in page.inner_text("#toasts")
    order = Order.objects.get()
    assert (order.status, order.fulfilment) == ("cancelled", "pickup")
    page.get_by_role("button", name="Order this again").click()
    assert page.locator(".row-total").inner_text() == "$17.49"
