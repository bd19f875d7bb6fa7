from collections.abc import Collection
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models.functions import Lower
from django.urls import reverse

from pizzeria.menu import pricing
from pizzeria.menu.pricing import Size
from pizzeria.menu.toppings import MEAT, TOPPINGS, Allergen, allergens_of
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


def validate_allergens(allergens: Any) -> None:
    """:raises ValidationError: if this is no list of different allergens"""
    if not isinstance(allergens, list) or not all(
        allergen in Allergen.values for allergen in allergens
    ):
        raise ValidationError("Allergens are a list of the fourteen known ones.")
    if len(set(allergens)) != len(allergens):
        raise ValidationError("An allergen is named twice.")


class Category(models.TextChoices):
    CLASSIC = "classic", "Classics"
    GARDEN = "garden", "From the garden"
    MEAT = "meat", "With meat"
    SPECIAL = "special", "Specials"


class PizzaQuerySet(models.QuerySet["Pizza"]):
    def on_menu(self) -> "PizzaQuerySet":
        """What guests see, sold out or not."""
        return self.filter(retired_at=None)


class Pizza(models.Model):
    """
    A pizza on the menu, in every size.

    One that was ordered is never deleted: it retires. Changes are made by
    `menu.services`, which keeps their history.
    """

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
    more_allergens = models.JSONField(
        default=list,
        blank=True,
        validators=[validate_allergens],
        help_text="Beyond what its base and toppings bring, such as in a sauce.",
    )
    category = models.CharField(
        max_length=10, choices=Category, default=Category.CLASSIC
    )
    is_available = models.BooleanField(
        default=True, help_text="Off: the menu shows it as sold out."
    )
    retired_at = models.DateTimeField(null=True, blank=True, editable=False)
    version = models.PositiveIntegerField(
        default=1, editable=False, help_text="Counts its changes."
    )

    objects = PizzaQuerySet.as_manager()

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
            models.CheckConstraint(
                condition=models.Q(category__in=Category.values),
                name="pizza_category_known",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("menu_pizza", args=[self.pk])

    @property
    def is_retired(self) -> bool:
        return self.retired_at is not None

    @property
    def is_vegetarian(self) -> bool:
        return not MEAT & set(self.toppings)

    @property
    def allergens(self) -> list[Allergen]:
        """What is in it as it comes, without extra toppings."""
        return allergens_of(self.toppings, self.more_allergens)

    @property
    def prices(self) -> dict[str, Decimal]:
        """The price of each size without extra toppings."""
        return {size.value: self.unit_price(size) for size in Size}

    def unit_price(self, size: Size, extra_toppings: Collection[str] = ()) -> Decimal:
        """Price one of these; a topping it has anyway costs nothing."""
        beyond_its_own = set(extra_toppings) - set(self.toppings)
        return pricing.unit_price(self.base_price, size, len(beyond_its_own))


class MenuChange(models.Model):
    """Who changed a pizza of the menu, when, and from what to what."""

    class Action(models.TextChoices):
        ADDED = "added", "put it on the menu"
        EDITED = "edited", "changed it"
        RETIRED = "retired", "took it off the menu"
        RESTORED = "restored", "brought it back"

    pizza = models.ForeignKey(Pizza, models.CASCADE, related_name="history")
    action = models.CharField(max_length=10, choices=Action)
    changes = models.JSONField(
        default=dict, help_text="Field: what it was, what it is."
    )
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    changed_by_name = models.CharField(max_length=310)
    changed_at = models.DateTimeField()

    class Meta:
        ordering = ["-changed_at", "-id"]
        indexes = [
            models.Index(fields=["pizza", "-changed_at", "-id"], name="menu_history")
        ]

    def __str__(self) -> str:
        return f"{self.changed_by_name} {self.get_action_display()}"
