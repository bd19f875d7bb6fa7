"""The restaurant's first menu."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from pizzeria.menu.models import Category, Pizza, Spice
from pizzeria.menu.nutrition import FACTS
from pizzeria.menu.toppings import Allergen


def _feeds(kcal: int, *grams: str) -> dict[str, Any]:
    """The numbers of a small one, in the order of the law."""
    return dict(zip(FACTS, (kcal, *map(Decimal, grams)), strict=True))


FIRST_MENU: dict[str, dict[str, Any]] = {
    "Margherita": {
        "base_price": Decimal("12.99"),
        "toppings": [],
        "description": "Tomato sauce, mozzarella and fresh basil.",
        "category": Category.CLASSIC,
        **_feeds(690, "22.5", "11.0", "88.0", "7.5", "29.0", "3.1"),
    },
    "Pepperoni": {
        "base_price": Decimal("14.99"),
        "toppings": ["Pepperoni"],
        "description": "Plenty of pepperoni on tomato and mozzarella.",
        "category": Category.CLASSIC,
        "spice_level": Spice.WARM,
        **_feeds(840, "36.0", "15.5", "88.5", "7.5", "36.5", "4.6"),
    },
    "Vegetarian": {
        "base_price": Decimal("13.99"),
        "toppings": ["Bell Peppers", "Mushrooms", "Onions", "Olives"],
        "description": "Bell peppers, mushrooms, onions and olives.",
        "category": Category.GARDEN,
        **_feeds(720, "24.0", "11.0", "93.0", "11.5", "30.0", "3.4"),
    },
    "Hawaiian": {
        "base_price": Decimal("14.99"),
        "toppings": ["Ham", "Pineapple"],
        "description": "Ham, pineapple and mozzarella.",
        "category": Category.CLASSIC,
        **_feeds(770, "24.5", "11.5", "96.0", "14.5", "37.5", "4.2"),
    },
    "BBQ Chicken": {
        "base_price": Decimal("15.99"),
        "toppings": ["Chicken", "Red Onions"],
        "description": "Chicken, smoky barbecue sauce, red onions and cilantro.",
        "category": Category.SPECIAL,
        "more_allergens": [Allergen.CELERY.value, Allergen.MUSTARD.value],
        "spice_level": Spice.WARM,
        **_feeds(810, "25.0", "11.5", "99.0", "18.0", "43.0", "4.0"),
    },
    "Meat Lovers": {
        "base_price": Decimal("16.99"),
        "toppings": ["Pepperoni", "Sausage", "Bacon", "Ham"],
        "description": "Pepperoni, sausage, bacon and ham.",
        "category": Category.MEAT,
        "spice_level": Spice.HOT,
        **_feeds(980, "48.0", "20.0", "89.0", "8.0", "46.5", "6.1"),
    },
}

# By the month in which their season begins; each lasts three.
_SEASONS: dict[int, dict[str, Any]] = {
    3: {
        "name": "Primavera",
        "toppings": ["Spinach", "Onions", "Ham"],
        "description": "The first spinach, sweet onions and ham.",
        **_feeds(740, "24.0", "11.0", "90.0", "9.0", "36.0", "3.9"),
    },
    6: {
        "name": "Estate",
        "toppings": ["Bell Peppers", "Olives", "Basil"],
        "description": "Bell peppers in the sun, olives and basil.",
        **_feeds(710, "24.5", "10.5", "90.5", "10.5", "28.5", "3.4"),
    },
    9: {
        "name": "Autunno",
        "toppings": ["Mushrooms", "Spinach", "Bacon"],
        "description": "Mushrooms of the season, spinach and bacon.",
        **_feeds(800, "32.0", "13.5", "88.5", "8.0", "36.5", "4.3"),
    },
    12: {
        "name": "Inverno",
        "toppings": ["Sausage", "Red Onions", "Mushrooms"],
        "description": "Sausage with fennel and chilli, red onions, mushrooms.",
        "spice_level": Spice.FIERY,
        **_feeds(870, "38.0", "15.5", "90.0", "9.0", "39.0", "4.9"),
    },
}


def seed_seasons(day: date) -> None:
    """Put the pizza of the day's season on the menu, and the next one beside it."""
    # December belongs to the winter that ends next year.
    first = date(day.year - (day.month < 3), (day.month // 3 * 3) or 12, 1)  # noqa: PLR2004
    for _ in range(2):
        following = (first + timedelta(days=100)).replace(day=1)
        season = {"base_price": Decimal("15.99"), "category": Category.SPECIAL}
        season |= _SEASONS[first.month]
        season |= {"available_from": first, "available_until": following - timedelta(1)}
        Pizza.objects.get_or_create(name__iexact=season["name"], defaults=season)
        first = following


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
