"""What hangs over the oven: the orders of each stage, oldest first."""

import math
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Count, Exists, OuterRef, Prefetch, QuerySet, Sum

from pizzeria.kitchen.models import Kitchen
from pizzeria.menu.models import Category
from pizzeria.orders.models import Order, OrderLine, OrderQuerySet
from pizzeria.orders.transitions import (
    UNDO_WITHIN,
    Fulfilment,
    Status,
    next_on_main_path,
)
from pizzeria.roles import COOK, OVERSEE

STAGES = (Status.CONFIRMED, Status.COOKING, Status.READY)
# Before them comes what somebody has to accept, where the restaurant wants that.
WITH_PENDING = (Status.PENDING, *STAGES)
# As many tickets as a board can show; the counts count all.
TICKETS_PER_STAGE = 50
# A cancellation that nobody took note of leaves the board by itself.
CANCELLED_SHOWN = timedelta(hours=12)
_LONGEST_WAIT = timedelta(days=1)
_ORDERS_MEASURED = 20
_ALL_DAY_ROWS = 24
_MOST_COOKS = 50


def board(
    *,
    now: datetime,
    actor: User | None = None,
    station: str = "",
    is_mine: bool = False,
) -> dict[str, Any]:
    """
    Say what the board shows at this moment.

    A station makes one kind of pizza, and sees only the part of an order that is its.
    """
    orders = orders_at(station, cook=actor if is_mine else None)
    counts = _counts(orders)
    columns = [_column(orders, stage, now, counts, station) for stage in STAGES]
    oversees = actor is not None and actor.has_perm(OVERSEE)
    return {
        "actor": actor,
        "station": station,
        "is_mine": is_mine,
        "cooks": cooks() if oversees else [],
        "stations": Category.choices,
        "columns": columns,
        # Whoever looks at their own has to see what is to be accepted, too.
        "to_accept": to_accept() if is_mine or counts.get(Status.PENDING) else [],
        "cancelled": _cancelled(now),
        "handed_over": _handed_over(now),
        "all_day": all_day(station),
        "capacity": Kitchen.the_one().capacity,
        "cooking_count": Order.objects.cooking().count()
        if is_mine
        else counts[Status.COOKING],
        "can_set_capacity": oversees,
        "now": now,
    }


def all_day(station: str = "") -> list[Any]:
    """Count the pizzas that are still to be made, over all orders."""
    to_make = _lines(station).filter(
        order__status__in=[Status.CONFIRMED, Status.COOKING], ticked_at=None
    )
    rows = to_make.values("name").annotate(count=Sum("quantity"))
    return list(rows.order_by("-count", "name")[:_ALL_DAY_ROWS])


def cooks() -> list[User]:
    """Who may be given an order."""
    may = User.objects.with_perm(
        COOK, backend="django.contrib.auth.backends.ModelBackend"
    )
    return list(may.order_by("first_name", "username")[:_MOST_COOKS])


def orders_at(station: str, *, cook: User | None = None) -> OrderQuerySet:
    """Narrow down to orders that a station has a part in, or that are a cook's."""
    orders = Order.objects.filter(status__in=WITH_PENDING)
    if cook is not None:
        orders = orders.filter(assignment__cook=cook)
    if not station:
        return orders
    return orders.filter(Exists(_lines(station).filter(order=OuterRef("pk"))))


def to_accept() -> list[Order]:
    """What waits for a word of the restaurant, oldest first."""
    orders = Order.objects.filter(status=Status.PENDING).with_lines()
    return list(orders.order_by("placed_at", "id")[:TICKETS_PER_STAGE])


def waiting() -> list[Order]:
    """What waits for the oven, whole and oldest first."""
    orders = Order.objects.filter(status=Status.CONFIRMED).with_lines()
    return list(orders.order_by("placed_at", "id")[:TICKETS_PER_STAGE])


def age_of(minutes: int) -> str:
    """Say how urgent an order of this age is."""
    if minutes >= settings.KITCHEN_LATE_MINUTES:
        return "late"
    return "waiting" if minutes >= settings.KITCHEN_WAITING_MINUTES else "fresh"


def average_wait() -> timedelta | None:
    """Say how long the last orders took from placed to ready; None without any."""
    delivered = Order.objects.filter(status=Status.DELIVERED)
    times = delivered.values_list("placed_at", "ready_at")[:_ORDERS_MEASURED]
    waits = [ready_at - placed_at for placed_at, ready_at in times if ready_at]
    return sum(waits, timedelta()) / len(waits) if waits else None


def _lines(station: str) -> QuerySet[OrderLine]:
    lines = OrderLine.objects.all()
    return lines.filter(pizza__category=station) if station else lines


def _counts(orders: OrderQuerySet) -> dict[str, int]:
    by_status = orders.order_by().values_list("status")
    counted = by_status.annotate(Count("pk"))
    return {stage.value: 0 for stage in STAGES} | dict(counted)


def _column(
    orders: OrderQuerySet,
    stage: Status,
    now: datetime,
    counts: dict[str, int],
    station: str,
) -> dict[str, Any]:
    orders = orders.filter(status=stage)
    if station:
        orders = orders.annotate(pizzas_in_all=Sum("lines__quantity"))
    shown = list(
        _first_to_see(orders, stage)
        .select_related("cooked_by", "readied_by", "assignment__cook")
        .prefetch_related(Prefetch("lines", _lines(station)))
    )
    for order in shown:
        if station:
            order.elsewhere = vars(order)["pizzas_in_all"] - order.pizza_count
        order.age_minutes = int((now - order.placed_at).total_seconds() // 60)
        order.due_minutes = _due_minutes(order, now)
        order.age = "done" if stage is Status.READY else age_of(order.age_minutes)
        order.next_status = next_on_main_path(
            stage, permission=COOK, fulfilment=Fulfilment(order.fulfilment)
        )
    return {
        "status": stage.value,
        "label": stage.label,
        "orders": shown,
        "count": counts[stage],
    }


def _due_minutes(order: Order, now: datetime) -> int | None:
    """Count down to the time that was promised, and on beyond it; None without one."""
    if order.promised_at is None:
        return None
    return math.floor((order.promised_at - now).total_seconds() / 60)


def _first_to_see(orders: QuerySet[Order], stage: Status) -> QuerySet[Order]:
    if stage is Status.READY:
        # Nobody waits for these in the kitchen; the last ones may be recalled.
        return orders.order_by("-ready_at", "-id")[:TICKETS_PER_STAGE]
    return orders.order_by("placed_at", "id")[:TICKETS_PER_STAGE]


def _handed_over(now: datetime) -> list[Order]:
    """What left the counter a moment ago, and can still be taken back."""
    recent = Order.objects.filter(
        status=Status.DELIVERED,
        fulfilment=Fulfilment.PICKUP,
        customer__isnull=False,
        # The index knows when an order was placed.
        placed_at__gt=now - _LONGEST_WAIT,
        delivered_at__gte=now - UNDO_WITHIN,
    )
    return list(recent.order_by("-delivered_at", "-id")[:TICKETS_PER_STAGE])


def _cancelled(now: datetime) -> list[Order]:
    unseen = Order.objects.filter(
        status=Status.CANCELLED,
        cancelled_seen_at=None,
        cancelled_at__gt=now - CANCELLED_SHOWN,
    )
    return list(unseen.with_lines().order_by("cancelled_at", "id")[:TICKETS_PER_STAGE])
