"""
Two transactions that wait for each other, which SQLite, with its one writer, has not.

Named so that pytest does not collect it by itself: test_on_postgresql.py runs it.
"""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection, transaction

from pizzeria.events.models import OutboxEvent
from pizzeria.kitchen.models import Kitchen
from pizzeria.menu.models import Pizza
from pizzeria.menu.seed import seed_menu
from pizzeria.orders.models import Order
from pizzeria.orders.services import move_order, place_order
from pizzeria.orders.transitions import Status
from tests.pizzeria.conftest import CONTACT, FRIDAY_EVENING, cart_line
from tests.servers import wait_until


@pytest.mark.django_db(transaction=True)
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
