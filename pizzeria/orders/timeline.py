"""The stages of one order, for the person who waits for it."""

from datetime import datetime

from pizzeria.orders.models import PICKUP_LABELS, Order
from pizzeria.orders.transitions import Status

type Stage = tuple[str, datetime | None, str]

# What a waiting person is told to expect.
_TO_THE_DOOR = (
    Status.CONFIRMED,
    Status.COOKING,
    Status.READY,
    Status.DELIVERING,
    Status.DELIVERED,
)
_TO_THE_COUNTER = (Status.CONFIRMED, Status.COOKING, Status.READY, Status.DELIVERED)


def timeline_of(order: Order) -> list[Stage]:
    """
    List what happened and what is expected, as (label, time, state).

    The state is "done", "now" or "next"; what has not happened has no time.
    """
    expected = _TO_THE_COUNTER if order.is_pickup else _TO_THE_DOOR
    stages = list(expected)
    if order.status == Status.PENDING:
        stages = [Status.PENDING, *expected]
    if order.status == Status.CANCELLED:
        happened = [stage for stage in expected if _time_of(order, stage)]
        stages = [*happened, Status.CANCELLED]
    return [
        (_label(order, stage), _time_of(order, stage), _state_of(order, stage))
        for stage in stages
    ]


def _label(order: Order, stage: Status) -> str:
    label = PICKUP_LABELS.get(stage) if order.is_pickup else None
    return label or stage.label


def _time_of(order: Order, stage: Status) -> datetime | None:
    if stage is Status.PENDING:
        return order.placed_at
    time: datetime | None = getattr(order, f"{stage.value}_at")
    return time


def _state_of(order: Order, stage: Status) -> str:
    if stage == order.status and not order.is_finished:
        return "now"
    return "done" if _time_of(order, stage) else "next"
