from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from pizzeria.events.backlog import backlog
from pizzeria.events.relay import Relay
from pizzeria.events.sink import Sink
from pizzeria.rounds import run_rounds


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
            run_rounds(
                lambda should_stop: relay.run_once(should_stop=should_stop),
                say=self.stderr.write,
                when_idle=relay.forget_old,
            )
            relay.stop()

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
