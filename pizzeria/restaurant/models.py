from datetime import datetime, time
from decimal import Decimal
from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from pizzeria.restaurant.hours import Opening, Period, Weekday, opening_at

DEFAULT_EXPIRY_HOURS, MAX_EXPIRY_HOURS = 12, 168
NOTHING = Decimal("0.00")


class Restaurant(models.Model):
    """
    The one restaurant, and what it takes orders for.

    As it comes it is always open, delivers everywhere, and asks no minimum. It is
    changed by `restaurant.services`, which tells others.
    """

    ONLY_ID = 1

    hours = models.JSONField(
        default=list,
        blank=True,
        help_text="Periods of the week: `weekday`, `opens`, `closes`. None: always.",
    )
    delivery_minimum = models.DecimalField(
        max_digits=6,
        decimal_places=2,
        default=NOTHING,
        validators=[MinValueValidator(NOTHING)],
        help_text="What the pizzas of a delivery have to cost together.",
    )
    delivery_area = models.JSONField(
        default=list,
        blank=True,
        help_text="How postcodes begin to which it delivers. None: everywhere.",
    )

    asks_approval = models.BooleanField(
        default=False, help_text="Somebody looks at each order before the kitchen does."
    )
    pickup_expires_hours = models.PositiveSmallIntegerField(
        default=DEFAULT_EXPIRY_HOURS,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_EXPIRY_HOURS)],
        help_text="Ready for so long, and a pick-up counts as picked up.",
    )

    class Meta:
        verbose_name_plural = "restaurant"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(id=1), name="restaurant_only_one"
            ),
            models.CheckConstraint(
                condition=models.Q(delivery_minimum__gte=0),
                name="restaurant_minimum_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return "The restaurant"

    @classmethod
    def the_one(cls) -> "Restaurant":
        """Return the restaurant, without a rule until somebody makes one."""
        return cls.objects.filter(pk=cls.ONLY_ID).first() or cls(pk=cls.ONLY_ID)

    @property
    def periods(self) -> list[Period]:
        return [
            Period(
                Weekday(one["weekday"]),
                time.fromisoformat(one["opens"]),
                time.fromisoformat(one["closes"]),
            )
            for one in self.hours
        ]

    @property
    def week(self) -> list[tuple[str, list[Period]]]:
        """Each day's periods, for people; nothing if it never closes."""
        periods = self.periods
        return [
            (str(day.label), [one for one in periods if one.weekday == day])
            for day in Weekday
            if periods
        ]

    def opening_at(self, moment: datetime) -> Opening:
        return opening_at(self.periods, moment)


def stored(periods: list[Period]) -> list[dict[str, Any]]:
    """Write periods as the database holds them, in the order of the week."""
    days = list(Weekday)
    periods = sorted(periods, key=lambda one: (days.index(one.weekday), one.opens))
    return [
        {
            "weekday": one.weekday.value,
            "opens": f"{one.opens:%H:%M}",
            "closes": f"{one.closes:%H:%M}",
        }
        for one in periods
    ]
