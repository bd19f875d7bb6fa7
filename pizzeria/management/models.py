from datetime import date

from django.db import models


class ClosedDay(models.Model):
    """
    A day whose books are closed: its figures are in `Tally`, and its orders are over.

    Days are closed one after the other, so the last one tells how far tallies reach.
    """

    day = models.DateField(primary_key=True)
    closed_at = models.DateTimeField()

    class Meta:
        ordering = ["-day"]

    def __str__(self) -> str:
        return f"{self.day:%Y-%m-%d}"

    @classmethod
    def last(cls) -> date | None:
        last: date | None = cls.objects.aggregate(last=models.Max("day"))["last"]
        return last


class Kind(models.TextChoices):
    """What is counted of a day, and what the key of a row then is."""

    DAY = "day", "The whole day"
    HOUR = "hour", "An hour of the day, as 19"
    PIZZA = "pizza", "A pizza's name"
    COOK = "cook", "A cook's user id"
    DRIVER = "driver", "A driver's user id"
    REFUND = "refund", "What was given back on that day, whenever it was ordered"


class Tally(models.Model):
    """
    What a closed day came to, so that a year is read from hundreds of rows.

    Which order counts where is said in `tallies`, for open days and closed ones alike.
    """

    closed_day = models.ForeignKey(ClosedDay, models.CASCADE, db_column="day")
    kind = models.CharField(max_length=10, choices=Kind)
    key = models.CharField(max_length=100, blank=True)

    orders = models.PositiveIntegerField(default=0)
    cancelled = models.PositiveIntegerField(default=0)
    delivered = models.PositiveIntegerField(default=0)
    pizzas = models.PositiveIntegerField(default=0)
    revenue = models.DecimalField(max_digits=14, decimal_places=2, default=0)
    discounts = models.DecimalField(
        max_digits=14, decimal_places=2, default=0, help_text="By vouchers."
    )
    refunds = models.PositiveIntegerField(default=0)
    refunded = models.DecimalField(max_digits=14, decimal_places=2, default=0)
    timed = models.PositiveIntegerField(default=0, help_text="Orders with `seconds`.")
    seconds = models.PositiveBigIntegerField(default=0, help_text="Of all of those.")
    late = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name_plural = "tallies"
        permissions = [("view_figures", "Can see what the restaurant earns")]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "closed_day", "key"], name="tally_unique"
            )
        ]

    def __str__(self) -> str:
        return f"{self.closed_day_id} {self.kind} {self.key}"


class Alert(models.Model):
    """Something that managers were told of, so that they are told once."""

    key = models.CharField(max_length=60, primary_key=True)
    raised_at = models.DateTimeField()

    class Meta:
        ordering = ["-raised_at"]

    def __str__(self) -> str:
        return self.key
