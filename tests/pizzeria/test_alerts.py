"""What managers are told of by itself, and that they are told once."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from pizzeria.events.models import OutboxEvent
from pizzeria.kitchen.services import set_capacity
from pizzeria.management.alerts import raise_alerts
from pizzeria.notifications.models import Notification
from pizzeria.orders.models import Order
from pizzeria.orders.services import move_order
from pizzeria.orders.transitions import Status
from tests.pizzeria.conftest import FRIDAY_EVENING

MINUTE = timedelta(minutes=1)


def told(person):
    found = Notification.objects.of(person).filter(kind="alert").order_by("pk")
    return list(found.values_list("title", flat=True))


def at(minutes):
    return FRIDAY_EVENING + minutes * MINUTE


@pytest.fixture(autouse=True)
def managers(daisy, luigi):
    """Somebody has to be told, and somebody else not."""


def test_an_order_beyond_its_promise_is_told_to_managers_once(
    order_of, peach, daisy, luigi
):
    order = order_of(peach)
    Order.objects.update(promised_at=at(40))

    assert [raise_alerts(now=at(minutes)) for minutes in (39, 41, 42)] == [0, 1, 0]

    assert told(daisy) == [f"Order {order.pk} is late"]
    assert told(luigi) == told(peach) == []
    news = Notification.objects.of(daisy).get()
    assert news.message == "It was promised for 21:10 and is confirmed."
    assert news.order == order


def test_what_is_over_is_late_no_more(order_of, peach, luigi):
    order = order_of(peach)
    move_order(order_id=order.pk, to=Status.CANCELLED, actor=luigi, now=at(1))

    assert raise_alerts(now=at(600)) == 0


def test_many_late_ones_come_in_parts(order_of, peach, daisy, monkeypatch):
    monkeypatch.setattr("pizzeria.management.alerts.MOST_AT_ONCE", 2)
    for _ in range(3):
        order_of(peach)

    assert [raise_alerts(now=at(600)) for _ in range(3)] == [2, 1, 0]
    assert len(told(daisy)) == 3


def test_an_oven_is_told_when_nobody_got_a_place_for_long(
    order_of, peach, daisy, luigi
):
    set_capacity(capacity=2, actor=daisy, now=FRIDAY_EVENING)
    orders = [order_of(peach) for _ in range(3)]
    Order.objects.update(promised_at=at(600))

    def cook(order, to, minutes):
        move_order(order_id=order.pk, to=to, actor=luigi, now=at(minutes))

    cook(orders[0], Status.COOKING, 0)
    assert raise_alerts(now=at(30)) == 0
    cook(orders[1], Status.COOKING, 30)
    assert [raise_alerts(now=at(minutes)) for minutes in (41, 42, 43)] == [0, 1, 0]

    # The next one in is another time.
    cook(orders[0], Status.READY, 44)
    cook(orders[2], Status.COOKING, 45)
    assert [raise_alerts(now=at(minutes)) for minutes in (56, 57)] == [0, 1]
    assert told(daisy) == ["The oven is full"] * 2


def test_parked_events_are_told_once(daisy):
    for number in range(2):
        OutboxEvent.objects.create(
            event_id=str(number),
            aggregate="order:1",
            data={},
            occurred_at=at(0),
            parked_at=at(1),
        )

    assert [raise_alerts(now=at(minutes)) for minutes in (2, 3)] == [1, 0]
    assert told(daisy) == ["Events could not be sent"]


def test_the_command_looks_once(order_of, peach, daisy, capsys):
    order_of(peach, placed_at=timezone.now() - timedelta(hours=5))

    for _ in range(2):
        call_command("alert_managers", "--once")

    assert capsys.readouterr().out == "Raised 1 alerts.\nRaised 0 alerts.\n"
    assert len(told(daisy)) == 1
