#!/usr/bin/env python
"""Run a management command of Mario's Pizzeria."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mario.settings")
    if sys.argv[1:2] == ["demo"]:
        # It makes the environment that the settings of all others are read from.
        from mario.demo.launcher import main as demo  # noqa: PLC0415

        sys.exit(demo(sys.argv[2:]))
    from mario.env import load_or_exit  # noqa: PLC0415

    load_or_exit()
    from django.core.management import execute_from_command_line  # noqa: PLC0415

    try:
        execute_from_command_line(sys.argv)
    except BrokenPipeError:
        # `| head` has seen enough. Python would complain once more at its exit,
        # when it flushes what nobody reads.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


if __name__ == "__main__":
    main()
