"""The same figures as comma-separated values, for a spreadsheet."""

import csv
from collections.abc import Iterable
from io import StringIO
from typing import Any

# A spreadsheet takes a cell that begins so for a formula, and runs it.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def sales_csv(report: dict[str, Any]) -> str:
    rows: list[Iterable[Any]] = [
        (
            "from",
            "orders",
            "revenue",
            "average value",
            "delivered",
            "cancelled",
            "discounts",
            "refunds",
            "refunded",
        )
    ]
    for span in report["series"]:
        n = span["numbers"]
        rows.append(
            (
                span["start"].isoformat(),
                n.orders,
                n.revenue,
                round(n.average_value, 2),
                n.delivered,
                n.cancelled,
                n.discounts,
                n.refunds,
                n.refunded,
            )
        )
    return _written(rows)


def pizzas_csv(report: dict[str, Any]) -> str:
    rows: list[Iterable[Any]] = [
        ("pizza", "orders", "pizzas", "revenue", "average price", "share of revenue")
    ]
    for pizza in report["pizzas"]:
        n = pizza["numbers"]
        rows.append(
            (
                pizza["name"],
                n.orders,
                n.pizzas,
                n.revenue,
                round(pizza["average_price"], 2),
                round(pizza["share"], 4),
            )
        )
    return _written(rows)


def hours_csv(report: dict[str, Any]) -> str:
    rows: list[Iterable[Any]] = [("weekday", "hour", "orders")]
    for row in report["heat"]:
        rows += [(row["weekday"], x["hour"], x["orders"]) for x in row["cells"]]
    return _written(rows)


def _written(rows: Iterable[Iterable[Any]]) -> str:
    text = StringIO()
    csv.writer(text).writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value
