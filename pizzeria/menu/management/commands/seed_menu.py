from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction

from pizzeria.menu.seed import seed_menu


class Command(BaseCommand):
    help = "Put the first menu's pizzas on the menu; leaves those alone that are there."

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        seeded = seed_menu()
        if not seeded:
            self.stdout.write("The menu has every pizza of the first menu already.")
            return
        names = ", ".join(pizza.name for pizza in seeded)
        self.stdout.write(self.style.SUCCESS(f"On the menu now: {names}."))
