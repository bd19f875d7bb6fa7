"""What the kitchen did today, hour by hour, where the restaurant stands."""

from dataclasses import dataclass
from datetime import datetime, time

from django.db.models import Avg, Count, DurationField, F, Sum
from django.db.models.functions import TruncHour
from django.utils import timezone

from pizzeria.orders.models import Order
from pizzeria.orders.transitions import Status


@dataclass(frozen=True)
class Hour:
    begins_at: datetime
    orders: int
    pizzas: int
    # From placed to ready, of those that are; None while none is.
    average_minutes: float | None


def hours_of_today(*, now: datetime) -> list[Hour]:
    """Count what was placed in each hour that had an order; cancelled ones apart."""
    zone = timezone.get_default_timezone()
    local = now.astimezone(zone)
    midnight = datetime.combine(local.date(), time(), tzinfo=zone)
    placed = Order.objects.filter(placed_at__gte=midnight, placed_at__lte=now)
    by_hour = (
        placed.exclude(status=Status.CANCELLED)
        .annotate(hour=TruncHour("placed_at", tzinfo=zone))
        .order_by("hour")
        .values("hour")
    )
    wait = Avg(F("ready_at") - F("placed_at"), output_field=DurationField())
    pizzas = dict(by_hour.annotate(n=Sum("lines__quantity")).values_list("hour", "n"))
    return [
        Hour(
            begins_at=row["hour"],
            orders=row["orders"],
            pizzas=pizzas.get(row["hour"]) or 0,
            average_minutes=None
            if row["wait"] is None
            else round(row["wait"].total_seconds() / 60, 1),
        )
        for row in by_hour.annotate(orders=Count("pk"), wait=wait)
    ]
