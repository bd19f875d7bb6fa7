from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from pizzeria.notifications.mail_server import MailServer
from pizzeria.notifications.mails import send_due
from pizzeria.notifications.models import Notification
from pizzeria.rounds import run_rounds


class Command(BaseCommand):
    help = "Send notifications as e-mails to who wants them, over MAIL_SERVER."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--once",
            action="store_true",
            help="Send what is due, and end; fails if something is left.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.MAIL_SERVER:
            raise CommandError("MAIL_SERVER is not set: nothing can be sent.")
        server = MailServer(settings.MAIL_SERVER)
        if not options["once"]:
            run_rounds(
                lambda should_stop: send_due(server, should_stop=should_stop),
                say=self.stderr.write,
            )
            return
        while not (done := send_due(server)).was_idle:
            self.stdout.write(f"Sent {done.sent}, refused {done.refused}.")
            if done.is_sink_away:
                break
        left = Notification.objects.mail_due(timezone.now()).count()
        if left:
            raise CommandError(f"{left} mails wait.")
