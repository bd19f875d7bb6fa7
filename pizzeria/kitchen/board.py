"""What hangs over the oven: the orders of each stage, oldest first."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Count, QuerySet, Sum

from pizzeria.kitchen.models import Kitchen
from pizzeria.orders.models import Order, OrderLine
from pizzeria.orders.transitions import Fulfilment, Status, next_on_main_path
from pizzeria.roles import COOK, OVERSEE

STAGES = (Status.CONFIRMED, Status.COOKING, Status.READY)
# As many tickets as a board can show; the counts count all.
TICKETS_PER_STAGE = 50
# A cancellation that nobody took note of leaves the board by itself.
CANCELLED_SHOWN = timedelta(hours=12)
_ORDERS_MEASURED = 20
_ALL_DAY_ROWS = 24


def board(*, now: datetime, actor: User | None = None) -> dict[str, Any]:
    """Say what the board shows at this moment."""
    counts = _counts()
    columns = [_column(stage, now, counts) for stage in STAGES]
    return {
        "columns": columns,
        "cancelled": _cancelled(now),
        "all_day": all_day(),
        "capacity": Kitchen.the_one().capacity,
        "cooking_count": counts[Status.COOKING],
        "can_set_capacity": actor is not None and actor.has_perm(OVERSEE),
        "now": now,
    }


def all_day() -> list[Any]:
    """Count the pizzas that are still to be made, over all orders."""
    to_make = OrderLine.objects.filter(
        order__status__in=[Status.CONFIRMED, Status.COOKING], ticked_at=None
    )
    rows = to_make.values("name").annotate(count=Sum("quantity"))
    return list(rows.order_by("-count", "name")[:_ALL_DAY_ROWS])


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


def _counts() -> dict[str, int]:
    counted = (
        Order.objects.filter(status__in=STAGES)
        .order_by()
        .values_list("status")
        .annotate(Count("pk"))
    )
    return {stage.value: 0 for stage in STAGES} | dict(counted)


def _column(stage: Status, now: datetime, counts: dict[str, int]) -> dict[str, Any]:
    orders = Order.objects.filter(status=stage).select_related(
        "cooked_by", "readied_by"
    )
    shown = list(_first_to_see(orders, stage).prefetch_related("lines"))
    for order in shown:
        order.age_minutes = int((now - order.placed_at).total_seconds() // 60)
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


def _first_to_see(orders: QuerySet[Order], stage: Status) -> QuerySet[Order]:
    if stage is Status.READY:
        # Nobody waits for these in the kitchen; the last ones may be recalled.
        return orders.order_by("-ready_at", "-id")[:TICKETS_PER_STAGE]
    return orders.order_by("placed_at", "id")[:TICKETS_PER_STAGE]


def _cancelled(now: datetime) -> list[Order]:
    unseen = Order.objects.filter(
        status=Status.CANCELLED,
        cancelled_seen_at=None,
        cancelled_at__gt=now - CANCELLED_SHOWN,
    )
    return list(unseen.with_lines().order_by("cancelled_at", "id")[:TICKETS_PER_STAGE])
