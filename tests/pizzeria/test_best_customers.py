"""The one table of the management that is summed from the orders of a whole period."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from pizzeria.management import figures
from pizzeria.management.periods import Period, local_day
from tests.pizzeria.conftest import FRIDAY_EVENING

THE_DAY = Period.until(local_day(FRIDAY_EVENING), days=1)
# Of a few rows each way is as good; what is asked here is whether this one can be had.
_NOTHING_ELSE = "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off"
_EXPLAIN = {"postgresql": "EXPLAIN", "sqlite": "EXPLAIN QUERY PLAN"}
# SQLite looks into the row for the status, which the index implies.
_WANTED = {"postgresql": "Index Only Scan using order_sold", "sqlite": "order_sold"}


@pytest.mark.django_db
def test_are_found_without_reading_an_order(order_of, peach):
    order_of(peach)
    order_of(peach)
    with CaptureQueriesContext(connection) as asked:
        (best,) = figures.top_customers(THE_DAY)
    assert best["orders"] == 2

    vendor = connection.vendor
    with connection.cursor() as cursor:
        if vendor == "postgresql":
            cursor.execute(_NOTHING_ELSE)
        cursor.execute(f"{_EXPLAIN[vendor]} {asked[0]['sql']}")
        plan = "\n".join(str(row[-1]) for row in cursor.fetchall())

    assert _WANTED[vendor] in plan
