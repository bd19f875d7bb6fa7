"""The one price engine: menu, cart, order and bill all ask here."""

from decimal import ROUND_HALF_UP, Decimal

from django.db import models

TOPPING_PRICE = Decimal("2.50")
CENT = Decimal("0.01")


class Size(models.TextChoices):
    SMALL = "small", "Small"
    MEDIUM = "medium", "Medium"
    LARGE = "large", "Large"


SIZE_FACTORS = {
    Size.SMALL: Decimal("1.0"),
    Size.MEDIUM: Decimal("1.3"),
    Size.LARGE: Decimal("1.6"),
}


def unit_price(base_price: Decimal, size: Size, extra_toppings: int = 0) -> Decimal:
    """
    Price one pizza: its base by its size, and each topping beyond its own.

    Rounded half up to the cent here, once, so that a bill is the sum of what the
    menu says.
    """
    price = base_price * SIZE_FACTORS[size] + TOPPING_PRICE * extra_toppings
    return price.quantize(CENT, rounding=ROUND_HALF_UP)


def discount(
    subtotal: Decimal, *, percent: Decimal = Decimal(0), amount: Decimal = Decimal(0)
) -> Decimal:
    """
    Say what a voucher takes off a bill, which stays a bill: a cent is left.

    Rounded half up to the cent here, once.
    """
    wanted = subtotal * percent / 100 + amount
    rounded = wanted.quantize(CENT, rounding=ROUND_HALF_UP)
    return max(min(rounded, subtotal - CENT), Decimal("0.00"))


def vat_contained(total: Decimal, *, percent: Decimal) -> Decimal:
    """
    Say how much of a bill is tax, which prices contain.

    Rounded half up to the cent here, once, of the whole bill and not of its lines.
    """
    vat = total * percent / (100 + percent)
    return vat.quantize(CENT, rounding=ROUND_HALF_UP)
