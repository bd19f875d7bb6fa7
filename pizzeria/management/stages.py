"""Where the time goes: how long each stage takes, and how its orders stand now."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import (
    Avg,
    Count,
    DateTimeField,
    DurationField,
    ExpressionWrapper,
    F,
    Q,
    Value,
)
from django.db.models.expressions import Combinable

from pizzeria.management.periods import Period
from pizzeria.orders.models import Order
from pizzeria.orders.transitions import Fulfilment, Status

# The newest of a period say it as well as all of a year.
LOOKED_AT = 1_000

_ENDS = {
    Status.CONFIRMED: ("Waiting for the oven", "confirmed_at", "cooking_at"),
    Status.COOKING: ("In the oven", "cooking_at", "ready_at"),
    Status.READY: ("Waiting for a driver", "ready_at", "delivering_at"),
    Status.DELIVERING: ("On the road", "delivering_at", "delivered_at"),
}


@dataclass
class Stage:
    """One stage; minutes are averages, None where nothing was there to count."""

    name: str
    minutes: float | None
    orders_now: int
    minutes_now: float | None
    is_longest: bool = False
    is_longest_now: bool = False


def stages_of(period: Period, *, now: datetime) -> list[Stage]:
    """
    Say how long each stage took, of a period's newest orders, and takes now.

    Two queries. A pick-up waits for no driver, and is left out.
    """
    drawn = Order.objects.filter(fulfilment=Fulfilment.DELIVERY)
    newest = (
        drawn.filter(
            status=Status.DELIVERED,
            placed_at__gte=period.begins_at,
            placed_at__lt=period.ends_at,
        )
        .order_by("-placed_at")
        .annotate(
            **{f"in_{x.value}": _time(F(a), F(b)) for x, (_, a, b) in _ENDS.items()}
        )
    )
    took = newest[:LOOKED_AT].aggregate(
        **{x.value: Avg(f"in_{x.value}") for x in _ENDS}
    )
    at = Value(now, DateTimeField())
    waits = drawn.filter(status__in=_ENDS).aggregate(
        **{f"n_{x.value}": Count("pk", filter=Q(status=x)) for x in _ENDS},
        **{
            x.value: Avg(_time(F(begin), at), filter=Q(status=x))
            for x, (_, begin, _) in _ENDS.items()
        },
    )
    stages = [
        Stage(
            name=name,
            minutes=_minutes(took[x.value]),
            orders_now=waits[f"n_{x.value}"],
            minutes_now=_minutes(waits[x.value]),
        )
        for x, (name, _, _) in _ENDS.items()
    ]
    longest = max(stages, key=lambda stage: stage.minutes or 0)
    longest.is_longest = bool(longest.minutes)
    longest_now = max(stages, key=lambda stage: stage.minutes_now or 0)
    longest_now.is_longest_now = bool(longest_now.minutes_now)
    return stages


def say_bottleneck(stages: list[Stage]) -> str:
    """Say in a sentence where orders spend most of their time."""
    found = next((one for one in stages if one.is_longest), None)
    if found is None:
        return "Where the time goes"
    return f"{found.name} takes longest: {found.minutes:.0f} minutes"


def _time(begin: Combinable, end: Combinable) -> Combinable:
    return ExpressionWrapper(end - begin, output_field=DurationField())


def _minutes(time: timedelta | None) -> float | None:
    return None if time is None else time.total_seconds() / 60
