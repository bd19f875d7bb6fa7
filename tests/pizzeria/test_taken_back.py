"""A hand-over that was none is taken back, for a quarter of an hour."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from pizzeria.customers.services import erase_customer
from pizzeria.exceptions import OrderUnderWay, StatusConflict
from pizzeria.management.services import DayNotOver, close_day
from pizzeria.notifications.models import Notification
from pizzeria.orders.models import Order
from pizzeria.orders.services import move_order
from pizzeria.orders.transitions import Fulfilment, Status

MINUTE = timedelta(minutes=1)
HALF_AN_HOUR = 30 * MINUTE


def handed_over(order, cook, *, by, ago=MINUTE, pickup=False):
    """Bring an order over all its steps, the last one some time ago."""
    now = timezone.now() - ago
    Order.objects.filter(pk=order.pk).update(placed_at=now - HALF_AN_HOUR)
    if pickup:
        Order.objects.filter(pk=order.pk).update(fulfilment=Fulfilment.PICKUP)
    steps = [(Status.COOKING, cook), (Status.READY, cook)]
    if not pickup:
        steps.append((Status.DELIVERING, by))
    for to, actor in [*steps, (Status.DELIVERED, by)]:
        move_order(order_id=order.pk, to=to, actor=actor, now=now)
    order.refresh_from_db()
    return order


@pytest.fixture
def at_the_door(order_of, peach, luigi, yoshi):
    return handed_over(order_of(peach), luigi, by=yoshi)


@pytest.fixture
def at_the_counter(order_of, peach, luigi):
    return handed_over(
        order_of(peach),
        luigi,
        by=luigi,
        pickup=True,
    )


class TestADelivery:
    def test_is_on_the_drivers_tour_again(self, browser_of, yoshi, peach, at_the_door):
        board = browser_of(yoshi)
        assert "Just delivered" in board.get("/delivery/").content.decode()

        done = board.post(f"/delivery/{at_the_door.pk}/undo/")

        assert done.status_code == 303
        at_the_door.refresh_from_db()
        assert at_the_door.status == Status.DELIVERING
        assert at_the_door.driver == yoshi
        assert at_the_door.delivered_at is at_the_door.delivered_by is None
        page = board.get("/delivery/").content.decode()
        assert "Just delivered" not in page
        assert f"deliver-{at_the_door.pk}" in page
        told = Notification.objects.of(peach).latest("pk")
        assert told.title == f"Order {at_the_door.pk} was not delivered yet"

    @pytest.mark.parametrize(("who", "status"), [("daisy", 200), ("yoshi", 200)])
    def test_is_taken_back_by_the_api(self, request, api_of, at_the_door, who, status):
        api = api_of(request.getfixturevalue(who))
        path = f"/api/delivery/{at_the_door.pk}/undo/"

        assert api.post(path).status_code == status
        again = api.post(path)
        assert again.status_code == 409
        assert again.json()["extra"]["status"] == "delivering"

    def test_is_no_other_drivers_business(self, browser_of, api_of, yoshi, at_the_door):
        wario = User.objects.create_user("wario")
        wario.groups.set(yoshi.groups.all())

        assert "Just delivered" not in (
            browser_of(wario).get("/delivery/").content.decode()
        )
        for path in ("/delivery/{}/undo/", "/api/delivery/{}/undo/"):
            answer = api_of(wario).post(path.format(at_the_door.pk))
            assert answer.status_code == 404
        at_the_door.refresh_from_db()
        assert at_the_door.status == Status.DELIVERED


class TestAPickUp:
    def test_is_on_the_counter_again(self, browser_of, luigi, at_the_counter):
        board = browser_of(luigi)
        assert "Just handed over" in board.get("/kitchen/").content.decode()
        sent = {"to": "ready", "seen": "delivered"}

        done = board.post(f"/kitchen/{at_the_counter.pk}/advance/", sent)

        assert done.status_code == 303
        at_the_counter.refresh_from_db()
        assert at_the_counter.status == Status.READY
        assert at_the_counter.ready_at is not None
        assert "Just handed over" not in board.get("/kitchen/").content.decode()

    def test_is_taken_back_by_the_api(self, api_of, luigi, at_the_counter):
        path = f"/api/kitchen/orders/{at_the_counter.pk}/status/"

        answer = api_of(luigi).post(path, {"status": "ready"}, format="json")

        assert answer.status_code == 200
        assert answer.json()["delivered_at"] is None


class TestItsEnd:
    def test_is_after_a_quarter_of_an_hour(self, order_of, peach, luigi, yoshi):
        order = handed_over(order_of(peach), luigi, by=yoshi)
        done_at = order.delivered_at

        with pytest.raises(StatusConflict, match="taken back for 15 minutes"):
            undo(order, yoshi, at=done_at + 15 * MINUTE + timedelta(seconds=1))
        assert undo(order, yoshi, at=done_at + 15 * MINUTE).status == Status.DELIVERING

    def test_is_told_to_pages(self, order_of, browser_of, peach, luigi, yoshi):
        old = handed_over(
            order_of(peach),
            luigi,
            by=yoshi,
            ago=16 * MINUTE,
        )
        new = handed_over(order_of(peach), luigi, by=yoshi)
        customer = browser_of(peach)

        assert (old.is_finished, old.is_settled) == (True, True)
        assert (new.is_finished, new.is_settled) == (True, False)
        assert old.steps_for(yoshi) == []
        assert [step.target for step in new.steps_for(yoshi)] == [Status.DELIVERING]
        # What may change is looked at again.
        page = f"/orders/{new.pk}/"
        assert f'hx-get="{page}"' in customer.get(page).content.decode()
        page = f"/orders/{old.pk}/"
        assert f'hx-get="{page}"' not in customer.get(page).content.decode()

    def test_comes_with_the_customers_erasure(self, peach, yoshi, at_the_door):
        erase_customer(user=peach)

        with pytest.raises(StatusConflict):
            undo(at_the_door, yoshi, at=timezone.now())

    def test_an_order_that_came_back_keeps_its_customer(
        self, peach, yoshi, at_the_door
    ):
        undo(at_the_door, yoshi, at=timezone.now())

        with pytest.raises(OrderUnderWay):
            erase_customer(user=peach)

    def test_is_before_the_books_are_closed(self, peach, order_of, luigi, yoshi):
        # Ordered before midnight, handed over after it.
        order = order_of(peach)
        now = order.placed_at + timedelta(hours=12)
        for to, actor in (
            (Status.COOKING, luigi),
            (Status.READY, luigi),
            (Status.DELIVERING, yoshi),
            (Status.DELIVERED, yoshi),
        ):
            move_order(order_id=order.pk, to=to, actor=actor, now=now)
        day = timezone.localdate(order.placed_at)

        with pytest.raises(DayNotOver, match="are not over"):
            close_day(day=day, now=now + 10 * MINUTE)
        assert close_day(day=day, now=now + 16 * MINUTE).day == day


def undo(order, driver, *, at):
    return move_order(order_id=order.pk, to=Status.DELIVERING, actor=driver, now=at)
