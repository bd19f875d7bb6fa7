"""Closing the books of a day, after which its figures no longer change."""

from datetime import date, datetime, timedelta

from django.db import transaction
from django.db.models import Q

from pizzeria.exceptions import Conflict
from pizzeria.management.models import ClosedDay, Kind, Tally
from pizzeria.management.periods import Period, local_day, midnight
from pizzeria.management.tallies import KEY, count_between
from pizzeria.orders.models import Order
from pizzeria.orders.transitions import FINAL, UNDO_WITHIN

_BATCH = 1000


class DayNotOver(Conflict):
    """Its figures could still change: it is today, or some of its orders are open."""

    code = "day_not_over"


def open_days(*, now: datetime) -> list[date]:
    """Return the days before today that are not closed yet, oldest first."""
    last = ClosedDay.last()
    if last is None:
        first = Order.objects.order_by("placed_at").values_list("placed_at", flat=True)
        begin = local_day(first[0]) if first else local_day(now)
    else:
        begin = last + timedelta(days=1)
    yesterday = local_day(now) - timedelta(days=1)
    return list(Period(begin, yesterday)) if begin <= yesterday else []


@transaction.atomic
def close_day(*, day: date, now: datetime) -> ClosedDay:
    """
    Keep what a day came to; days are closed in their order.

    :raises DayNotOver: if it is today or later, an earlier day is open, or an order of
        that day can still change
    """
    waiting = open_days(now=now)
    if not waiting or waiting[0] != day:
        raise DayNotOver(_why_not(day, waiting, now))
    begins_at, ends_at = midnight(day), midnight(day + timedelta(days=1))
    unfinished = unfinished_orders(begins_at, ends_at, now=now)
    if unfinished:
        raise DayNotOver(
            f"{len(unfinished)} orders of {day:%d %b %Y} are not over.",
            orders=unfinished,
        )
    closed = ClosedDay.objects.create(day=day, closed_at=now)
    Tally.objects.bulk_create(
        (
            Tally(closed_day=closed, kind=kind, key=key, **vars(numbers))
            for kind in Kind
            for (key,), numbers in count_between(kind, begins_at, ends_at, KEY).items()
        ),
        batch_size=_BATCH,
    )
    return closed


def unfinished_orders(
    begins_at: datetime, ends_at: datetime, *, now: datetime
) -> list[int]:
    found = Order.objects.filter(placed_at__gte=begins_at, placed_at__lt=ends_at)
    # What was handed over a moment ago may come back.
    is_over = Q(status__in=FINAL) & ~Q(delivered_at__gt=now - UNDO_WITHIN)
    return list(found.exclude(is_over).order_by("pk").values_list("pk", flat=True))


def _why_not(day: date, waiting: list[date], now: datetime) -> str:
    if waiting and waiting[0] < day:
        return f"Close {waiting[0]:%d %b %Y} first: days are closed in their order."
    if day >= local_day(now):
        return f"{day:%d %b %Y} is not over yet."
    return f"{day:%d %b %Y} is closed already."
