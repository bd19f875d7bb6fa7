"""What a pizza feeds, from the numbers of a small one."""

from decimal import ROUND_HALF_UP, Decimal

from pizzeria.menu.pricing import Size

# Energy, and the six that food law in Europe wants beside it (Regulation 1169/2011).
FACTS = {
    "kcal": "Energy (kcal)",
    "fat": "Fat (g)",
    "saturates": "of which saturates (g)",
    "carbohydrate": "Carbohydrate (g)",
    "sugars": "of which sugars (g)",
    "protein": "Protein (g)",
    "salt": "Salt (g)",
}
# By the area of the dough; what it costs grows more slowly.
_PORTIONS = {
    Size.SMALL: Decimal("1.0"),
    Size.MEDIUM: Decimal("1.4"),
    Size.LARGE: Decimal("1.8"),
}


def scaled(amount: Decimal | None, fact: str, size: Size) -> Decimal | None:
    """Say how much of it is in a size; kcal are whole, grams have one decimal."""
    if amount is None:
        return None
    finest = Decimal(1) if fact == "kcal" else Decimal("0.1")
    return (amount * _PORTIONS[size]).quantize(finest, rounding=ROUND_HALF_UP)
