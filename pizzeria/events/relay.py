"""
The relay: brings what is in the outbox to the sink, at least once and in order.

An event is marked after it was sent, so a relay that dies between the two sends it
again: with the same id and source, by which its receiver knows it.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import uuid4

from django.utils import timezone

from pizzeria.events import lease
from pizzeria.events.models import OutboxEvent
from pizzeria.events.sink import EventRefused, Sink, SinkAway
from pizzeria.rounds import Round, pause_after

logger = logging.getLogger(__name__)

BATCH = 100
# Tries that an event gets which the sink says it will never take, and one over which
# the sink breaks: with the pauses between them 1 minute, and more than an hour.
TRIES_WHEN_REFUSED = 5
TRIES_WHEN_IT_BREAKS = 20
KEPT_AFTER_SENDING = timedelta(days=30)
_DELETED_AT_ONCE = 1000


class Relay:
    def __init__(self, sink: Sink, *, clock: Callable[[], datetime] = timezone.now):
        self._sink = sink
        self._clock = clock
        self._name = uuid4().hex

    def run_once(self, *, should_stop: Callable[[], bool] = lambda: False) -> Round:
        """Send what is due, a batch at most."""
        done = Round()
        held_back: set[str] = set()
        if not lease.take(self._name, now=self._clock()):
            done.is_somebody_elses = True
            return done
        for event in OutboxEvent.objects.due(self._clock())[:BATCH]:
            if should_stop() or done.is_sink_away:
                break
            if event.aggregate in held_back:
                continue
            # Each time: a slow sink must not outlast the lease.
            if not lease.take(self._name, now=self._clock()):
                done.is_somebody_elses = True
                break
            if not self._send(event, done):
                held_back.add(event.aggregate)
        return done

    def stop(self) -> None:
        """Let the next relay begin at once."""
        lease.give_back(self._name)

    def forget_old(self) -> int:
        """Delete what was sent long ago, a part at a time."""
        old = OutboxEvent.objects.filter(
            sent_at__lt=self._clock() - KEPT_AFTER_SENDING
        ).values_list("pk", flat=True)[:_DELETED_AT_ONCE]
        deleted, _ = OutboxEvent.objects.filter(pk__in=list(old)).delete()
        return deleted

    def _send(self, event: OutboxEvent, done: Round) -> bool:
        try:
            self._sink.deliver(event)
        except SinkAway as error:
            logger.warning("The sink of events is away: %s", error)
            done.is_sink_away = True
            return False
        except EventRefused as refusal:
            self._note_refusal(event, refusal)
            done.refused += 1
            # A parked event holds nobody back.
            return event.parked_at is not None
        OutboxEvent.objects.filter(pk=event.pk).update(
            sent_at=self._clock(), tries=event.tries + 1, last_error=""
        )
        done.sent += 1
        return True

    def _note_refusal(self, event: OutboxEvent, refusal: EventRefused) -> None:
        now = self._clock()
        limit = TRIES_WHEN_REFUSED if refusal.is_final else TRIES_WHEN_IT_BREAKS
        event.tries += 1
        event.last_error = str(refusal)
        if event.tries >= limit:
            event.parked_at = now
            logger.error(
                "Event %s (%s) was parked after %s tries: %s",
                event.event_id,
                event.type,
                event.tries,
                refusal,
            )
        else:
            event.next_try_at = now + pause_after(event.tries)
        event.save(update_fields=["tries", "last_error", "parked_at", "next_try_at"])
