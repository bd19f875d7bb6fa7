from argparse import ArgumentParser
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from pizzeria.management.alerts import raise_alerts
from pizzeria.rounds import Round, run_rounds

_EVERY = timedelta(seconds=15)


class Command(BaseCommand):
    _next_look_at = datetime.min.replace(tzinfo=UTC)
    help = "Tell managers of late orders, a full oven, and parked events; of each once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--once", action="store_true", help="Look once, and end: for a timer."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["once"]:
            run_rounds(self._look, say=self.stderr.write)
            return
        self.stdout.write(f"Raised {raise_alerts(now=timezone.now())} alerts.")

    def _look(self, should_stop: Callable[[], bool]) -> Round:
        now = timezone.now()
        if now >= self._next_look_at:
            self._next_look_at = now + _EVERY
            raise_alerts(now=now)
        return Round()
