from argparse import ArgumentParser, Namespace
from typing import Any

from django.core.management.base import BaseCommand

from mario.demo import launcher, options


class Command(BaseCommand):
    """
    Make `demo` known to Django; `manage.py` hands it to the launcher directly.

    The launcher makes the environment that Django's settings need, so it has to
    come before them.
    """

    help = "Start Valkey, a login realm and the shop on this machine, or --status."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        options.add_arguments(parser)

    def handle(self, *args: Any, **chosen: Any) -> None:
        if code := launcher.run(Namespace(**chosen)):
            raise SystemExit(code)
