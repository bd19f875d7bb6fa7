"""What an open page is told: that something changed, and what; never how it looks."""

from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.crypto import salted_hmac

from pizzeria.events.services import Event
from pizzeria.live.feeds import topics_of
from pizzeria.live.publisher import Message, publisher
from pizzeria.orders.models import Order

CHANGE = "change"
SESSION_ENDED = "session-ended"


def tell_the_pages(event: Event, **_: object) -> None:
    """
    Tell the open pages after the commit.

    The database stays the source of truth: a page that misses this looks by itself
    after a minute.
    """
    topics = topics_of(event)
    if not topics or not settings.LIVE_REDIS_URL:
        return
    message = Message(
        event=CHANGE, topics=topics, data={"type": str(event.type), **_about(event)}
    )
    transaction.on_commit(lambda: publisher.publish(message), robust=True)


def close_streams_of_session(name: str) -> None:
    """
    Close every stream that was opened with this session, in all processes.

    Called when a session ends; until it arrives, a stream lives as long as the next
    look at its permission takes.
    """
    if settings.LIVE_REDIS_URL:
        publisher.publish(
            Message(
                event=SESSION_ENDED,
                topics=frozenset(),
                data={"session": handle_of_session(name)},
            )
        )


def handle_of_session(name: str) -> str:
    """Say a session without saying its id, which opens it."""
    return salted_hmac("pizzeria.live", name, algorithm="sha256").hexdigest()[:32]


def _about(event: Event) -> dict[str, Any]:
    if isinstance(event.about, Order):
        return {"order": event.about.pk, "status": str(event.about.status)}
    return {"subject": event.subject}
