"""
What the shop does, for Prometheus: each number under one name.

What happens is counted when it is committed; what is so is asked of the database when
Prometheus asks the shop.
"""

from collections.abc import Iterator

from django.db import DatabaseError, transaction
from django.db.models import Count
from django.utils import timezone
from prometheus_client import Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from pizzeria.events.services import Event
from pizzeria.events.types import EventType
from pizzeria.kitchen.models import Kitchen
from pizzeria.orders.models import Order
from pizzeria.orders.transitions import FINAL, Status

EVENTS = Counter("shop_events", "What happened, by the type of its event.", ["type"])
REVENUE = Counter("shop_revenue", "The totals of the orders that were placed.")
COOKING = Histogram(
    "shop_cooking_seconds",
    "From into the oven to ready.",
    buckets=(120, 300, 600, 900, 1200, 1800, 3600),
)


def count(event: Event, **_: object) -> None:
    transaction.on_commit(lambda: _count(event), robust=True)


def _count(event: Event) -> None:
    EVENTS.labels(type=str(event.type)).inc()
    if event.type is EventType.ORDER_CONFIRMED:
        REVENUE.inc(float(event.data["total_amount"]))
    order = event.about
    if event.type is not EventType.ORDER_READY or not isinstance(order, Order):
        return
    if order.cooking_at and order.ready_at:
        COOKING.observe((order.ready_at - order.cooking_at).total_seconds())


class OrdersCollector(Collector):
    """The orders under way; without the database there are no figures."""

    def describe(self) -> Iterator[GaugeMetricFamily]:
        yield GaugeMetricFamily(
            "shop_orders", "Orders under way, by state.", labels=["status"]
        )
        yield GaugeMetricFamily("shop_orders_late", "Those past what was promised.")
        yield GaugeMetricFamily("shop_oven_places", "Orders that fit into the oven.")

    def collect(self) -> Iterator[GaugeMetricFamily]:
        open_orders = Order.objects.exclude(status__in=FINAL).order_by()
        try:
            counted = dict(open_orders.values_list("status").annotate(Count("pk")))
            late = open_orders.filter(promised_at__lt=timezone.now()).count()
            places = Kitchen.the_one().capacity
        except DatabaseError:
            return
        by_status, is_late, oven = self.describe()
        for status in Status:
            if status not in FINAL:
                by_status.add_metric([status.value], counted.get(status.value, 0))
        is_late.add_metric([], late)
        oven.add_metric([], places)
        yield from (by_status, is_late, oven)
