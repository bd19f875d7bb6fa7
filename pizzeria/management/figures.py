"""What the pages of the management show, and what each finding says."""

import calendar
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Count, Max, Sum

from pizzeria.management.models import Kind
from pizzeria.management.periods import Period, group_start, local_day, midnight
from pizzeria.management.stages import stages_of
from pizzeria.management.tallies import (
    DAY,
    KEY,
    WEEKDAY,
    Books,
    Groups,
    Numbers,
    count,
    count_between,
)
from pizzeria.menu.pricing import CENT
from pizzeria.orders.models import Order, OrderLine, full_name
from pizzeria.orders.transitions import Status
from pizzeria.ratings.figures import Rated, ratings_between, said_between

ACTIVE = (
    Status.PENDING,
    Status.CONFIRMED,
    Status.COOKING,
    Status.READY,
    Status.DELIVERING,
)
MOST_PEOPLE = 10
BEST_OF_TODAY = 5
# Whoever is beyond one of them in a period is one of the regulars.
VIP_SPENT, VIP_ORDERS = 100, 5
# Names that were sold in one period; a menu that changes daily has many.
MOST_PIZZAS = 100
WEEKDAYS = tuple(calendar.day_name)
_NEVER = Numbers()
_WHO_LEFT = "Somebody who left"


@dataclass(frozen=True)
class Change:
    """How a number compares with an earlier one; `share` is None where that was 0."""

    share: float | None

    @classmethod
    def between(cls, now: Decimal | int, before: Decimal | int) -> "Change":
        return cls(float((now - before) / before) if before else None)

    @property
    def percent(self) -> int | None:
        return None if self.share is None else round(self.share * 100)

    @property
    def direction(self) -> str:
        if not self.percent:
            return "same"
        return "up" if self.percent > 0 else "down"


def overview(*, now: datetime) -> dict[str, Any]:
    """
    Say how today goes, beside yesterday and a week ago up to the same time of day.

    Six queries: the three days, the active orders, deliveries and pizzas of today.
    """
    today = local_day(now)
    begins_at = midnight(today)
    so_far = _only(count_between(Kind.DAY, begins_at, now + timedelta(seconds=1)))
    before, last_week = (
        _only(count_between(Kind.DAY, day, day + (now - begins_at)))
        for day in (midnight(today - timedelta(days=ago)) for ago in (1, 7))
    )
    active = dict.fromkeys(ACTIVE, 0) | {
        Status(row["status"]): row["n"]
        for row in Order.objects.filter(status__in=ACTIVE)
        .order_by()
        .values("status")
        .annotate(n=Count("pk"))
    }
    drivers = _only(count_between(Kind.DRIVER, begins_at, now + timedelta(seconds=1)))
    sold = count_between(Kind.PIZZA, begins_at, now + timedelta(seconds=1), KEY)
    return {
        "now": now,
        "today": so_far,
        "yesterday": before,
        "orders_change": Change.between(so_far.orders, before.orders),
        "revenue_change": Change.between(so_far.revenue, before.revenue),
        "last_week": last_week,
        "week_change": Change.between(so_far.revenue, last_week.revenue),
        "pizzas": [
            {"name": name, "numbers": numbers}
            for name, numbers in _ranked(sold)[:BEST_OF_TODAY]
        ],
        "active": active,
        "active_count": sum(active.values()),
        "delivery": drivers,
    }


def analytics(period: Period, *, grouping: str) -> dict[str, Any]:
    """Say how sales went over a period, and beside the one before it."""
    books = Books.as_they_are()
    by_day = count(Kind.DAY, period, DAY, books=books)
    for day, given_back in count(Kind.REFUND, period, DAY, books=books).items():
        by_day[day] = by_day.get(day, _NEVER) + given_back
    total = sum(by_day.values(), Numbers())
    under_way = _of_each_active_status(period)
    before = _only(count(Kind.DAY, period.before, books=books))
    pizzas = _ranked(count(Kind.PIZZA, period, KEY, books=books))
    sold = sum((numbers.revenue for _, numbers in pizzas), Decimal(0))
    return {
        "period": period,
        "grouping": grouping,
        "total": total,
        "before": before,
        "orders_change": Change.between(total.orders, before.orders),
        "revenue_change": Change.between(total.revenue, before.revenue),
        "series": _series(by_day, period, grouping),
        "statuses": _statuses(total, under_way),
        "pizzas": [
            {
                "name": name,
                "numbers": numbers,
                "average_price": numbers.revenue / numbers.pizzas,
                "share": float(numbers.revenue / sold),
            }
            for name, numbers in pizzas[:MOST_PIZZAS]
        ],
    }


def _of_each_active_status(period: Period) -> dict[str, tuple[int, Decimal]]:
    rows = (
        Order.objects.filter(
            status__in=ACTIVE,
            placed_at__gte=period.begins_at,
            placed_at__lt=period.ends_at,
        )
        .order_by()
        .values_list("status")
        .annotate(Count("pk"), Sum("total_amount"))
    )
    # SQLite adds prices as floats.
    return {status: (n, worth.quantize(CENT)) for status, n, worth in rows}


