from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models


class EventEncoder(DjangoJSONEncoder):
    """Money as text, times in UTC."""

    def default(self, o: Any) -> Any:
        if isinstance(o, datetime):
            return o.astimezone(UTC).isoformat().replace("+00:00", "Z")
        return super().default(o)


class OutboxQuerySet(models.QuerySet["OutboxEvent"]):
    def pending(self) -> "OutboxQuerySet":
        return self.filter(sent_at=None, parked_at=None)

    def due(self, now: datetime) -> "OutboxQuerySet":
        """
        What may be sent now, oldest first.

        An event that waits for its next try holds back the later ones of the same
        aggregate, and nobody else's.
        """
        waits = models.Q(next_try_at__gt=now)
        held_back_by = (
            OutboxEvent.objects.pending()
            .filter(waits, aggregate=models.OuterRef("aggregate"))
            .filter(pk__lt=models.OuterRef("pk"))
        )
        return (
            self.pending()
            .exclude(waits)
            .exclude(models.Exists(held_back_by))
            .order_by("pk")
        )


class OutboxEvent(models.Model):
    """
    Something that happened and that the sink is to hear of.

    Written in the transaction of what happened, by `services.record` alone, and sent
    by the relay. Type and source are stored whole: an event that is sent twice is the
    same one, whatever the settings became meanwhile.
    """

    event_id = models.CharField(max_length=32, unique=True)
    source = models.CharField(max_length=200)
    type = models.CharField(max_length=120)
    subject = models.CharField(max_length=64)
    aggregate = models.CharField(
        max_length=80, help_text="Events of one aggregate are sent in order."
    )
    data = models.JSONField(encoder=EventEncoder)
    occurred_at = models.DateTimeField()

    tries = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    parked_at = models.DateTimeField(
        null=True, blank=True, help_text="When the relay gave up on it."
    )
    last_error = models.CharField(max_length=200, blank=True)

    objects = OutboxQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        indexes = [
            models.Index(
                fields=["aggregate", "id"],
                name="outbox_pending",
                condition=models.Q(sent_at=None, parked_at=None),
            ),
            models.Index(
                fields=["id"],
                name="outbox_oldest",
                condition=models.Q(sent_at=None, parked_at=None),
            ),
            models.Index(fields=["sent_at"], name="outbox_sent"),
        ]

    def __str__(self) -> str:
        return f"{self.type} of {self.subject}"


class RelayLease(models.Model):
    """The one row whose holder sends; it ends by itself if the holder does."""

    ONLY_ID = 1

    holder = models.CharField(max_length=32, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(id=1), name="relay_lease_only_one"
            ),
        ]

    def __str__(self) -> str:
        return "The relay's lease"


class ReceivedEvent(models.Model):
    """An event that another system sent, remembered so that it counts once."""

    source = models.CharField(max_length=200)
    event_id = models.CharField(max_length=200)
    type = models.CharField(max_length=200)
    subject = models.CharField(max_length=200, blank=True)
    data = models.JSONField(null=True, blank=True)
    time = models.DateTimeField(null=True, blank=True)
    received_at = models.DateTimeField()
    received_from = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )

    class Meta:
        ordering = ["-pk"]
        permissions = [("receive", "Can send events to the shop")]
        constraints = [
            models.UniqueConstraint(
                fields=["source", "event_id"], name="received_event_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} from {self.source}"
