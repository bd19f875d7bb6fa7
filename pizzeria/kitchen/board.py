"""What hangs over the oven: the orders of each stage, oldest first."""

from datetime import datetime
from typing import Any

from pizzeria.kitchen.models import Kitchen
from pizzeria.orders.models import Order
from pizzeria.orders.transitions import Status, next_on_main_path
from pizzeria.roles import COOK

STAGES = (Status.CONFIRMED, Status.COOKING, Status.READY)
# As many tickets as a board can show; the counts count all.
TICKETS_PER_STAGE = 50


def board(*, now: datetime) -> dict[str, Any]:
    """Say what the board shows at this moment."""
    columns = [_column(stage, now) for stage in STAGES]
    cooking = next(x for x in columns if x["status"] == Status.COOKING)
    return {
        "columns": columns,
        "capacity": Kitchen.the_one().capacity,
        "cooking_count": cooking["count"],
        "now": now,
    }


def _column(stage: Status, now: datetime) -> dict[str, Any]:
    orders = Order.objects.filter(status=stage)
    shown = list(_first_to_see(orders, stage).with_lines())
    for order in shown:
        order.age_minutes = int((now - order.placed_at).total_seconds() // 60)
        order.next_status = next_on_main_path(
            stage, permission=COOK, fulfilment=order.fulfilment
        )
    is_all = len(shown) < TICKETS_PER_STAGE
    return {
        "status": stage.value,
        "label": stage.label,
        "orders": shown,
        "count": len(shown) if is_all else orders.count(),
    }


def _first_to_see(orders: Any, stage: Status) -> Any:
    if stage is Status.READY:
        # Nobody waits for these in the kitchen; the last ones may be recalled.
        return orders.order_by("-ready_at", "-id")[:TICKETS_PER_STAGE]
    return orders.order_by("placed_at", "id")[:TICKETS_PER_STAGE]
