"""The stages of one order, for the person who waits for it."""

from datetime import datetime

from pizzeria.orders.models import Order
from pizzeria.orders.transitions import Status

type Stage = tuple[str, datetime | None, str]

# What a waiting person is told to expect; the way to the door is added once it
# begins.
_EXPECTED = (Status.CONFIRMED, Status.COOKING, Status.READY)
_WAY = (Status.DELIVERING, Status.DELIVERED)


def timeline_of(order: Order) -> list[Stage]:
    """
    List what happened and what is expected, as (label, time, state).

    The state is "done", "now" or "next"; what has not happened has no time.
    """
    status = Status(order.status)
    if status is Status.CANCELLED:
        happened = [stage for stage in _EXPECTED if _time_of(order, stage)]
        stages = [*happened, status]
    else:
        stages = [*_EXPECTED, *(_WAY if status in _WAY else ())]
    return [
        (stage.label, _time_of(order, stage), _state_of(order, stage))
        for stage in stages
    ]


def _time_of(order: Order, stage: Status) -> datetime | None:
    time: datetime | None = getattr(order, f"{stage.value}_at")
    return time


def _state_of(order: Order, stage: Status) -> str:
    if stage == order.status and not order.is_finished:
        return "now"
    return "done" if _time_of(order, stage) else "next"
