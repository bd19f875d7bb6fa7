"""CloudEvents 1.0, in the structured mode of its HTTP binding."""

from datetime import UTC

from cloudevents.core.bindings.http import HTTPMessage, to_structured_event
from cloudevents.core.v1.event import CloudEvent

from pizzeria.events.models import OutboxEvent


def in_envelope(event: OutboxEvent) -> HTTPMessage:
    """Write the event as the message that leaves the shop."""
    return to_structured_event(
        CloudEvent(
            attributes={
                "id": event.event_id,
                "source": event.source,
                "type": event.type,
                "specversion": "1.0",
                "subject": event.subject,
                "time": event.occurred_at.astimezone(UTC),
                "datacontenttype": "application/json",
            },
            data=event.data,
        )
    )
