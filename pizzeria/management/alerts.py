"""What managers are told of by itself: a late order, a full oven, parked events."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone

from pizzeria.events.models import OutboxEvent
from pizzeria.kitchen.models import Kitchen
from pizzeria.management.figures import ACTIVE
from pizzeria.management.models import Alert
from pizzeria.notifications.services import tell_all
from pizzeria.orders.models import Order
from pizzeria.roles import OVERSEE
from pizzeria.transactions import in_one_transaction

# More at once nobody reads; the others have their turn at the next look.
MOST_AT_ONCE = 20
LOOKED_AT = 500
KEPT = timedelta(days=30)


@dataclass(frozen=True)
class Finding:
    """Something to tell; of one key managers are told once."""

    key: str
    title: str
    message: str
    order: Order | None = None


def raise_alerts(*, now: datetime) -> int:
    """Tell managers of what they were not told of yet; return of how much."""
    Alert.objects.filter(raised_at__lt=now - KEPT).delete()
    return sum(_raise(finding, now=now) for finding in _findings(now))


@in_one_transaction
def _raise(finding: Finding, *, now: datetime) -> bool:
    # Of two commands at the same moment the database lets one make it.
    _, is_new = Alert.objects.get_or_create(
        key=finding.key, defaults={"raised_at": now}
    )
    if is_new:
        managers = User.objects.with_perm(
            OVERSEE, backend="django.contrib.auth.backends.ModelBackend"
        )
        tell_all(
            people=managers,
            title=finding.title,
            message=finding.message,
            order=finding.order,
            now=now,
        )
    return is_new


def _findings(now: datetime) -> Iterator[Finding]:
    yield from _late_orders(now)
    yield from _full_oven(now)
    yield from _parked_events()


def _late_orders(now: datetime) -> Iterator[Finding]:
    late = Order.objects.filter(
        status__in=ACTIVE, promised_at__lt=now, promised_at__gte=now - KEPT
    ).order_by("-promised_at", "-pk")[:LOOKED_AT]
    by_key = {f"late:{order.pk}": order for order in late}
    told = set(Alert.objects.filter(key__in=by_key).values_list("key", flat=True))
    new = [(key, order) for key, order in by_key.items() if key not in told]
    for key, order in new[:MOST_AT_ONCE]:
        promised = timezone.localtime(order.promised_at)
        yield Finding(
            key=key,
            title=f"Order {order.pk} is late",
            message=f"It was promised for {promised:%H:%M} and is "
            f"{order.stage_label.lower()}.",
            order=order,
        )


def _full_oven(now: datetime) -> Iterator[Finding]:
    """Nobody got a place for as long as an order takes to be called late."""
    capacity = Kitchen.the_one().capacity
    cooking = list(Order.objects.cooking().order_by("-cooking_at")[: capacity + 1])
    if len(cooking) < capacity or cooking[0].cooking_at is None:
        return
    for_so_long = timedelta(minutes=settings.KITCHEN_LATE_MINUTES)
    if now - cooking[0].cooking_at >= for_so_long:
        yield Finding(
            key=f"oven:{cooking[0].pk}:{cooking[0].cooking_at:%Y%m%d%H%M%S}",
            title="The oven is full",
            message=f"All {capacity} places have been taken for "
            f"{settings.KITCHEN_LATE_MINUTES} minutes.",
        )


def _parked_events() -> Iterator[Finding]:
    parked = OutboxEvent.objects.filter(sent_at=None, parked_at__isnull=False)
    oldest = parked.order_by("pk").first()
    if oldest is not None:
        yield Finding(
            key=f"parked:{oldest.pk}",
            title="Events could not be sent",
            message=f"Since {timezone.localtime(oldest.parked_at):%d %b, %H:%M} other "
            "systems miss some of what happened here; they are parked in the outbox.",
        )
