"""Orders that somebody of the restaurant accepts by hand, where it wants that."""

import pytest

from pizzeria.events.models import OutboxEvent
from pizzeria.notifications.models import Notification
from pizzeria.orders.models import Order
from pizzeria.orders.services import move_order
from pizzeria.orders.transitions import Status
from pizzeria.restaurant.services import change_rules
from tests.pizzeria.conftest import CHECKOUT, FRIDAY_EVENING


@pytest.fixture
def pending(daisy, order_of, peach):
    change_rules(fields={"asks_approval": True}, actor=daisy, now=FRIDAY_EVENING)
    return order_of(peach)


def types_of(order):
    told = OutboxEvent.objects.filter(aggregate=f"order:{order.pk}").order_by("pk")
    return [event.type.removeprefix("io.mario-pizzeria.order.") for event in told]


def test_is_not_asked_for_until_a_manager_wants_it(order_of, peach):
    assert order_of(peach).status == Status.CONFIRMED
    assert not Notification.objects.exists()


def test_an_order_waits_and_is_no_event_of_a_confirmed_one(pending):
    assert pending.status == Status.PENDING
    assert pending.confirmed_at is None
    assert types_of(pending) == ["created.v1", "pizza.added.v1"]


def test_the_kitchen_accepts_it_on_its_board(pending, browser_of, luigi, peach):
    kitchen = browser_of(luigi)
    board = kitchen.get("/kitchen/").content.decode()
    assert "To accept" in board
    assert f"Accept order {pending.pk}" in board
    # It is nothing to be made yet.
    assert "Still to make" not in board

    path = f"/kitchen/{pending.pk}/advance/"
    answer = kitchen.post(path, {"to": "confirmed", "seen": "pending"}, follow=True)

    assert "To accept" not in answer.content.decode()
    pending.refresh_from_db()
    assert pending.status == Status.CONFIRMED
    assert types_of(pending)[-1] == "confirmed.v1"
    assert Notification.objects.get(recipient=peach).title.endswith("is accepted")


def test_the_kitchen_accepts_it_by_api(pending, order_of, daisy, toad, api_of, luigi):
    change_rules(fields={"asks_approval": False}, actor=daisy, now=FRIDAY_EVENING)
    order_of(toad)
    cooking = order_of(toad)
    move_order(order_id=cooking.pk, to=Status.COOKING, actor=luigi, now=FRIDAY_EVENING)
    api = api_of(luigi)

    listed = api.get("/api/kitchen/orders/").json()["results"]
    path = f"/api/kitchen/orders/{pending.pk}/status/"
    too_early = api.post(path, {"status": "cooking"}, format="json")
    accepted = api.post(path, {"status": "confirmed"}, format="json")

    assert [one["status"] for one in listed] == ["pending", "confirmed", "cooking"]
    assert (too_early.status_code, accepted.status_code) == (409, 200)
    assert accepted.json()["status"] == "confirmed"


def test_its_customer_is_told_and_may_cancel_or_change_it(
    browser_of, peach, daisy, margherita
):
    change_rules(fields={"asks_approval": True}, actor=daisy, now=FRIDAY_EVENING)
    browser = browser_of(peach)
    browser.post("/cart/add/", {"pizza": margherita.pk, "size": "medium"})

    page = browser.post("/checkout/", CHECKOUT, follow=True).content.decode()

    assert "waits to be accepted" in page
    assert "Waiting to be accepted" in page
    assert "Change this order" in page
    order = Order.objects.get()
    browser.post(f"/orders/{order.pk}/cancel/")
    order.refresh_from_db()
    assert order.status == Status.CANCELLED


def test_the_restaurant_refuses_it_with_a_reason(pending, browser_of, luigi, peach):
    kitchen = browser_of(luigi)
    assert f"/orders/{pending.pk}/#cancel" in kitchen.get("/kitchen/").content.decode()

    kitchen.post(f"/orders/{pending.pk}/cancel/", {"reason": "The oven is broken."})

    assert "The oven is broken." in Notification.objects.get(recipient=peach).message
