"""
What the restaurant came to, counted once and for every page.

A cancelled order is no revenue and no order sold; it is counted apart. An order
belongs to the day, and to the hour, in which it was placed. Days whose books are closed
are read from `Tally`; the open ones, today among them, from the orders themselves.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any

from django.db.models import (
    Count,
    DurationField,
    F,
    Q,
    QuerySet,
    Sum,
    Value,
)
from django.db.models.functions import ExtractHour, ExtractIsoWeekDay, TruncDate
from django.utils import timezone

from pizzeria.management.models import ClosedDay, Kind, Tally
from pizzeria.management.periods import Period, midnight
from pizzeria.menu.pricing import CENT
from pizzeria.orders.models import Order, OrderLine
from pizzeria.orders.transitions import Status

DAY, WEEKDAY, KEY = "in_day", "in_weekday", "in_key"


@dataclass
class Numbers:
    orders: int = 0
    cancelled: int = 0
    delivered: int = 0
    pizzas: int = 0
    revenue: Decimal = field(default_factory=lambda: Decimal("0.00"))
    # Taken off the revenue already.
    discounts: Decimal = field(default_factory=lambda: Decimal("0.00"))
    # Not taken off: it is given back on another day, and counted on that.
    refunds: int = 0
    refunded: Decimal = field(default_factory=lambda: Decimal("0.00"))
    timed: int = 0
    seconds: int = 0
    late: int = 0

    def __add__(self, other: "Numbers") -> "Numbers":
        return Numbers(*(getattr(self, name) + getattr(other, name) for name in _NAMES))

    @property
    def average_value(self) -> Decimal:
        return self.revenue / self.orders if self.orders else Decimal(0)

    @property
    def average_minutes(self) -> float | None:
        """None if nothing was timed."""
        return self.seconds / self.timed / 60 if self.timed else None

    @property
    def on_time_share(self) -> float | None:
        """Which part of what was delivered came by the time that was promised."""
        return 1 - self.late / self.delivered if self.delivered else None

    @property
    def delivered_share(self) -> float | None:
        return self.delivered / self.orders if self.orders else None


_NAMES = tuple(one.name for one in fields(Numbers))
type Groups = dict[tuple[Any, ...], Numbers]


@dataclass(frozen=True)
class Books:
    """Up to which day they are closed; asked once for all that a page counts."""

    closed_until: date | None

    @classmethod
    def as_they_are(cls) -> "Books":
        return cls(ClosedDay.last())


def count(
    kind: Kind, period: Period, *groups: str, books: Books | None = None
) -> Groups:
    """
    Count one kind over a period, grouped by DAY, WEEKDAY (1 is Monday) or KEY.

    Two queries, whatever the period: one over the closed days and one over the open
    ones; a third where nobody has said how far the books are closed.
    """
    closed_until = (books or Books.as_they_are()).closed_until
    open_from = period.first
    counted: Groups = defaultdict(Numbers)
    if closed_until is not None and closed_until >= period.first:
        open_from = closed_until + timedelta(days=1)
        counted |= _closed(kind, period, groups)
    if open_from <= period.last:
        living = count_between(kind, midnight(open_from), period.ends_at, *groups)
        for group, numbers in living.items():
            counted[group] = counted[group] + numbers
    return counted


def count_between(
    kind: Kind, begins_at: datetime, ends_at: datetime, *groups: str
) -> Groups:
    """Count the orders that were placed between two moments, from the orders."""
    counted, zone = _COUNTED[kind], timezone.get_default_timezone()
    placed_at = counted.placed_at
    expressions = {
        DAY: TruncDate(placed_at, tzinfo=zone),
        WEEKDAY: ExtractIsoWeekDay(placed_at, tzinfo=zone),
        KEY: counted.key(zone),
    }
    found = counted.rows().filter(
        **{f"{placed_at}__gte": begins_at, f"{placed_at}__lt": ends_at}
    )
    wanted = {name: expressions[name] for name in groups}
    return _numbers(found, wanted, counted.numbers)


def _closed(kind: Kind, period: Period, groups: Sequence[str]) -> Groups:
    expressions = {
        DAY: F("closed_day_id"),
        WEEKDAY: ExtractIsoWeekDay("closed_day__day"),
        KEY: F("key"),
    }
    found = Tally.objects.filter(
        kind=kind, closed_day__gte=period.first, closed_day__lte=period.last
    )
    return _numbers(
        found,
        {name: expressions[name] for name in groups},
        {f"sum_{name}": Sum(name) for name in _NAMES},
    )


def _numbers(
    found: QuerySet[Any], groups: dict[str, Any], numbers: dict[str, Any]
) -> Groups:
    rows = found.order_by().annotate(**groups).values(*groups).annotate(**numbers)
    return {
        tuple(str(row[name]) if name == KEY else row[name] for name in groups): Numbers(
            **{
                name.removeprefix("sum_"): _plain(row[name])
                for name in numbers
                if row[name] is not None
            }
        )
        # Without a group an empty span is one row of nothing.
        for row in (rows if groups else [found.aggregate(**numbers)])
    }


def _plain(value: Any) -> Any:
    if isinstance(value, timedelta):
        return round(value.total_seconds())
    # SQLite multiplies prices as floats.
    return value.quantize(CENT) if isinstance(value, Decimal) else value


def _counts(**numbers: Any) -> dict[str, Any]:
    # An aggregate may not be named like a field of the rows.
    return {f"sum_{name}": number for name, number in numbers.items()}


def _time(begin: str, end: str, **options: Any) -> Any:
    return Sum(F(end) - F(begin), output_field=DurationField(), **options)


_SOLD = ~Q(status=Status.CANCELLED)
_OF_ALL = {
    "orders": Count("pk", filter=_SOLD),
    "cancelled": Count("pk", filter=~_SOLD),
    "delivered": Count("pk", filter=Q(status=Status.DELIVERED)),
    "revenue": Sum("total_amount", filter=_SOLD),
    "discounts": Sum("discount_amount", filter=_SOLD),
}
_OF_A_PERSON = {"orders": Count("pk"), "revenue": Sum("total_amount")}


@dataclass(frozen=True)
class _Counted:
    """Which rows count, by what key, and what of them."""

    rows: Callable[[], QuerySet[Any]]
    key: Callable[[tzinfo], Any]
    numbers: dict[str, Any]
    placed_at: str = "placed_at"


_COUNTED = {
    Kind.DAY: _Counted(
        Order.objects.all,
        lambda zone: Value(""),
        _counts(
            **_OF_ALL,
            timed=Count("ready_at", filter=_SOLD),
            seconds=_time("confirmed_at", "ready_at", filter=_SOLD),
            late=Count("pk", filter=Q(delivered_at__gt=F("promised_at"))),
        ),
    ),
    Kind.HOUR: _Counted(
        Order.objects.all,
        lambda zone: ExtractHour("placed_at", tzinfo=zone),
        _counts(**_OF_ALL),
    ),
    Kind.PIZZA: _Counted(
        lambda: OrderLine.objects.exclude(order__status=Status.CANCELLED),
        lambda zone: F("name"),
        _counts(
            orders=Count("order", distinct=True),
            pizzas=Sum("quantity"),
            revenue=Sum(F("unit_price") * F("quantity")),
        ),
        placed_at="order__placed_at",
    ),
    Kind.COOK: _Counted(
        lambda: Order.objects.filter(_SOLD, readied_by__isnull=False),
        lambda zone: F("readied_by"),
        _counts(
            **_OF_A_PERSON,
            timed=Count("ready_at"),
            seconds=_time("cooking_at", "ready_at"),
        ),
    ),
    Kind.DRIVER: _Counted(
        lambda: Order.objects.filter(
            status=Status.DELIVERED, delivered_by__isnull=False
        ),
        lambda zone: F("delivered_by"),
        _counts(
            **_OF_A_PERSON,
            timed=Count("delivering_at"),
            seconds=_time("delivering_at", "delivered_at"),
            late=Count("pk", filter=Q(delivered_at__gt=F("promised_at"))),
        ),
    ),
    Kind.REFUND: _Counted(
        lambda: Order.objects.filter(refunded_at__isnull=False),
        lambda zone: Value(""),
        _counts(refunds=Count("pk"), refunded=Sum("refunded_amount")),
        placed_at="refunded_at",
    ),
}
