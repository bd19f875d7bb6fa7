from collections.abc import Collection
from datetime import date
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Lower
from django.urls import reverse
from django.utils import timezone

from pizzeria.menu import pricing
from pizzeria.menu.nutrition import FACTS, scaled
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


class Spice(models.IntegerChoices):
    MILD = 0, "Mild"
    WARM = 1, "A little hot"
    HOT = 2, "Hot"
    FIERY = 3, "Very hot"


class PizzaQuerySet(models.QuerySet["Pizza"]):
    def not_retired(self) -> "PizzaQuerySet":
        """What a cart may hold, also when its season is over meanwhile."""
        return self.filter(retired_at=None)

    def on_menu(self, day: date | None = None) -> "PizzaQuerySet":
        """What guests see on a day, or today; sold out or not."""
        day = day or timezone.localdate()
        return self.not_retired().exclude(
            models.Q(available_from__gt=day) | models.Q(available_until__lt=day)
        )


def _grams() -> "models.DecimalField[Any, Any]":
    return models.DecimalField(
        max_digits=5,
        decimal_places=1,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text="Grams in a small one.",
    )


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
    spice_level = models.PositiveSmallIntegerField(choices=Spice, default=Spice.MILD)
    kcal = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MaxValueValidator(9999)],
        help_text="Of a small one.",
    )
    fat = _grams()
    saturates = _grams()
    carbohydrate = _grams()
    sugars = _grams()
    protein = _grams()
    salt = _grams()
    available_from = models.DateField(
        null=True, blank=True, help_text="The first day of its season."
    )
    available_until = models.DateField(
        null=True, blank=True, help_text="The last day of its season."
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
            models.CheckConstraint(
                condition=models.Q(spice_level__in=Spice.values),
                name="pizza_spice_known",
            ),
            models.CheckConstraint(
                condition=models.Q(available_from=None)
                | models.Q(available_until=None)
                | models.Q(available_until__gte=models.F("available_from")),
                name="pizza_season_forwards",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("menu_pizza", args=[self.pk])

    def clean(self) -> None:
        """:raises ValidationError: if its season ends before it begins"""
        first, last = self.available_from, self.available_until
        if first and last and last < first:
            raise ValidationError(
                {"available_until": "The season ends before it begins."}
            )

    @property
    def as_seen(self) -> str:
        """Its number and its version, for a form that is sent later."""
        return f"{self.pk}:{self.version}"

    @property
    def is_retired(self) -> bool:
        return self.retired_at is not None

    @property
    def is_seasonal(self) -> bool:
        return bool(self.available_from or self.available_until)

    def is_in_season(self, day: date | None = None) -> bool:
        """Whether its season is on that day, or today in the restaurant's zone."""
        day = day or timezone.localdate()
        return (self.available_from or day) <= day <= (self.available_until or day)

    @property
    def is_on_sale(self) -> bool:
        """Whether it can be ordered today."""
        return self.is_available and not self.is_retired and self.is_in_season()

    @property
    def why_not(self) -> str:
        """Say in two words why it cannot be ordered today; nothing if it can."""
        if self.is_on_sale:
            return ""
        return "Sold out" if self.is_in_season() else "Out of season"

    @property
    def nutrition(self) -> dict[str, dict[str, Decimal | None]] | None:
        """Each size's numbers, as far as they are known; None without any."""
        known = {name: getattr(self, name) for name in FACTS}
        if not any(amount is not None for amount in known.values()):
            return None
        return {
            size.value: {name: scaled(known[name], name, size) for name in FACTS}
            for size in Size
        }

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
