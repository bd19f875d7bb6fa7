"""
When an order will be there, as honestly as the last orders allow to say.

A range while the kitchen has it, one time once it is on its way. What was promised
when the order was placed stays beside it: a delay is told, not slid in.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median_low

from pizzeria.kitchen.models import Kitchen
from pizzeria.orders.models import Order
from pizzeria.orders.transitions import Status

# Until enough orders were delivered to measure.
DEFAULT_COOKING = timedelta(minutes=12)
DEFAULT_WAY = timedelta(minutes=20)
# How long a ready pizza waits for its driver; the way's own spread.
SPREAD = timedelta(minutes=10)
# Less than this is not called a delay.
GRACE = timedelta(minutes=5)
_ORDERS_MEASURED = 20
_FEWEST_MEASURED = 5


@dataclass(frozen=True)
class Pace:
    """How fast the kitchen and the drivers were lately."""

    cooking: timedelta
    way: timedelta


@dataclass(frozen=True)
class Estimate:
    """From when to when the order is expected, at the door or at the counter."""

    earliest: datetime
    latest: datetime
    is_late: bool = False

    @property
    def is_exact(self) -> bool:
        return self.earliest == self.latest


def measured_pace() -> Pace:
    """Take the medians of the latest delivered orders; one query, whatever the data."""
    times = Order.objects.filter(status=Status.DELIVERED).values_list(
        "cooking_at", "ready_at", "delivering_at", "delivered_at"
    )[:_ORDERS_MEASURED]
    cooking, way = [], []
    for cooking_at, ready_at, delivering_at, delivered_at in times:
        if cooking_at and ready_at:
            cooking.append(ready_at - cooking_at)
        if delivering_at and delivered_at:
            way.append(delivered_at - delivering_at)
    return Pace(_typical(cooking, DEFAULT_COOKING), _typical(way, DEFAULT_WAY))


def estimate(
    order: Order, *, now: datetime, pace: Pace | None = None
) -> Estimate | None:
    """Say when the order will be there; None once nothing is to be expected."""
    if order.is_finished:
        return None
    pace = pace or measured_pace()
    if order.status == Status.DELIVERING and order.delivering_at:
        there = max(order.delivering_at + pace.way, now)
        return _against_the_promise(order, there, there)
    ready = _ready_at(order, now, pace)
    if order.is_pickup:
        spread = timedelta(0) if order.status == Status.READY else SPREAD
        return _against_the_promise(order, ready, ready + spread)
    return _against_the_promise(order, ready + pace.way, ready + pace.way + SPREAD)


def earliest_times(*, now: datetime) -> dict[str, datetime]:
    """Say to whoever is about to order when it would be there at the earliest."""
    pace = measured_pace()
    ready = _ready_at(Order(status=Status.CONFIRMED, placed_at=now), now, pace)
    return {"pickup": ready, "delivery": ready + pace.way}


def promise(order: Order, *, now: datetime) -> datetime:
    """Name the latest time to tell whoever places this order."""
    expected = estimate(order, now=now)
    return expected.latest if expected else now


def _ready_at(order: Order, now: datetime, pace: Pace) -> datetime:
    if order.status == Status.READY:
        return now
    if order.status == Status.COOKING and order.cooking_at:
        return max(order.cooking_at + pace.cooking, now)
    ahead = Order.objects.filter(
        status__in=(Status.CONFIRMED, Status.COOKING), placed_at__lt=order.placed_at
    )
    rounds = 1 + ahead.count() // Kitchen.the_one().capacity
    return now + rounds * pace.cooking


def _against_the_promise(
    order: Order, earliest: datetime, latest: datetime
) -> Estimate:
    promised = order.promised_at
    is_late = promised is not None and latest > promised + GRACE
    return Estimate(earliest, latest, is_late)


def _typical(measured: list[timedelta], default: timedelta) -> timedelta:
    if len(measured) < _FEWEST_MEASURED:
        return default
    return timedelta(seconds=median_low(x.total_seconds() for x in measured))
