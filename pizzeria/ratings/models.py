from datetime import datetime, timedelta

from django.conf import settings
from django.db import models

from pizzeria.orders.models import Order
from pizzeria.orders.transitions import Status

MOST_STARS = 5
MAX_WORDS_LENGTH = 500
# Whoever was cross, or forgot something, sleeps on it.
CHANGEABLE_FOR = timedelta(days=1)


class Rating(models.Model):
    """What a customer thought of one order, and whose work that was."""

    order = models.OneToOneField(
        Order, models.CASCADE, primary_key=True, related_name="rating"
    )
    stars = models.PositiveSmallIntegerField()
    words = models.CharField(max_length=MAX_WORDS_LENGTH, blank=True)
    rated_at = models.DateTimeField()
    cook = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    driver = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )

    class Meta:
        ordering = ["-rated_at", "-order_id"]
        indexes = [
            # All that "how is each of them rated" asks.
            models.Index(
                fields=["rated_at", "cook", "driver", "stars"], name="rating_of_staff"
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(stars__range=(1, MOST_STARS)),
                name="rating_stars_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.stars} of {MOST_STARS} for order {self.order_id}"

    @classmethod
    def of(cls, order: Order) -> "Rating | None":
        return cls.objects.filter(order=order).first()

    def is_changeable(self, *, now: datetime) -> bool:
        return now - self.rated_at <= CHANGEABLE_FOR


def is_rateable(order: Order, rating: Rating | None, *, now: datetime) -> bool:
    """Whether its customer may say now what they thought of it."""
    if order.status != Status.DELIVERED:
        return False
    return rating is None or rating.is_changeable(now=now)
