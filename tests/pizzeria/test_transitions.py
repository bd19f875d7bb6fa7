from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied

from pizzeria.exceptions import KitchenFull, StatusConflict
from pizzeria.kitchen.models import Kitchen
from pizzeria.orders.models import Order
from pizzeria.orders.services import move_order
from pizzeria.orders.timeline import timeline_of
from pizzeria.orders.transitions import FINAL, STEPS, Fulfilment, Status, find_step
from tests.pizzeria.conftest import FRIDAY_EVENING

LATER = FRIDAY_EVENING + timedelta(minutes=5)


def move(order, to, actor, now=LATER):
    return move_order(order_id=order.pk, to=to, actor=actor, now=now)


def in_state(order, status, **fields):
    if status is Status.DELIVERED:
        fields.setdefault("delivered_at", FRIDAY_EVENING)
    Order.objects.filter(pk=order.pk).update(status=status, **fields)


def fitting(step):
    """How an order is fulfilled that this step is for."""
    return {"fulfilment": step.only_for} if step and step.only_for else {}


@pytest.fixture
def mario(db):
    """Owns the place."""
    return User.objects.create_superuser("mario", first_name="Mario")


@pytest.fixture
def order(order_of, peach):
    return order_of(peach)


@pytest.mark.parametrize("target", Status)
@pytest.mark.parametrize("source", Status)
def test_moves_as_the_table_says_and_no_other_way(order, mario, source, target):
    step = find_step(source, target)
    in_state(order, source, **fitting(step))

    if step is None:
        with pytest.raises(StatusConflict) as caught:
            move(order, target, mario)
        assert caught.value.extra == {"order": order.pk, "status": source}
        assert source.label.lower() in caught.value.message
        assert Order.objects.get(pk=order.pk).status == source
    else:
        moved = move(order, target, mario)
        assert moved.status == target
        if step.time_field:
            assert getattr(moved, step.time_field) == LATER
        assert not any(getattr(moved, field) for field in step.clears)
        if step.person_field:
            assert getattr(moved, step.person_field) == mario


def test_every_state_can_be_reached_and_two_are_final():
    assert {step.target for step in STEPS} == set(Status) - {Status.PENDING}
    assert len({(step.source, step.target) for step in STEPS}) == len(STEPS)
    assert {Status.DELIVERED, Status.CANCELLED} == FINAL


@pytest.mark.parametrize("step", STEPS, ids=lambda s: f"{s.source}-{s.target}")
def test_each_step_is_for_those_who_may_take_it(order, step, everybody):
    may = {
        "orders.cook": {"luigi", "daisy"},
        "orders.deliver": {"yoshi", "daisy"},
        "orders.cancel": {"luigi", "daisy"},
        "orders.oversee": {"daisy"},
    }[step.permission]
    # The order is Peach's; Yoshi has it on his tour.
    if step.by_owner:
        may |= {"peach"}

    for person in everybody:
        in_state(order, step.source, driver=everybody[3], **fitting(step))
        if person.username in may:
            assert move(order, step.target, person).status == step.target
        else:
            with pytest.raises(PermissionDenied):
                move(order, step.target, person)
            assert Order.objects.get(pk=order.pk).status == step.source


@pytest.mark.parametrize("target", [Status.DELIVERED, Status.READY])
def test_a_driver_moves_only_their_own_deliveries(order, yoshi, daisy, target):
    wario = User.objects.create_user("wario")
    wario.groups.set(yoshi.groups.all())
    in_state(order, Status.DELIVERING, driver=yoshi)

    with pytest.raises(PermissionDenied):
        move(order, target, wario)

    order.refresh_from_db()
    assert order.steps_for(wario) == []
    assert move(order, target, daisy).status == target


@pytest.mark.parametrize(
    ("fulfilment", "target"),
    [(Fulfilment.PICKUP, Status.DELIVERING), (Fulfilment.DELIVERY, Status.DELIVERED)],
)
def test_a_pick_up_goes_over_the_counter_and_a_delivery_by_a_driver(
    order, daisy, fulfilment, target
):
    in_state(order, Status.READY, fulfilment=fulfilment)

    with pytest.raises(StatusConflict):
        move(order, target, daisy)


def test_the_buttons_are_the_steps_of_the_table(order, peach, toad, luigi, daisy):
    def targets(person):
        return {step.target for step in order.steps_for(person)}

    assert targets(peach) == {Status.CANCELLED}
    assert targets(toad) == set()
    assert targets(luigi) == {Status.COOKING, Status.CANCELLED}
    in_state(order, Status.COOKING)
    order.refresh_from_db()
    assert targets(peach) == set()
    assert targets(luigi) == {Status.READY, Status.CONFIRMED, Status.CANCELLED}


