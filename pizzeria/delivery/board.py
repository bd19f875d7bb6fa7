"""What a driver sees: what is ready, and the stops of their own tour."""

from collections import defaultdict
from datetime import datetime
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.contrib.auth.models import User

from pizzeria.orders.models import Order, OrderQuerySet
from pizzeria.orders.transitions import UNDO_WITHIN, Fulfilment, Status
from pizzeria.restaurant.area import postcode_of

ORDERS_SHOWN = 50


def ready_orders() -> OrderQuerySet:
    """What may be taken along; what has waited longest comes first."""
    return Order.objects.filter(
        status=Status.READY, fulfilment=Fulfilment.DELIVERY
    ).order_by("ready_at", "id")


def tour_of(driver: User) -> OrderQuerySet:
    """The driver's own stops, in their order."""
    return Order.objects.filter(status=Status.DELIVERING, driver=driver).order_by(
        "stop_number", "id"
    )


def handed_over_by(driver: User, *, now: datetime) -> OrderQuerySet:
    """What the driver handed over a moment ago, and can still take back."""
    return Order.objects.filter(
        status=Status.DELIVERED,
        fulfilment=Fulfilment.DELIVERY,
        driver=driver,
        customer__isnull=False,
        delivered_at__gte=now - UNDO_WITHIN,
    ).order_by("-delivered_at", "-id")


def by_neighbourhood(ready: list[Order], tour: list[Order]) -> list[Order]:
    """
    Put those of one postcode together, and what has waited longest first.

    The postcodes of the tour's own stops come before all others: there the driver goes
    anyway. An order's `batch` is on the first of several that go to one postcode.
    """
    stops = {postcode_of(order.customer_address) for order in tour} - {None}
    groups: dict[object, list[Order]] = defaultdict(list)
    for order in ready:
        order.postcode = postcode_of(order.customer_address)
        order.is_on_the_way = order.postcode in stops
        order.batch = []
        # One without a postcode goes nowhere near another.
        groups[order.postcode or order.pk].append(order)
    for group in groups.values():
        if len(group) > 1:
            group[0].batch = group
    near_first = sorted(groups.values(), key=lambda group: not group[0].is_on_the_way)
    return [order for group in near_first for order in group]


def board(*, driver: User, now: datetime) -> dict[str, Any]:
    """Say what the driver's board shows at this moment."""
    ready = list(ready_orders().with_lines()[:ORDERS_SHOWN])
    tour = list(tour_of(driver).with_lines()[:ORDERS_SHOWN])
    for order in ready:
        order.age_minutes = minutes_between(order.ready_at, now)
        order.age = age_of(order.age_minutes)
    for order in tour:
        order.age_minutes = minutes_between(order.placed_at, now)
        order.age = "done"
    return {
        "ready": by_neighbourhood(ready, tour),
        "ready_count": ready_orders().count(),
        "tour": tour,
        "handed_over": handed_over_by(driver, now=now)[:ORDERS_SHOWN],
        "now": now,
    }


def map_url(address: str) -> str:
    """Where a tap on the address leads; the page itself asks nobody."""
    return settings.DELIVERY_MAP_URL.replace("{address}", quote(address, safe=""))


def age_of(minutes: int) -> str:
    """Call a waiting time "fresh", "waiting" or "late"."""
    if minutes >= settings.DELIVERY_LATE_MINUTES:
        return "late"
    return "waiting" if minutes >= settings.DELIVERY_WAITING_MINUTES else "fresh"


def minutes_between(since: datetime | None, now: datetime) -> int:
    return int((now - (since or now)).total_seconds() // 60)
