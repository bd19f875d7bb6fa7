from argparse import ArgumentParser
from datetime import date, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from pizzeria.management.demo_data import DayClosed, seed_orders
from pizzeria.management.periods import local_day
from pizzeria.management.services import DayNotOver, close_day, open_days
from pizzeria.menu.seed import seed_seasons

_DAYS = 365
_MOST_ORDERS = 5_000_000


class Command(BaseCommand):
    help = (
        "Fill the shop with menu, people and a year of finished orders, and close its "
        "days. The same seed, size and last day make the same year."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--orders", type=int, default=10_000)
        parser.add_argument("--days", type=int, default=_DAYS)
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument(
            "--until",
            type=date.fromisoformat,
            metavar="YYYY-MM-DD",
            help="the last day; yesterday without it",
        )

    def handle(
        self,
        *args: Any,
        orders: int,
        days: int,
        seed: int,
        until: date | None,
        **options: Any,
    ) -> None:
        now = timezone.now()
        last_day = until or local_day(now) - timedelta(days=1)
        if not 1 <= orders <= _MOST_ORDERS:
            raise CommandError(f"--orders is from 1 to {_MOST_ORDERS:,}.")
        if not 1 <= days <= 5 * _DAYS:
            raise CommandError(f"--days is from 1 to {5 * _DAYS:,}.")
        if last_day >= local_day(now):
            raise CommandError("--until is a day that is over.")

        try:
            count = seed_orders(
                orders=orders,
                days=days,
                last_day=last_day,
                seed=seed,
                on_progress=self._progress(orders),
            )
        except DayClosed as error:
            raise CommandError(error.message) from error
        seed_seasons(local_day(now))
        self.stdout.write("")
        closed = self._close_days(now)
        self.stdout.write(
            self.style.SUCCESS(
                f"{count:,} orders over {days} days; {closed} days closed."
            )
        )

    def _progress(self, orders: int) -> Any:
        told = -1

        def tell(done: int) -> None:
            nonlocal told
            percent = 100 * done // orders
            if percent != told:
                told = percent
                self.stdout.write(f"\r{percent:3} % of {orders:,} orders", ending="")
                self.stdout.flush()

        return tell

    def _close_days(self, now: Any) -> int:
        closed = 0
        for day in open_days(now=now):
            try:
                close_day(day=day, now=now)
            except DayNotOver as error:
                self.stdout.write(f"{error.message} It stays open.")
                break
            closed += 1
        return closed
