from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from pizzeria.orders.services import complete_pickups


class Command(BaseCommand):
    help = (
        "Take for picked up what has been ready for longer than the restaurant waits. "
        "`close_day` does it, too; run this one each hour if the board is to be tidier."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        completed = complete_pickups(now=timezone.now())
        numbers = ", ".join(map(str, completed)) or "none"
        self.stdout.write(f"Completed: {numbers}.")
