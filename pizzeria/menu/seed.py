"""The restaurant's first menu."""

from decimal import Decimal
from typing import Any

from pizzeria.menu.models import Category, Pizza
from pizzeria.menu.toppings import Allergen

FIRST_MENU: dict[str, dict[str, Any]] = {
    "Margherita": {
        "base_price": Decimal("12.99"),
        "toppings": [],
        "description": "Tomato sauce, mozzarella and fresh basil.",
        "category": Category.CLASSIC,
    },
    "Pepperoni": {
        "base_price": Decimal("14.99"),
        "toppings": ["Pepperoni"],
        "description": "Plenty of pepperoni on tomato and mozzarella.",
        "category": Category.CLASSIC,
    },
    "Vegetarian": {
        "base_price": Decimal("13.99"),
        "toppings": ["Bell Peppers", "Mushrooms", "Onions", "Olives"],
        "description": "Bell peppers, mushrooms, onions and olives.",
        "category": Category.GARDEN,
    },
    "Hawaiian": {
        "base_price": Decimal("14.99"),
        "toppings": ["Ham", "Pineapple"],
        "description": "Ham, pineapple and mozzarella.",
        "category": Category.CLASSIC,
    },
    "BBQ Chicken": {
        "base_price": Decimal("15.99"),
        "toppings": ["Chicken", "Red Onions"],
        "description": "Chicken, smoky barbecue sauce, red onions and cilantro.",
        "category": Category.SPECIAL,
        "more_allergens": [Allergen.CELERY.value, Allergen.MUSTARD.value],
    },
    "Meat Lovers": {
        "base_price": Decimal("16.99"),
        "toppings": ["Pepperoni", "Sausage", "Bacon", "Ham"],
        "description": "Pepperoni, sausage, bacon and ham.",
        "category": Category.MEAT,
    },
}


def seed_menu() -> list[Pizza]:
    """
    Put the pizzas of the first menu that are missing on it; return those.

    A pizza that is there stays as it is, its price and its toppings included.
    """
    missing = []
    for name, pizza in FIRST_MENU.items():
        found, is_new = Pizza.objects.get_or_create(
            name__iexact=name, defaults={"name": name, **pizza}
        )
        if is_new:
            missing.append(found)
    return missing
