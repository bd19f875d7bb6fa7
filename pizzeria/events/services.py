"""How an event gets into the outbox, and how one from outside gets in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Model

from pizzeria.events.models import OutboxEvent, ReceivedEvent
from pizzeria.events.signals import event_received, event_recorded
from pizzeria.events.types import EventType
from pizzeria.transactions import in_one_transaction


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened, as its receivers inside the shop see it."""

    type: EventType
    subject: str
    data: Mapping[str, Any]
    occurred_at: datetime
    # The row that it happened to, for receivers that know what to do with it.
    about: Model | None = None


def record(
    *,
    event_type: EventType,
    subject: object,
    data: Mapping[str, Any],
    occurred_at: datetime,
    about: Model | None = None,
) -> None:
    """Remember that one thing happened; see `record_all`."""
    event = Event(
        type=event_type,
        subject=str(subject),
        data=data,
        occurred_at=occurred_at,
        about=about,
    )
    record_all([event])


def record_all(events: Sequence[Event]) -> None:
    """
    Remember what happened, in the transaction in which it does.

    It leaves the shop after the commit, and not at all if there is none. Without a
    sink nothing is kept for one; receivers inside the shop hear of it all the same.

    :raises RuntimeError: if there is no transaction that it could be part of
    """
    if not connection.in_atomic_block:
        raise RuntimeError("An event is recorded outside of a transaction.")
    if settings.EVENT_SINK:
        OutboxEvent.objects.bulk_create([_for_the_sink(event) for event in events])
    for event in events:
        event_recorded.send(sender=EventType, event=event)


def forget(*, kind: str, subject: object) -> None:
    """Let the outbox hold nothing more of it, sent or not."""
    OutboxEvent.objects.filter(aggregate=f"{kind}:{subject}").delete()


@in_one_transaction
def receive(
    *,
    source: str,
    event_id: str,
    sender: User,
    received_at: datetime,
    attributes: Mapping[str, Any],
) -> bool:
    """
    Take an event that another system sent; False if it was here before.

    Whoever sends it again, or at the same moment, changes nothing.
    """
    event, is_new = ReceivedEvent.objects.get_or_create(
        source=source,
        event_id=event_id,
        defaults={
            **attributes,
            "received_at": received_at,
            "received_from": sender,
        },
    )
    if is_new:
        event_received.send(sender=ReceivedEvent, event=event)
    return is_new


def _for_the_sink(event: Event) -> OutboxEvent:
    return OutboxEvent(
        event_id=uuid4().hex,
        source=settings.EVENT_SOURCE,
        type=f"{settings.EVENT_TYPE_PREFIX}.{event.type}",
        subject=event.subject,
        aggregate=f"{event.type.kind}:{event.subject}",
        data={**event.data, "aggregate_id": event.subject},
        occurred_at=event.occurred_at,
    )
