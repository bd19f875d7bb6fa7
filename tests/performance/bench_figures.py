"""
What the management's figures cost with a year of orders, on a real PostgreSQL.

    python -m tests.performance.bench_figures [orders]

A cluster of its own is made and removed. Each chart's queries take turns with a look-up
of one order by its primary key, on the same connection; the ratio is of medians.
Memory is the peak of this process before and after all of them.
"""

import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.postgresql import PostgreSQL

ROUNDS = 30
MOST = 100


def main(orders: int) -> None:
    with tempfile.TemporaryDirectory() as folder, PostgreSQL(Path(folder)) as server:
        os.environ |= _environment(server.url)
        import django  # noqa: PLC0415  # settings read the environment

        django.setup()
        _seed(orders)
        _measure(orders)


def _environment(url: str) -> dict[str, str]:
    return {
        "DJANGO_SETTINGS_MODULE": "mario.settings",
        "DATABASE_URL": url,
        "SECRET_KEY": "only-for-a-benchmark-" + "7" * 50,
        "REDIS_ENABLED": "false",
        "DEV_REALM": "true",
        "LOG_LEVEL": "WARNING",
    }


def _seed(orders: int) -> None:
    from django.core.management import call_command  # noqa: PLC0415
    from django.db import connection  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    started = time.monotonic()
    call_command("seed_demo", "--orders", str(orders))
    with connection.cursor() as cursor:
        # As the server's own vacuum does within a day: indexes then answer alone.
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("SHOW server_version")
        version = cursor.fetchone()[0]
    minutes = (time.monotonic() - started) / 60
    say(f"PostgreSQL {version}; {orders:,} orders seeded in {minutes:.1f} min")


def _measure(orders: int) -> None:
    from django.utils import timezone  # noqa: PLC0415

    from pizzeria.management import figures  # noqa: PLC0415
    from pizzeria.management.models import Kind  # noqa: PLC0415
    from pizzeria.management.periods import Period, local_day  # noqa: PLC0415
    from pizzeria.management.stages import stages_of  # noqa: PLC0415
    from pizzeria.management.tallies import DAY, KEY, WEEKDAY, count  # noqa: PLC0415
    from pizzeria.orders.models import Order  # noqa: PLC0415

    now = timezone.now()
    year = Period.until(local_day(now), days=365)
    month = Period.until(local_day(now), days=30)
    some = Order.objects.order_by("pk").values_list("pk", flat=True)[orders // 2]
    steps: dict[str, Callable[[], Any]] = {
        "one order by primary key": lambda: Order.objects.get(pk=some),
        "revenue and orders by day, a year": lambda: count(Kind.DAY, year, DAY),
        "pizzas, a year": lambda: count(Kind.PIZZA, year, KEY),
        "weekday and hour, a year": lambda: count(Kind.HOUR, year, WEEKDAY, KEY),
        "cooks, a year": lambda: count(Kind.COOK, year, KEY),
        "drivers, a year": lambda: count(Kind.DRIVER, year, KEY),
        "where the time goes, a year": lambda: stages_of(year, now=now),
        "today beside yesterday": lambda: figures.overview(now=now),
        "best customers, 30 days (a table)": lambda: figures.top_customers(month),
        "all of Analytics, a year": lambda: figures.analytics(year, grouping="month"),
        "all of Operations, 30 days": lambda: figures.operations(month, now=now),
    }
    before = _peak_megabytes()
    taken: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(ROUNDS):
        for name, step in steps.items():
            began = time.perf_counter()
            step()
            taken[name].append(time.perf_counter() - began)
    look_up = statistics.median(taken["one order by primary key"])
    say(f"\n{'':36} {'ms':>8} {'x look-up':>10}   at most {MOST}")
    for name, times in taken.items():
        median = statistics.median(times)
        say(f"{name:36} {median * 1000:8.2f} {median / look_up:10.1f}")
    say(f"\nPeak memory {before:.0f} MB before, {_peak_megabytes():.0f} MB after")


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
