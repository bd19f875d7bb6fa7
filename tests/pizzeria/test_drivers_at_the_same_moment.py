"""Drivers and cooks who press at the same moment, in real threads and transactions."""

from collections import Counter

import pytest
from django.contrib.auth.models import Group, User
from django.utils import timezone

from pizzeria.delivery import services
from pizzeria.events.models import OutboxEvent
from pizzeria.exceptions import KitchenFull, StatusConflict
from pizzeria.kitchen.services import set_capacity, tick_line
from pizzeria.menu.models import Pizza
from pizzeria.menu.seed import seed_menu
from pizzeria.notifications.models import Notification
from pizzeria.orders.models import Order
from pizzeria.orders.services import move_order, place_order
from pizzeria.orders.transitions import Status
from tests.pizzeria.conftest import CONTACT, FRIDAY_EVENING, cart_line
from tests.pizzeria.test_at_the_same_moment import at_once

pytestmark = pytest.mark.django_db(transaction=True)


def people(group, count):
    role = Group.objects.get(name=group)
    made = [User.objects.create_user(f"{group}-{number}") for number in range(count)]
    for person in made:
        person.groups.add(role)
    return made


@pytest.fixture
def ready():
    """Make an order that is ready."""
    seed_menu()
    margherita = Pizza.objects.get(name="Margherita")
    (cook,) = people("chef", 1)
    peach = User.objects.create_user("peach")

    def ready(number, *, stages=(Status.COOKING, Status.READY)):
        order = place_order(
            customer=peach,
            lines=[cart_line(margherita, f"line-{number}-{n}") for n in range(3)],
            contact=CONTACT,
            placed_at=FRIDAY_EVENING,
        )
        for to in stages:
            move_order(order_id=order.pk, to=to, actor=cook, now=FRIDAY_EVENING)
        return order

    return ready


@pytest.mark.parametrize("round_number", range(3))
def test_one_driver_takes_an_order_and_the_others_are_told(ready, round_number):
    order = ready(0)
    drivers = people("delivery_driver", 5)

    outcomes = at_once(
        [
            lambda driver=driver: services.take(
                order_id=order.pk, driver=driver, now=FRIDAY_EVENING
            )
            for driver in drivers
        ]
    )

    assert Counter(map(type, outcomes)) == {Order: 1, StatusConflict: 4}
    taken = Order.objects.get()
    assert taken.driver in drivers
    assert taken.stop_number == 1
    told = Notification.objects.filter(kind="order_on_its_way")
    assert told.count() == 1
    started = OutboxEvent.objects.filter(type__endswith="delivery.started.v1")
    assert started.count() == 1


def test_all_ticks_at_once_make_the_order_ready_once(ready):
    order = ready(0, stages=(Status.COOKING,))
    cooks = User.objects.filter(groups__name="chef")

    at_once(
        [
            lambda line=line: tick_line(
                order_id=order.pk,
                line_id=line.pk,
                is_ticked=True,
                actor=cooks[0],
                now=FRIDAY_EVENING,
            )
            for line in order.lines.all()
        ]
    )

    assert Order.objects.get().status == "ready"
    became = OutboxEvent.objects.filter(type__endswith="order.ready.v1")
    assert became.count() == 1


def test_fewer_places_while_cooks_begin_never_hold_more(ready):
    orders = [ready(number, stages=()) for number in range(6)]
    (manager,) = people("manager", 1)
    cook = User.objects.get(username="chef-0")

    def begin(order):
        return lambda: move_order(
            order_id=order.pk, to=Status.COOKING, actor=cook, now=FRIDAY_EVENING
        )

    def shrink():
        set_capacity(capacity=2, actor=manager, now=timezone.now())
        # Who came before is inside already; nobody is let in after.
        return Order.objects.cooking().count()

    outcomes = at_once([*(begin(order) for order in orders), shrink])

    inside = outcomes[-1]
    refused = sum(isinstance(outcome, KitchenFull) for outcome in outcomes)
    cooking = Order.objects.cooking().count()
    assert cooking + refused == 6
    assert cooking <= max(inside, 2)
