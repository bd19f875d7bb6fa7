"""The closed list of what can lie on a pizza, and what that means for who eats it."""

from collections.abc import Iterable

from django.db import models

TOPPINGS = (
    "Cheese",
    "Tomato Sauce",
    "Pepperoni",
    "Mushrooms",
    "Onions",
    "Red Onions",
    "Bell Peppers",
    "Olives",
    "Sausage",
    "Bacon",
    "Ham",
    "Chicken",
    "Pineapple",
    "Spinach",
    "Basil",
)
MEAT = frozenset({"Pepperoni", "Sausage", "Bacon", "Ham", "Chicken"})


class Allergen(models.TextChoices):
    """The fourteen that food law in Europe wants named (Regulation 1169/2011)."""

    GLUTEN = "gluten", "Gluten"
    CRUSTACEANS = "crustaceans", "Crustaceans"
    EGGS = "eggs", "Eggs"
    FISH = "fish", "Fish"
    PEANUTS = "peanuts", "Peanuts"
    SOYBEANS = "soybeans", "Soybeans"
    MILK = "milk", "Milk"
    NUTS = "nuts", "Nuts"
    CELERY = "celery", "Celery"
    MUSTARD = "mustard", "Mustard"
    SESAME = "sesame", "Sesame"
    SULPHITES = "sulphites", "Sulphites"
    LUPIN = "lupin", "Lupin"
    MOLLUSCS = "molluscs", "Molluscs"


# Dough and mozzarella are under every pizza.
_IN_THE_BASE = frozenset({Allergen.GLUTEN, Allergen.MILK})
_IN_TOPPINGS: dict[str, frozenset[Allergen]] = {
    "Cheese": frozenset({Allergen.MILK}),
    "Pepperoni": frozenset({Allergen.SULPHITES}),
    "Sausage": frozenset({Allergen.CELERY, Allergen.MUSTARD, Allergen.SULPHITES}),
    "Bacon": frozenset({Allergen.SULPHITES}),
    "Ham": frozenset({Allergen.SULPHITES}),
    "Olives": frozenset({Allergen.SULPHITES}),
}


def allergens_of(toppings: Iterable[str], more: Iterable[str] = ()) -> list[Allergen]:
    """Name what is in a pizza of these toppings, in the order of the law."""
    found = set(_IN_THE_BASE) | {Allergen(name) for name in more}
    for topping in toppings:
        found |= _IN_TOPPINGS.get(topping, frozenset())
    return [allergen for allergen in Allergen if allergen in found]
