from datetime import date
from decimal import Decimal
from typing import Any

from django.core.validators import MinValueValidator, RegexValidator
from django.db import models

from pizzeria.exceptions import VoucherRefused
from pizzeria.menu import pricing
from pizzeria.orders.transitions import Status

MAX_CODE_LENGTH = 30
CODE = r"[A-Z0-9-]{3,30}"
MAX_PERCENT = 100
_AT_LEAST_ONE = MinValueValidator(1)


def written(code: str) -> str:
    """Write a code as it is kept: people do not mind the case of letters."""
    return code.strip().upper()


class VoucherQuerySet(models.QuerySet["Voucher"]):
    def with_uses(self) -> Any:
        """Count the orders that each was taken off; a cancelled one gives it back."""
        is_sold = ~models.Q(orders__status=Status.CANCELLED)
        counted = self.annotate(uses=models.Count("orders", filter=is_sold))
        return counted.order_by("-is_active", "code")


class Voucher(models.Model):
    """
    A code that makes an order cheaper.

    It is switched off and never deleted: orders point to it. Its uses are the orders
    that do, so none is lost or counted twice.
    """

    class Kind(models.TextChoices):
        PERCENT = "percent", "Percent of the pizzas"
        AMOUNT = "amount", "Dollars"

    code = models.CharField(
        max_length=MAX_CODE_LENGTH,
        unique=True,
        validators=[
            RegexValidator(
                rf"\A{CODE}\Z", "A code is 3 to 30 letters, digits and hyphens."
            )
        ],
        error_messages={"unique": "There is a voucher of this code."},
    )
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.PERCENT)
    value = models.DecimalField(
        max_digits=6, decimal_places=2, validators=[MinValueValidator(pricing.CENT)]
    )
    minimum = models.DecimalField(
        max_digits=6,
        decimal_places=2,
        default=Decimal("0.00"),
        validators=[MinValueValidator(Decimal(0))],
        help_text="What the pizzas have to cost together.",
    )
    valid_from = models.DateField(null=True, blank=True)
    valid_until = models.DateField(
        null=True, blank=True, help_text="That day included."
    )
    most_uses = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[_AT_LEAST_ONE],
        help_text="Empty: any number.",
    )
    most_uses_each = models.PositiveIntegerField(
        null=True,
        blank=True,
        default=1,
        validators=[_AT_LEAST_ONE],
        help_text="By one customer. Empty: any number.",
    )
    is_active = models.BooleanField(default=True)

    objects = VoucherQuerySet.as_manager()

    class Meta:
        ordering = ["-is_active", "code"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(value__gt=0)
                & (~models.Q(kind="percent") | models.Q(value__lte=MAX_PERCENT)),
                name="voucher_value_sensible",
                violation_error_message="More than 100 percent cannot be taken off.",
            ),
            models.CheckConstraint(
                condition=models.Q(kind__in=["percent", "amount"]),
                name="voucher_kind_known",
            ),
            models.CheckConstraint(
                condition=models.Q(minimum__gte=0), name="voucher_minimum_not_negative"
            ),
            models.CheckConstraint(
                condition=models.Q(valid_from=None)
                | models.Q(valid_until=None)
                | models.Q(valid_until__gte=models.F("valid_from")),
                name="voucher_ends_after_it_begins",
                violation_error_message="The last day is before the first.",
            ),
        ]

    def __str__(self) -> str:
        return self.code

    @property
    def terms(self) -> str:
        """What it takes off, in a word."""
        if self.kind == self.Kind.PERCENT:
            return f"{self.value.normalize():f} %"
        return f"${self.value:.2f}"

    def discount(self, subtotal: Decimal) -> Decimal:
        """Say what it takes off pizzas of this sum."""
        if self.kind == self.Kind.PERCENT:
            return pricing.discount(subtotal, percent=self.value)
        return pricing.discount(subtotal, amount=self.value)

    def check_terms(self, subtotal: Decimal, *, day: date) -> None:
        """:raises VoucherRefused: if it is not for such an order on that day"""
        if not self.is_active:
            raise VoucherRefused.unknown(self.code)
        if self.valid_from and day < self.valid_from:
            raise VoucherRefused(
                "voucher_not_yet",
                f"{self.code} begins on {self.valid_from:%d %b %Y}.",
            )
        if self.valid_until and day > self.valid_until:
            raise VoucherRefused(
                "voucher_over", f"{self.code} ended on {self.valid_until:%d %b %Y}."
            )
        if subtotal < self.minimum:
            raise VoucherRefused(
                "voucher_minimum",
                f"{self.code} is for pizzas of ${self.minimum} and more; "
                f"${self.minimum - subtotal} is missing.",
                minimum=str(self.minimum),
            )
