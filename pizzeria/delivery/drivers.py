"""What a manager sees of the drivers: who is where with what, and what waits."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Q
from django.utils import timezone

from pizzeria.delivery.board import (
    ORDERS_SHOWN,
    age_of,
    minutes_between,
    ready_orders,
)
from pizzeria.orders.models import Order, OrderQuerySet, full_name
from pizzeria.orders.transitions import Fulfilment, Status

DRIVERS_SHOWN = 100
GROUP = "delivery_driver"

type Span = tuple[datetime, datetime]


@dataclass
class DriverNow:
    """One driver at this moment, and their day."""

    name: str
    stops: list[Order] = field(default_factory=list)
    delivered_today: int = 0
    # With at least one order in the car, of the time since the first one today.
    busy_share: float | None = None
    average_minutes: float | None = None

    @property
    def is_on_tour(self) -> bool:
        return bool(self.stops)

    @property
    def since(self) -> datetime | None:
        """When the tour began; None if there is none."""
        return min(
            (x.delivering_at for x in self.stops if x.delivering_at), default=None
        )


def drivers_now(*, now: datetime) -> dict[str, Any]:
    """Say who drives what at this moment; five queries, whatever there is."""
    begins_at = _midnight(now)
    tours, spans, delivered = defaultdict(list), defaultdict(list), defaultdict(list)
    for order in _on_their_way():
        order.age_minutes = minutes_between(order.delivering_at, now)
        order.is_late = order.promised_at is not None and order.promised_at < now
        tours[order.driver_id].append(order)
        left_at = order.delivering_at or now
        spans[order.driver_id].append((max(left_at, begins_at), now))
    for driver, left_at, done_at in _delivered_since(begins_at):
        delivered[driver].append(done_at - left_at)
        spans[driver].append((max(left_at, begins_at), done_at))
    people = User.objects.filter(
        Q(groups__name=GROUP, is_active=True) | Q(pk__in=[*tours, *delivered])
    )
    drivers = [
        DriverNow(
            name=full_name(person),
            stops=tours[person.pk],
            delivered_today=len(delivered[person.pk]),
            busy_share=busy_share(spans[person.pk], until=now),
            average_minutes=_average_minutes(delivered[person.pk]),
        )
        for person in people.distinct()
    ]
    drivers.sort(key=lambda one: (not one.is_on_tour, -one.delivered_today, one.name))
    ready = list(ready_orders()[:ORDERS_SHOWN])
    for order in ready:
        order.age_minutes = minutes_between(order.ready_at, now)
        order.age = age_of(order.age_minutes)
    return {
        "now": now,
        "drivers": drivers[:DRIVERS_SHOWN],
        "drivers_count": len(drivers),
        "on_tour_count": sum(one.is_on_tour for one in drivers),
        "ready": ready,
        "ready_count": ready_orders().count(),
        "longest_minutes": ready[0].age_minutes if ready else None,
    }


def busy_share(spans: Iterable[Span], *, until: datetime) -> float | None:
    """
    Say which part of the time since the first span began was part of any.

    None if there is none. Orders of one tour overlap, and count once.
    """
    ordered = sorted(spans)
    if not ordered or ordered[0][0] >= until:
        return None
    busy, reached = timedelta(), ordered[0][0]
    for begin, end in ordered:
        if end > reached:
            busy += end - max(begin, reached)
            reached = end
    return busy / (until - ordered[0][0])


def _on_their_way() -> OrderQuerySet:
    return Order.objects.filter(
        status=Status.DELIVERING, driver__isnull=False
    ).order_by("stop_number", "id")


def _delivered_since(begins_at: datetime) -> Iterable[tuple[Any, Any, Any]]:
    found = Order.objects.filter(
        status=Status.DELIVERED,
        fulfilment=Fulfilment.DELIVERY,
        driver__isnull=False,
        delivering_at__isnull=False,
        delivered_at__gte=begins_at,
        # The index knows when it was placed; nobody waits for a day.
        placed_at__gte=begins_at - timedelta(days=1),
    )
    return found.order_by().values_list("driver", "delivering_at", "delivered_at")


def _average_minutes(roads: Sequence[timedelta]) -> float | None:
    if not roads:
        return None
    return sum(roads, timedelta()).total_seconds() / 60 / len(roads)


def _midnight(now: datetime) -> datetime:
    zone = timezone.get_default_timezone()
    return now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
