from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models

from pizzeria.orders.models import Order

DEFAULT_CAPACITY = 5
MAX_CAPACITY = 100


class Kitchen(models.Model):
    """The one kitchen: its row is what two cooks at the same moment queue for."""

    ONLY_ID = 1

    capacity = models.PositiveSmallIntegerField(
        default=DEFAULT_CAPACITY,
        validators=[MinValueValidator(1)],
        help_text="How many orders may be in the oven at the same time.",
    )

    class Meta:
        verbose_name_plural = "kitchen"
        constraints = [
            models.CheckConstraint(condition=models.Q(id=1), name="kitchen_only_one"),
            models.CheckConstraint(
                condition=models.Q(capacity__gte=1), name="kitchen_has_a_place"
            ),
        ]

    def __str__(self) -> str:
        return "The kitchen"

    @classmethod
    def the_one(cls) -> "Kitchen":
        """Return the kitchen, which has its default capacity until it is changed."""
        return cls.objects.filter(pk=cls.ONLY_ID).first() or cls(pk=cls.ONLY_ID)


class Assignment(models.Model):
    """Whose an order is in the kitchen; anybody who cooks may still start it."""

    order = models.OneToOneField(Order, models.CASCADE, related_name="assignment")
    cook = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="assignments"
    )
    assigned_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.order}: {self.cook}"
