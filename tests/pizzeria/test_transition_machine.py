"""Random people do random things to orders, beside a model of what may happen."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from pizzeria.exceptions import KitchenFull, StatusConflict
from pizzeria.kitchen.models import Kitchen
from pizzeria.menu.models import Pizza
from pizzeria.orders.models import Order
from pizzeria.orders.services import move_order, place_order
from pizzeria.orders.transitions import STEPS, Fulfilment, Status
from tests.pizzeria.conftest import CONTACT, FRIDAY_EVENING, cart_line

CAPACITY = 2
QUARTER = timedelta(minutes=15)
ROLES = {
    "peach": "customer",
    "toad": "customer",
    "luigi": "chef",
    "yoshi": "delivery_driver",
    "wario": "delivery_driver",
    "daisy": "manager",
}
# What each role may bring about, said once more and not read from the table.
COOKS = {"luigi", "daisy"}
DRIVERS = {"yoshi", "wario", "daisy"}
S = Status


def may(person, source, target, order):
    """Say who may take a step that the table has."""
    if target is S.CANCELLED:
        if source in (S.PENDING, S.CONFIRMED):
            return person in COOKS or person == order["customer"]
        return person in (COOKS if source is S.COOKING else {"daisy"})
    if source is S.DELIVERING or (target is S.DELIVERING and source is S.DELIVERED):
        return person in (order["driver"], "daisy")
    if target is S.DELIVERING:
        return person in DRIVERS
    return person in COOKS


class Orders(RuleBasedStateMachine):
    @initialize()
    def open_the_restaurant(self):
        # Each example's people and orders are rolled back with it.
        self.savepoint = transaction.savepoint_create()
        self.people = {}
        for name, role in ROLES.items():
            person = User.objects.create_user(name)
            person.groups.add(Group.objects.get(name=role))
            self.people[name] = User.objects.get(pk=person.pk)
        Kitchen.objects.create(pk=1, capacity=CAPACITY)
        self.pizza = Pizza.objects.create(name="Margherita", base_price=10)
        self.orders = {}
        self.now = FRIDAY_EVENING

    def teardown(self):
        if hasattr(self, "savepoint"):
            transaction.savepoint_rollback(self.savepoint)

    @rule(who=st.sampled_from(["peach", "toad"]), is_pickup=st.booleans())
    def place(self, who, is_pickup):
        order = place_order(
            customer=self.people[who],
            lines=[cart_line(self.pizza, f"line-{len(self.orders)}")],
            contact=CONTACT,
            placed_at=self.now,
        )
        if is_pickup:
            Order.objects.filter(pk=order.pk).update(fulfilment="pickup")
        self.orders[order.pk] = {
            "status": S.CONFIRMED,
            "customer": who,
            "driver": None,
            "fulfilment": "pickup" if is_pickup else "delivery",
        }

    @rule(data=st.data(), who=st.sampled_from([*ROLES]), to=st.sampled_from(Status))
    def move(self, data, who, to):
        if not self.orders:
            return
        number = data.draw(st.sampled_from(sorted(self.orders)))
        order = self.orders[number]
        self.now += timedelta(minutes=data.draw(st.sampled_from([1, 1, 10])))
        expected = self._expected(order, who, to)
        try:
            move_order(order_id=number, to=to, actor=self.people[who], now=self.now)
            outcome = None
        except (StatusConflict, PermissionDenied, KitchenFull) as refusal:
            outcome = type(refusal)
        assert outcome is expected, (order, who, to)
        if outcome is None:
            if to is S.DELIVERING:
                order["driver"] = who
            elif order["status"] is S.DELIVERING and to is S.READY:
                order["driver"] = None
            if to is S.DELIVERED:
                order["delivered_at"] = self.now
            order["status"] = to

    def _expected(self, order, who, to):
        source = order["status"]
        step = next((x for x in STEPS if (x.source, x.target) == (source, to)), None)
        if step is None or step.only_for not in (None, order["fulfilment"]):
            return StatusConflict
        if not may(who, source, to, order):
            return PermissionDenied
        if source is S.DELIVERED and self.now - order["delivered_at"] > QUARTER:
            return StatusConflict
        if to is S.COOKING and self._cooking() >= CAPACITY:
            return KitchenFull
        return None

    def _cooking(self):
        return sum(order["status"] is S.COOKING for order in self.orders.values())

    @invariant()
    def the_rows_are_the_model(self):
        if not hasattr(self, "orders"):
            return
        assert self._cooking() <= CAPACITY
        for row in Order.objects.select_related("driver"):
            order = self.orders[row.pk]
            assert row.status == order["status"]
            driver = row.driver.username if row.driver else None
            assert driver == order["driver"]
            self._times_follow_the_path(row)

    def _times_follow_the_path(self, row):
        times = [row.placed_at, row.confirmed_at, row.cooking_at, row.ready_at]
        if row.fulfilment == Fulfilment.DELIVERY:
            times.append(row.delivering_at)
        times.append(row.delivered_at)
        known = [time for time in times if time]
        assert known == sorted(known)
        if row.status == S.DELIVERED:
            assert len(known) == len(times)
        if row.status == S.CANCELLED:
            assert not row.steps_for(self.people["daisy"])


@pytest.mark.slow
@pytest.mark.django_db
def test_orders_move_as_the_model_says():
    run_state_machine_as_test(
        Orders,
        settings=settings(
            max_examples=15,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