def _statuses(
    total: Numbers, under_way: dict[str, tuple[int, Decimal]]
) -> list[dict[str, Any]]:
    """Say how a period's orders stand; what is not under way is over."""
    open_worth = sum((worth for _, worth in under_way.values()), Decimal("0.00"))
    counted = {
        **under_way,
        Status.DELIVERED: (total.delivered, total.revenue - open_worth),
        Status.CANCELLED: (total.cancelled, Decimal("0.00")),
    }
    everything = sum(n for n, _ in counted.values())
    return [
        {
            "status": status.value,
            "label": status.label,
            "orders": counted[status][0],
            "share": counted[status][0] / everything,
            "revenue": counted[status][1],
        }
        for status in Status
        if counted.get(status, (0,))[0]
    ]


def operations(period: Period, *, now: datetime) -> dict[str, Any]:
    """
    Say who did what over a period, when it was busy, and who ordered most.

    And where the time goes, in the period and at this moment.
    """
    books = Books.as_they_are()
    total = _only(count(Kind.DAY, period, books=books))
    hours = count(Kind.HOUR, period, WEEKDAY, KEY, books=books)
    cooks = _busiest(count(Kind.COOK, period, KEY, books=books))
    drivers = _busiest(count(Kind.DRIVER, period, KEY, books=books))
    names = _names_of({key for key, _ in (*cooks, *drivers)})
    rated = ratings_between(period.begins_at, period.ends_at)
    cooking = _under_way(Status.COOKING, "cooked_by")
    driving = _under_way(Status.DELIVERING, "driver")
    staff: dict[str, Any] = {
        "cooks": _people(cooks, names, cooking, rated.cooks),
        "drivers": _with_completion(
            _people(drivers, names, driving, rated.drivers), period
        ),
        "rated": rated.total,
        "said": said_between(period.begins_at, period.ends_at),
    }
    return {
        **staff,
        "leaderboard": _leaderboard(staff["cooks"], staff["drivers"]),
        "stages": stages_of(period, now=now),
        "period": period,
        "total": total,
        "heat": _heat(hours),
        "peak": max(hours, key=lambda at: hours[at].orders, default=None),
        "customers": top_customers(period),
    }


def top_customers(period: Period) -> list[dict[str, Any]]:
    """Return who spent most, of those who ordered twice or more; three queries."""
    sold = Order.objects.filter(
        placed_at__gte=period.begins_at, placed_at__lt=period.ends_at
    ).exclude(status=Status.CANCELLED)
    best = list(
        sold.exclude(customer=None)
        .order_by()
        .values("customer")
        .annotate(
            orders=Count("*"),
            spent=Sum("total_amount"),
            last_at=Max("placed_at"),
        )
        .filter(orders__gte=2)
        .order_by("-spent", "customer")[:MOST_PEOPLE]
    )
    ids = [row["customer"] for row in best]
    people = get_user_model().objects.in_bulk(ids)
    favourites = _favourites(ids, period)
    return [
        {
            **row,
            "average": row["spent"] / row["orders"],
            "name": full_name(people[row["customer"]]),
            "email": people[row["customer"]].email,
            "is_vip": row["spent"] > VIP_SPENT or row["orders"] > VIP_ORDERS,
            "favourite": favourites.get(row["customer"], ""),
        }
        for row in best
        # Nobody may have been forgotten between the two questions.
        if row["customer"] in people
    ]


def _favourites(customers: list[int], period: Period) -> dict[int, str]:
    lines = (
        OrderLine.objects.filter(
            order__customer__in=customers,
            order__placed_at__gte=period.begins_at,
            order__placed_at__lt=period.ends_at,
        )
        .exclude(order__status=Status.CANCELLED)
        .order_by()
        .values("order__customer", "name")
        .annotate(n=Sum("quantity"))
        .order_by("n", "-name")
    )
    # The last one stays: the most ordered.
    return {row["order__customer"]: row["name"] for row in lines}


def _series(by_day: Groups, period: Period, grouping: str) -> list[dict[str, Any]]:
    """Put days together; a span without an order is there with zeros."""
    series: dict[date, Numbers] = {}
    for day in period:
        start = max(group_start(day, grouping), period.first)
        numbers = by_day.get((day,), _NEVER)
        series[start] = series.get(start, _NEVER) + numbers
    return [{"start": start, "numbers": numbers} for start, numbers in series.items()]


def _ranked(groups: Groups) -> list[tuple[str, Numbers]]:
    rows = [(key, numbers) for (key,), numbers in groups.items() if numbers.orders]
    rows.sort(key=lambda row: (-row[1].revenue, row[0]))
    return rows


def _busiest(groups: Groups) -> list[tuple[str, Numbers]]:
    rows = [(key, numbers) for (key,), numbers in groups.items()]
    rows.sort(key=lambda row: (-row[1].orders, row[0]))
    return rows[:MOST_PEOPLE]


