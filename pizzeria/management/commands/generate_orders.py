import random
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from pizzeria.management.demo_data import make_cast
from pizzeria.management.demo_traffic import move_something, order_something

_CUSTOMERS = 50
_MOST = 100_000
# Four steps lead an order from the kitchen to its door.
_STEPS_PER_ORDER = 4


class Command(BaseCommand):
    help = (
        "Let the demo's people order, cook and deliver, live. Ends after --count "
        "orders; Ctrl-C ends it earlier, and leaves what is open to real staff."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--count", type=int, default=10)
        parser.add_argument(
            "--every", type=float, default=5.0, metavar="SECONDS", help="between orders"
        )
        parser.add_argument(
            "--no-complete",
            action="store_false",
            dest="is_completing",
            help="leave cooking and delivering to others",
        )

    def handle(
        self, *args: Any, count: int, every: float, is_completing: bool, **options: Any
    ) -> None:
        if not 1 <= count <= _MOST:
            raise CommandError(f"--count is from 1 to {_MOST:,}.")
        if not 0 <= every <= 3600:  # noqa: PLR2004  # seconds of an hour
            raise CommandError("--every is from 0 to 3600 seconds.")
        self._cast = make_cast(customers=_CUSTOMERS)
        self._chance = random.Random()  # noqa: S311  # not a secret
        if not any(pizza.is_available for pizza in self._cast.pizzas):
            raise CommandError("Every pizza is sold out.")
        try:
            self._serve(count, every, is_completing=is_completing)
        except KeyboardInterrupt:
            self.stdout.write("Ended early.")

    def _serve(self, count: int, every: float, *, is_completing: bool) -> None:
        for number in range(1, count + 1):
            order = order_something(self._cast, self._chance, now=timezone.now())
            self.stdout.write(f"{number}/{count} {order}: {order.total_amount}")
            if is_completing:
                self._move(_STEPS_PER_ORDER)
            if number < count:
                time.sleep(every)
        # What is still on its way is brought to its end.
        if is_completing:
            self._move(_STEPS_PER_ORDER * count)

    def _move(self, steps: int) -> None:
        for _ in range(steps):
            moved = move_something(self._cast, self._chance, now=timezone.now())
            if moved is None:
                return
            self.stdout.write(f"  {moved}: {moved.get_status_display()}")
