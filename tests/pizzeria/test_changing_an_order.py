"""An order that goes back into the cart, as long as the kitchen has not begun."""

from datetime import timedelta

import pytest
from django.utils import timezone

from pizzeria.cart.cart import Cart
from pizzeria.events.models import OutboxEvent
from pizzeria.menu.pricing import Size
from pizzeria.orders.models import Order
from pizzeria.orders.ordering import order_cart, take_back
from pizzeria.orders.services import move_order
from pizzeria.orders.transitions import Status
from pizzeria.restaurant.models import Restaurant
from pizzeria.vouchers.models import Voucher
from tests.pizzeria.conftest import CHECKOUT, CONTACT, FRIDAY_EVENING


@pytest.fixture
def order(order_of, peach):
    return order_of(peach)


@pytest.fixture
def change(session, peach):
    def change(order, customer=peach):
        return take_back(
            session=session, order_id=order.pk, customer=customer, now=FRIDAY_EVENING
        )

    return change


def test_is_cancelled_and_in_the_cart(order, change, session):
    change(order)

    order.refresh_from_db()
    assert order.status == Status.CANCELLED
    assert order.cancel_reason == "Taken back into the cart, to be changed."
    [row] = Cart(session).rows
    assert (row.pizza.name, row.size, row.quantity) == ("Margherita", "medium", 1)
    told = OutboxEvent.objects.get(type__endswith="order.cancelled.v1")
    assert told.data["reason"] == order.cancel_reason


def test_joins_what_is_in_the_cart_already(order, change, session, hawaiian):
    Cart(session).add(pizza=hawaiian, size=Size.LARGE, quantity=2)

    change(order)

    assert Cart(session).count == 3


def test_brings_its_voucher_back(session, peach, margherita, change):
    Voucher.objects.create(code="PIZZA20", value=20, most_uses=1)
    cart = Cart(session)
    cart.add(pizza=margherita, size=Size.MEDIUM, quantity=1)
    cart.put_in_voucher("PIZZA20", customer=peach)
    said = {"customer": peach, "contact": CONTACT, "placed_at": FRIDAY_EVENING}
    order = order_cart(session=session, **said)

    change(order)
    again = order_cart(session=session, **said)

    assert again != order
    assert again.discount_amount == order.discount_amount > 0


@pytest.mark.parametrize("pizza_is", ["retired", "sold out"])
def test_stays_if_something_of_it_cannot_be_had(
    order, browser_of, peach, margherita, pizza_is
):
    if pizza_is == "retired":
        margherita.retired_at = FRIDAY_EVENING
    else:
        margherita.is_available = False
    margherita.save()
    browser = browser_of(peach)

    answer = browser.post(f"/orders/{order.pk}/change/")

    assert answer.status_code == 409
    assert "stays as it is" in answer.content.decode()
    order.refresh_from_db()
    assert order.status == Status.CONFIRMED
    assert Cart(browser.session).is_empty


def test_stays_if_the_restaurant_has_closed(order, browser_of, api_of, peach):
    day = timezone.localdate() + timedelta(days=2)
    opens = {"weekday": f"{day:%A}".lower(), "opens": "17:00", "closes": "23:00"}
    Restaurant.objects.create(pk=Restaurant.ONLY_ID, hours=[opens])

    page = browser_of(peach).post(f"/orders/{order.pk}/change/")
    api = api_of(peach).post(f"/api/orders/{order.pk}/change/")

    assert page.status_code == api.status_code == 409
    assert f"Order {order.pk} stays as it is until then." in page.content.decode()
    assert api.json()["code"] == "closed"
    order.refresh_from_db()
    assert order.status == Status.CONFIRMED


def test_is_too_late_once_the_kitchen_has_begun(order, browser_of, peach, luigi):
    browser = browser_of(peach)
    assert "Change this order" in browser.get(f"/orders/{order.pk}/").content.decode()
    move_order(order_id=order.pk, to=Status.COOKING, actor=luigi, now=FRIDAY_EVENING)

    answer = browser.post(f"/orders/{order.pk}/change/")

    assert answer.status_code == 409
    page = answer.content.decode()
    assert "until the kitchen begins" in page
    assert "Change this order" not in page
    assert Cart(browser.session).is_empty


def test_of_a_cook_is_too_late_then_too(luigi, order_of, browser_of):
    # Cooks may cancel what cooks, but their own dinner is not to be changed then.
    order = order_of(luigi)
    move_order(order_id=order.pk, to=Status.COOKING, actor=luigi, now=FRIDAY_EVENING)

    answer = browser_of(luigi).post(f"/orders/{order.pk}/change/")

    assert answer.status_code == 409
    assert Order.objects.get().status == Status.COOKING


def test_of_somebody_else_is_not_there(order, browser_of, api_of, toad, daisy):
    for person in (toad, daisy):
        page = browser_of(person).post(f"/orders/{order.pk}/change/")
        answer = api_of(person).post(f"/api/orders/{order.pk}/change/")
        assert page.status_code == answer.status_code == 404


def test_a_page_changes_it_and_orders_anew(order, browser_of, peach):
    browser = browser_of(peach)

    answer = browser.post(f"/orders/{order.pk}/change/", follow=True)

    assert answer.redirect_chain == [("/cart/", 303)]
    assert f"Order {order.pk} is in your cart again" in answer.content.decode()
    assert browser.post("/checkout/", CHECKOUT).status_code == 303
    assert set(Order.objects.values_list("status", flat=True)) == {
        "cancelled",
        "confirmed",
    }


def test_is_not_placed_again_by_the_page_that_placed_it(order, browser_of, peach):
    browser = browser_of(peach)
    browser.post(f"/orders/{order.pk}/change/")
    said = {**CHECKOUT, "order_key": "of-that-page"}
    browser.post("/checkout/", said)
    second = Order.objects.exclude(pk=order.pk).get()
    browser.post(f"/orders/{second.pk}/change/", follow=True)

    answer = browser.post("/checkout/", said, follow=True)

    page = answer.content.decode()
    assert f"This page placed order {second.pk} already." in page
    assert "is in the kitchen" not in page
    assert Cart(browser.session).count == 1


@pytest.mark.parametrize("strange", [["no", "cart"], "text", 7])
def test_takes_a_strange_cart_for_none(order, change, session, strange):
    session["cart"] = strange

    change(order)

    assert Cart(session).count == 1


def test_the_api_answers_the_cart_and_refuses_a_second_time(order, api_of, peach):
    api = api_of(peach)

    cart = api.post(f"/api/orders/{order.pk}/change/")
    again = api.post(f"/api/orders/{order.pk}/change/")

    assert cart.json()["items"][0]["name"] == "Margherita"
    assert (again.status_code, again.json()["code"]) == (409, "status_conflict")
    assert again.json()["extra"] == {"order": order.pk, "status": "cancelled"}
    assert api.get("/api/cart/").json()["count"] == 1
