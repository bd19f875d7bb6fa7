from collections.abc import Collection
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models.functions import Lower

from pizzeria.menu import pricing
from pizzeria.menu.pricing import Size
from pizzeria.menu.toppings import TOPPINGS
from pizzeria.text import refuse_control_characters


def validate_toppings(toppings: Any) -> None:
    """:raises ValidationError: if this is no list of different, known toppings"""
    if not isinstance(toppings, list) or not all(
        isinstance(topping, str) for topping in toppings
    ):
        raise ValidationError("Toppings are a list of names.")
    if unknown := sorted(set(toppings) - set(TOPPINGS)):
        raise ValidationError(f"Nobody here knows {', '.join(unknown)}.")
    if len(set(toppings)) != len(toppings):
        raise ValidationError("A topping is named twice.")


class Pizza(models.Model):
    """A pizza on the menu, in every size."""

    name = models.CharField(max_length=100, validators=[refuse_control_characters])
    description = models.TextField(
        max_length=500, blank=True, validators=[refuse_control_characters]
    )
    base_price = models.DecimalField(
        max_digits=6,
        decimal_places=2,
        validators=[MinValueValidator(pricing.CENT)],
        help_text="The price of a small one without extra toppings.",
    )
    toppings = models.JSONField(
        default=list, blank=True, validators=[validate_toppings]
    )
    is_available = models.BooleanField(
        default=True, help_text="Off: the menu shows it as sold out."
    )

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                Lower("name"),
                name="pizza_name_unique",
                violation_error_message="The menu has a pizza of this name.",
            ),
            models.CheckConstraint(
                condition=models.Q(base_price__gt=0), name="pizza_price_positive"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def prices(self) -> dict[str, Decimal]:
        """The price of each size without extra toppings."""
        return {size.value: self.unit_price(size) for size in Size}

    def unit_price(self, size: Size, extra_toppings: Collection[str] = ()) -> Decimal:
        """Price one of these; a topping it has anyway costs nothing."""
        beyond_its_own = set(extra_toppings) - set(self.toppings)
        return pricing.unit_price(self.base_price, size, len(beyond_its_own))