def test_a_reason_is_kept_with_the_step_that_asks_for_one(order, yoshi, daisy):
    in_state(order, Status.DELIVERING, driver=yoshi, stop_number=2)
    returned = move_order(
        order_id=order.pk, to=Status.READY, actor=yoshi, now=LATER, reason="No answer."
    )
    assert (returned.return_reason, returned.returned_at) == ("No answer.", LATER)
    assert (returned.driver, returned.stop_number) == (None, None)

    gone = move_order(
        order_id=order.pk,
        to=Status.CANCELLED,
        actor=daisy,
        now=LATER,
        reason="a" * 1_000,
    )
    assert gone.cancel_reason == "a" * 200
    assert gone.cancelled_by == daisy


def test_names_who_was_faster(order, luigi, daisy):
    move(order, Status.COOKING, luigi)

    with pytest.raises(StatusConflict, match="in the oven already: Luigi was faster"):
        move(order, Status.COOKING, daisy)


def test_an_unknown_order_does_not_exist(luigi):
    with pytest.raises(Order.DoesNotExist):
        move_order(order_id=10**30, to=Status.COOKING, actor=luigi, now=LATER)


class TestCapacity:
    def test_five_cook_and_the_sixth_waits(self, order_of, peach, luigi):
        orders = [order_of(peach) for _ in range(6)]
        for order in orders[:5]:
            move(order, Status.COOKING, luigi)

        with pytest.raises(KitchenFull, match="All 5 places"):
            move(orders[5], Status.COOKING, luigi)

        assert Order.objects.get(pk=orders[5].pk).status == "confirmed"
        move(orders[0], Status.READY, luigi)
        assert move(orders[5], Status.COOKING, luigi).status == "cooking"

    def test_a_cancelled_order_leaves_its_place(self, order_of, peach, luigi):
        orders = [order_of(peach) for _ in range(6)]
        for order in orders[:5]:
            move(order, Status.COOKING, luigi)
        in_state(orders[0], Status.CANCELLED)

        assert move(orders[5], Status.COOKING, luigi).status == "cooking"

    def test_is_what_the_kitchen_says(self, order_of, peach, luigi):
        Kitchen.objects.create(pk=1, capacity=1)
        first, second = order_of(peach), order_of(peach)
        move(first, Status.COOKING, luigi)

        with pytest.raises(KitchenFull):
            move(second, Status.COOKING, luigi)

    def test_an_illegal_step_is_told_before_a_full_oven(self, order_of, peach, luigi):
        Kitchen.objects.create(pk=1, capacity=1)
        order = order_of(peach)
        move(order, Status.COOKING, luigi)

        with pytest.raises(StatusConflict):
            move(order, Status.COOKING, luigi)


class TestTimeline:
    def stages(self, order):
        order.refresh_from_db()
        return [(label, state) for label, _, state in timeline_of(order)]

    def test_follows_the_order(self, order, luigi):
        assert self.stages(order) == [
            ("Confirmed", "now"),
            ("In the oven", "next"),
            ("Ready", "next"),
            ("On its way", "next"),
            ("Delivered", "next"),
        ]

        move(order, Status.COOKING, luigi)
        assert self.stages(order) == [
            ("Confirmed", "done"),
            ("In the oven", "now"),
            ("Ready", "next"),
            ("On its way", "next"),
            ("Delivered", "next"),
        ]

    def test_names_the_times_of_what_happened(self, order, luigi):
        moved = move(order, Status.COOKING, luigi)

        times = [time for _, time, _ in timeline_of(moved)]
        assert times == [FRIDAY_EVENING, LATER, None, None, None]

    def test_goes_on_to_the_door(self, order, luigi, yoshi):
        move(order, Status.COOKING, luigi)
        move(order, Status.READY, luigi)
        move(order, Status.DELIVERING, yoshi)
        assert self.stages(order)[-2:] == [("On its way", "now"), ("Delivered", "next")]

        move(order, Status.DELIVERED, yoshi)
        assert {state for _, state in self.stages(order)} == {"done"}

    def test_leads_a_pick_up_to_the_counter(self, order):
        in_state(order, Status.READY, fulfilment=Fulfilment.PICKUP)

        labels = [label for label, _ in self.stages(order)]
        assert labels == ["Confirmed", "In the oven", "Ready to pick up", "Picked up"]

    def test_a_cancelled_order_has_no_future(self, order, daisy):
        move(order, Status.CANCELLED, daisy)

        assert self.stages(order) == [("Confirmed", "done"), ("Cancelled", "done")]
