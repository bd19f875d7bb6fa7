from datetime import datetime

from django.conf import settings
from django.contrib.auth.models import User
from django.db import models

from pizzeria.orders.models import Order


class Kind(models.TextChoices):
    COOKING_STARTED = "order_cooking_started", "In the oven"
    READY = "order_ready", "Ready"
    ON_ITS_WAY = "order_on_its_way", "On its way"
    RETURNED = "order_returned", "Brought back"
    DELIVERED = "order_delivered", "Delivered"
    CANCELLED = "order_cancelled", "Cancelled"
    REFUNDED = "order_refunded", "Money given back"
    ALERT = "alert", "Alert"
    GENERAL = "general", "General"


class NotificationQuerySet(models.QuerySet["Notification"]):
    def of(self, person: User) -> "NotificationQuerySet":
        return self.filter(recipient=person)

    def kept(self) -> "NotificationQuerySet":
        return self.filter(dismissed_at=None)

    def unread(self) -> "NotificationQuerySet":
        return self.filter(read_at=None, dismissed_at=None)

    def mail_due(self, now: datetime) -> "NotificationQuerySet":
        return self.filter(mail_due_at__lte=now)


class Notification(models.Model):
    """Something that one person is told; made by what happens to their orders."""

    recipient = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="notifications"
    )
    kind = models.CharField(max_length=30, choices=Kind, default=Kind.GENERAL)
    title = models.CharField(max_length=100)
    message = models.CharField(max_length=400)
    order = models.ForeignKey(Order, models.CASCADE, null=True, related_name="+")
    created_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True, blank=True)
    dismissed_at = models.DateTimeField(null=True, blank=True)
    mail_due_at = models.DateTimeField(
        null=True, blank=True, help_text="When it is to be sent; empty: not, or done."
    )
    mailed_at = models.DateTimeField(null=True, blank=True)

    objects = NotificationQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(
                fields=["recipient", "-created_at", "-id"],
                name="notification_list",
                condition=models.Q(dismissed_at=None),
            ),
            models.Index(
                fields=["recipient"],
                name="notification_unread",
                condition=models.Q(read_at=None, dismissed_at=None),
            ),
            models.Index(
                fields=["mail_due_at"],
                name="notification_mail_due",
                condition=models.Q(mail_due_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def is_unread(self) -> bool:
        return self.read_at is None
