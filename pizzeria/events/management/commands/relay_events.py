import signal
import threading
from argparse import ArgumentParser
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, close_old_connections

from pizzeria.events.backlog import backlog
from pizzeria.events.relay import Relay, Round, pause_after
from pizzeria.events.sink import Sink

_IDLE_SECONDS = 1.0


class Command(BaseCommand):
    help = "Send what happened in the shop to CLOUD_EVENT_SINK; one relay at a time."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--once",
            action="store_true",
            help="Send what is due, and end; fails if something is left.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.EVENT_SINK:
            raise CommandError("CLOUD_EVENT_SINK is not set: there is nobody to tell.")
        relay = Relay(Sink(settings.EVENT_SINK))
        if options["once"]:
            self._run_once(relay)
        else:
            self._run(relay)

    def _run_once(self, relay: Relay) -> None:
        try:
            while not (done := relay.run_once()).was_idle:
                self.stdout.write(f"Sent {done.sent}, refused {done.refused}.")
                if done.is_sink_away:
                    break
        finally:
            relay.stop()
        if done.is_somebody_elses:
            raise CommandError("Another relay is sending.")
        left = backlog()
        if left.waiting:
            raise CommandError(
                f"{left.waiting} events wait, the oldest for "
                f"{left.oldest_seconds:.0f} s."
            )

    def _run(self, relay: Relay) -> None:
        stop = threading.Event()

        def ask_to_stop(number: int, frame: FrameType | None) -> None:
            stop.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, ask_to_stop)
        failures = 0
        while not stop.is_set():
            done = self._try(relay, stop)
            failures = failures + 1 if done is None or done.is_sink_away else 0
            if failures:
                stop.wait(pause_after(min(failures, 6)).total_seconds())
            elif done is None or done.was_idle:
                relay.forget_old()
                stop.wait(_IDLE_SECONDS)
        relay.stop()

    def _try(self, relay: Relay, stop: threading.Event) -> Round | None:
        try:
            return relay.run_once(should_stop=stop.is_set)
        except DatabaseError as error:
            self.stderr.write(f"The database is away: {type(error).__name__}")
            return None
        finally:
            close_old_connections()
