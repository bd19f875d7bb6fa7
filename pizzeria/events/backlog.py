"""What waits in the outbox, for /metrics and for people."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import DatabaseError
from django.db.models import Count, Min, Q
from django.utils import timezone
from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from pizzeria.events.models import OutboxEvent


@dataclass(frozen=True)
class Backlog:
    waiting: int
    parked: int
    oldest_seconds: float


def backlog() -> Backlog:
    """Count what the sink has not heard of; the index holds just that."""
    unsent = OutboxEvent.objects.filter(sent_at=None)
    counted = unsent.aggregate(
        waiting=Count("pk", filter=Q(parked_at=None)),
        parked=Count("pk", filter=~Q(parked_at=None)),
        oldest=Min("occurred_at", filter=Q(parked_at=None)),
    )
    oldest = counted["oldest"]
    age = (timezone.now() - oldest).total_seconds() if oldest else 0.0
    return Backlog(counted["waiting"], counted["parked"], max(age, 0.0))


class BacklogCollector(Collector):
    """
    Asks the database when Prometheus asks the shop.

    A shop whose database does not answer has no figures, and /metrics stays there.
    """

    def describe(self) -> Iterator[GaugeMetricFamily]:
        yield GaugeMetricFamily("events_backlog", "Events that wait to be sent.")
        yield GaugeMetricFamily("events_parked", "Events that the sink refused.")
        yield GaugeMetricFamily(
            "events_backlog_oldest_seconds", "How long the oldest of them has waited."
        )

    def collect(self) -> Iterator[GaugeMetricFamily]:
        try:
            now = backlog()
        except DatabaseError:
            return
        values = (now.waiting, now.parked, now.oldest_seconds)
        for family, value in zip(self.describe(), values, strict=True):
            family.add_metric([], value)
            yield family


def show_in_metrics() -> None:
    REGISTRY.register(BacklogCollector())
