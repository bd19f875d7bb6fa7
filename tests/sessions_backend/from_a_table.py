"""
A project that moves from Django's table of sessions, in a process of its own.

Run as a program: `python from_a_table.py REDIS_URL`. Prints what became of it as JSON.
"""

import json
import sys
from io import StringIO
from typing import Any

import django
from django.conf import settings


def main(redis_url: str) -> None:
    settings.configure(
        SECRET_KEY="strange" * 8,
        INSTALLED_APPS=["django.contrib.sessions", "sessions_backend"],
        DATABASES={
            "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
        },
        CACHES={
            "default": {
                "BACKEND": "django_redis.cache.RedisCache",
                "LOCATION": redis_url,
            }
        },
        SESSION_ENGINE="sessions_backend.engine",
        USE_TZ=True,
    )
    django.setup()

    from django.contrib.sessions.models import Session  # noqa: PLC0415  # after setup
    from django.core.management import call_command  # noqa: PLC0415  # after setup

    from sessions_backend import operators  # noqa: PLC0415  # after setup

    call_command("migrate", verbosity=0)
    alive = _keep(600, cart={"a": 1})
    ended = _keep(-600, cart={"b": 1})
    damaged = _keep(600, cart={"c": 1})
    Session.objects.filter(pk=damaged).update(session_data="damaged")

    out, err = StringIO(), StringIO()
    words = ("import", "--from", "django.contrib.sessions.backends.db")
    call_command("sessions", *words, stdout=out, stderr=err)
    taken = operators.read(alive)
    assert taken is not None
    answer = {
        "said": out.getvalue().strip(),
        "record": taken.record,
        "seconds_left": taken.seconds_left,
        "others": [operators.read(key) for key in (ended, damaged)],
    }
    sys.stdout.write(json.dumps(answer))


def _keep(seconds: int, **held: Any) -> str:
    from django.contrib.sessions.backends.db import SessionStore  # noqa: PLC0415  # too

    session = SessionStore()
    session.update(held)
    session.set_expiry(seconds)
    session.save()
    return str(session.session_key)


if __name__ == "__main__":
    main(sys.argv[1])
