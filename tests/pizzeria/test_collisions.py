"""Transactions that collide; PostgreSQL's own run in test_on_postgresql.py."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth.models import Group, User
from django.db import OperationalError, connection, transaction

from pizzeria.collisions import TRIES, retried
from pizzeria.events.models import OutboxEvent
from pizzeria.kitchen.models import Kitchen
from pizzeria.menu.models import Pizza
from pizzeria.menu.seed import seed_menu
from pizzeria.orders.models import Order
from pizzeria.orders.services import move_order, place_order
from pizzeria.orders.transitions import Status
from tests.pizzeria.conftest import CONTACT, FRIDAY_EVENING, cart_line
from tests.servers import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def collision(state: str | None) -> OperationalError:
    error = OperationalError("in each other's way")
    error.__cause__ = Exception()
    vars(error.__cause__)["sqlstate"] = state
    return error


class Change:
    """Fails as often as it is told."""

    __name__ = "change"

    def __init__(self, *, failures: int, state: str | None = "40P01") -> None:
        self.failures, self.state, self.tries = failures, state, 0

    def __call__(self) -> str:
        self.tries += 1
        if self.tries <= self.failures:
            raise collision(self.state)
        return "done"


@pytest.mark.parametrize("state", ["40P01", "40001"])
def test_one_that_collides_is_tried_again(state):
    change = Change(failures=TRIES - 1, state=state)

    assert retried(change)() == "done"
    assert change.tries == TRIES


def test_not_for_ever():
    change = Change(failures=100)

    with pytest.raises(OperationalError):
        retried(change)()
    assert change.tries == TRIES


@pytest.mark.parametrize("state", ["57014", "55P03", None])
def test_another_failure_is_nobodys_to_repeat(state):
    change = Change(failures=100, state=state)

    with pytest.raises(OperationalError):
        retried(change)()
    assert change.tries == 1


def test_part_of_a_larger_one_is_left_to_it():
    change = Change(failures=100)

    with pytest.raises(OperationalError), transaction.atomic():
        retried(change)()
    assert change.tries == 1


@pytest.mark.skipif("sqlite" in connection.vendor, reason="has one writer at a time")
def test_a_cook_in_a_deadlock_cooks_all_the_same():
    """Fault 50: PostgreSQL ends the cook's transaction, which begins anew."""
    seed_menu()
    luigi = User.objects.create_user("luigi")
    luigi.groups.add(Group.objects.get(name="chef"))
    order = place_order(
        customer=luigi,
        lines=[cart_line(Pizza.objects.earliest("pk"))],
        contact=CONTACT,
        placed_at=FRIDAY_EVENING,
    )
    Kitchen.objects.get_or_create(pk=Kitchen.ONLY_ID)
    has_kitchen = threading.Event()

    def hold_the_kitchen_and_want_the_order():
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                # Whoever looks for the deadlock first is the one who is ended.
                cursor.execute("SET LOCAL deadlock_timeout = '60s'")
                cursor.execute("SET LOCAL lock_timeout = '60s'")
                Kitchen.objects.select_for_update().get(pk=Kitchen.ONLY_ID)
                has_kitchen.set()
                wait_until(lambda: _somebody_waits(cursor), seconds=30)
                Order.objects.select_for_update().get(pk=order.pk)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as other:
        blocked = other.submit(hold_the_kitchen_and_want_the_order)
        assert has_kitchen.wait(20)
        move_order(
            order_id=order.pk, to=Status.COOKING, actor=luigi, now=FRIDAY_EVENING
        )
        blocked.result(timeout=60)

    assert Order.objects.get().status == Status.COOKING
    started = OutboxEvent.objects.filter(type__endswith="cooking.started.v1")
    assert started.count() == 1


def _somebody_waits(cursor) -> bool:
    cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
    return bool(cursor.fetchone()[0])
