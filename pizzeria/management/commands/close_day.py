from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from pizzeria.management.services import DayNotOver, close_day, open_days
from pizzeria.orders.services import complete_pickups


class Command(BaseCommand):
    help = (
        "Complete the pick-ups that nobody fetched, and close the books of every day "
        "before today, oldest first. Run it each night; "
        "figures of closed days are read from their tallies and no longer change."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--dry-run", action="store_true", help="only name the days that are open"
        )

    def handle(self, *args: Any, dry_run: bool, **options: Any) -> None:
        now = timezone.now()
        if not dry_run:
            # Else a pizza that nobody fetched would keep its day open.
            complete_pickups(now=now)
        days = open_days(now=now)
        if not days:
            self.stdout.write("Every day before today is closed.")
            return
        for day in days:
            if dry_run:
                self.stdout.write(f"{day:%Y-%m-%d} is open.")
                continue
            try:
                close_day(day=day, now=now)
            except DayNotOver as error:
                orders = ", ".join(map(str, error.extra.get("orders", [])))
                raise CommandError(
                    f"{error.message} Finish or cancel them: {orders}."
                ) from error
            self.stdout.write(f"{day:%Y-%m-%d} is closed.")
