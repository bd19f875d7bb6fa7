"""Who did most, how a period's orders stand, and where the time goes."""

from datetime import date, timedelta

import pytest
from django.utils import timezone

from pizzeria.management import figures
from pizzeria.management.periods import Period
from pizzeria.management.stages import say_bottleneck, stages_of
from pizzeria.orders.models import Order
from pizzeria.orders.services import move_order
from pizzeria.orders.transitions import Status
from pizzeria.ratings.services import rate_order
from tests.pizzeria.conftest import FRIDAY_EVENING

MINUTE = timedelta(minutes=1)
THE_DAY = Period(date(2026, 11, 20), date(2026, 11, 20))
LATER = FRIDAY_EVENING + 60 * MINUTE


@pytest.fixture
def order_at(order_of, peach, luigi, yoshi):
    """Make an order that got so far: 4, 6, 10 and 20 minutes for its stages."""

    def order_at(until, placed_at=FRIDAY_EVENING):
        order = order_of(peach, placed_at=placed_at)
        for actor, to, minutes in (
            (luigi, Status.COOKING, 4),
            (luigi, Status.READY, 10),
            (yoshi, Status.DELIVERING, 20),
            (yoshi, Status.DELIVERED, 40),
        ):
            if order.status == until:
                break
            at = placed_at + minutes * MINUTE
            order = move_order(order_id=order.pk, to=to, actor=actor, now=at)
        return order

    return order_at


def test_all_staff_stand_in_one_order(order_at, peach):
    for _ in range(2):
        order_at(Status.READY)
    order = order_at(Status.DELIVERED)
    rate_order(order_id=order.pk, customer=peach, stars=3, words="", now=FRIDAY_EVENING)

    leaders = figures.operations(THE_DAY, now=LATER)["leaderboard"]

    assert [
        (x["name"], x["role"], x["numbers"].orders, x["score"], x["rated"].average)
        for x in leaders
    ] == [("Luigi", "cook", 3, 35, 3.0), ("Yoshi", "driver", 1, 11, 3.0)]


def test_what_was_cancelled_on_tour_is_not_completed(order_at, daisy):
    for _ in range(3):
        order_at(Status.DELIVERED)
    lost = order_at(Status.DELIVERING)
    move_order(order_id=lost.pk, to=Status.CANCELLED, actor=daisy, now=LATER)

    (yoshi,) = figures.operations(THE_DAY, now=LATER)["drivers"]

    assert yoshi["completed_share"] == 0.75
    assert f"{yoshi['numbers'].average_value:.2f}" == "16.89"


def test_says_how_the_orders_of_a_period_stand(order_at, daisy):
    for until in (Status.DELIVERED, Status.DELIVERED, Status.COOKING):
        order_at(until)
    gone = order_at(Status.CONFIRMED)
    move_order(order_id=gone.pk, to=Status.CANCELLED, actor=daisy, now=LATER)

    statuses = figures.analytics(THE_DAY, grouping="day")["statuses"]

    assert [(x["status"], x["orders"], str(x["revenue"])) for x in statuses] == [
        ("cooking", 1, "16.89"),
        ("delivered", 2, "33.78"),
        ("cancelled", 1, "0.00"),
    ]
    assert sum(x["share"] for x in statuses) == 1


class TestStages:
    def test_name_what_takes_longest_in_the_period_and_now(self, order_at):
        order_at(Status.DELIVERED)
        order_at(Status.READY)

        stages = stages_of(THE_DAY, now=LATER)

        assert [(x.minutes, x.orders_now, x.minutes_now) for x in stages] == [
            (4.0, 0, None),
            (6.0, 0, None),
            (10.0, 1, 50.0),
            (20.0, 0, None),
        ]
        assert [x.is_longest for x in stages] == [False, False, False, True]
        assert [x.is_longest_now for x in stages] == [False, False, True, False]
        assert say_bottleneck(stages) == "On the road takes longest: 20 minutes"

    def test_leave_out_other_days_and_pick_ups(self, order_at):
        order_at(Status.DELIVERED, FRIDAY_EVENING - timedelta(days=2))
        picked_up = order_at(Status.READY)
        Order.objects.filter(pk=picked_up.pk).update(fulfilment="pickup")

        stages = stages_of(THE_DAY, now=LATER)

        assert {x.minutes for x in stages} == {None}
        assert {x.orders_now for x in stages} == {0}


def test_pages_and_api_show_it(browser_of, api_of, daisy, order_at):
    order_at(Status.DELIVERED, timezone.now() - 50 * MINUTE)
    browser, api = browser_of(daisy), api_of(daisy)
    week = "?period=week"

    shown = browser.get(f"/management/operations/{week}").content.decode()
    said = api.get(f"/api/management/operations/{week}").json()
    assert "On the road takes longest: 20 minutes" in shown
    assert [x["role"] for x in said["leaderboard"]] == ["cook", "driver"]
    assert said["drivers"][0]["completed_share"] == 1.0
    assert said["stages"][3]["is_longest"] is True

    shown = browser.get(f"/management/analytics/{week}").content.decode()
    said = api.get(f"/api/management/analytics/{week}").json()
    assert "100% of the orders were delivered" in shown
    assert "Print or save as PDF" in shown
    assert [(x["status"], x["orders"]) for x in said["statuses"]] == [("delivered", 1)]