def _people(
    rows: list[tuple[str, Numbers]],
    names: dict[str, str],
    under_way: dict[str, int],
    rated: Mapping[str, Rated],
) -> list[dict[str, Any]]:
    most = max((numbers.orders for _, numbers in rows), default=1)
    return [
        {
            "key": key,
            "name": names.get(key, _WHO_LEFT),
            "numbers": numbers,
            "share": numbers.orders / most,
            "under_way": under_way.get(key, 0),
            "rated": rated.get(key) or Rated(),
            "score": score_of(numbers),
        }
        for key, numbers in rows
    ]


def _with_completion(
    drivers: list[dict[str, Any]], period: Period
) -> list[dict[str, Any]]:
    """Add which part of what is over they brought; the rest was cancelled on tour."""
    lost = dict(
        Order.objects.filter(
            status=Status.CANCELLED,
            driver__isnull=False,
            placed_at__gte=period.begins_at,
            placed_at__lt=period.ends_at,
        )
        .order_by()
        .values_list("driver")
        .annotate(Count("pk"))
    )
    for one in drivers:
        brought = one["numbers"].orders
        one["completed_share"] = brought / (brought + lost.get(int(one["key"]), 0))
    return drivers


def _leaderboard(
    cooks: list[dict[str, Any]], drivers: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Put both roles into one order: by score, then by orders and revenue."""
    everybody = [
        {**one, "role": role}
        for role, people in (("cook", cooks), ("driver", drivers))
        for one in people
    ]
    everybody.sort(
        key=lambda one: (
            -one["score"],
            -one["numbers"].orders,
            -one["numbers"].revenue,
            one["name"],
        )
    )
    return everybody[:MOST_PEOPLE]


def score_of(numbers: Numbers) -> int:
    """Ten points for an order and one for ten dollars of it, a hundred at most."""
    return min(100, int(10 * numbers.orders + numbers.revenue / 10))


def _under_way(status: Status, person: str) -> dict[str, int]:
    """Count what each of the staff has in hand at this moment."""
    orders = Order.objects.filter(status=status).exclude(**{person: None})
    counted = orders.order_by().values_list(person).annotate(Count("pk"))
    return {str(pk): n for pk, n in counted}


def _names_of(ids: Iterable[str]) -> dict[str, str]:
    people = get_user_model().objects.in_bulk([int(key) for key in ids])
    return {str(pk): full_name(person) for pk, person in people.items()}


def _heat(hours: Groups) -> list[dict[str, Any]]:
    """One row for each weekday, one cell for each hour, in five steps of heat."""
    most = max((numbers.orders for numbers in hours.values()), default=0)
    open_hours = sorted({int(hour) for _, hour in hours}) or [0]
    span = range(open_hours[0], open_hours[-1] + 1)
    return [
        {
            "weekday": name,
            "cells": [
                {
                    "hour": hour,
                    "orders": (n := hours.get((number, str(hour)), _NEVER).orders),
                    "heat": -(-n * 5 // most) if most else 0,
                }
                for hour in span
            ],
        }
        for number, name in enumerate(WEEKDAYS, 1)
    ]


def _only(groups: Groups) -> Numbers:
    return groups.get((), Numbers())


def say_change(what: str, change: Change, period: Period) -> str:
    """Say in a sentence what a chart shows."""
    span = "the day before" if period.days == 1 else f"the {period.days} days before"
    if change.percent is None:
        return f"{what}: nothing was sold in {span} to compare with"
    if change.percent == 0:
        return f"{what} stayed as in {span}"
    verb = "rose" if change.percent > 0 else "fell"
    return f"{what} {verb} {abs(change.percent)} % against {span}"


def say_delivered(total: Numbers) -> str:
    if not total.orders:
        return "No order was kept"
    return f"{total.delivered_share:.0%} of the orders were delivered"


def say_week(change: Change) -> str:
    """Say beside today's revenue how it stands against the same day a week ago."""
    if change.percent is None:
        return "nothing sold a week ago by this time"
    return f"{change.percent:+d} % against a week ago by this time"


def say_most(report: dict[str, Any]) -> str | None:
    """Name who of the staff did most; None if nobody did anything."""
    if not report["leaderboard"]:
        return None
    best = report["leaderboard"][0]
    orders = best["numbers"].orders
    return (
        f"{best['name']}, {best['role']}, did most: {orders} "
        f"order{'' if orders == 1 else 's'} of ${best['numbers'].revenue:,.2f}, "
        f"score {best['score']}"
    )


def say_best(pizzas: list[dict[str, Any]]) -> str:
    if not pizzas:
        return "No pizza was sold"
    best = pizzas[0]
    return f"{best['name']} brings in {best['share']:.0%} of the revenue"


def say_peak(peak: tuple[int, str] | None) -> str:
    if peak is None:
        return "Nothing was ordered"
    weekday, hour = peak
    return f"{WEEKDAYS[weekday - 1]} from {hour}:00 is the busiest hour"
