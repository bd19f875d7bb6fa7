"""
The environment of a test run, made before Django reads its settings.

Loaded as a pytest plugin (`-p tests.environment`), once per process and so once
per xdist worker: each has a real Valkey and a database file of its own.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from tests.servers import Valkey

STATE = Path(tempfile.mkdtemp(prefix="mario-tests-"))
VALKEY = Valkey(STATE / "valkey")

os.environ.update(
    DJANGO_SETTINGS_MODULE="mario.settings",
    REDIS_URL=VALKEY.url,
    REDIS_ENABLED="true",
    REDIS_KEY_PREFIX="mario_session:",
    SESSION_TIMEOUT_HOURS="24",
    # A shared machine may pause a process for longer than 250 ms; the tests of the
    # budget itself set their own.
    SESSION_REDIS_BUDGET_MS="2000",
    KEYCLOAK_SERVER_URL="http://localhost:9",
    KEYCLOAK_PUBLIC_URL="http://localhost:9",
    # test_on_postgresql.py runs some of the tests there.
    DATABASE_URL=os.environ.get(
        "TESTS_DATABASE_URL", f"sqlite:///{STATE / 'pizzeria.sqlite3'}"
    ),
    SECRET_KEY="only-for-tests-" * 5,
    DEBUG="false",
    ALLOWED_HOSTS="localhost,127.0.0.1,testserver",
    APP_URL=os.environ.get("TESTS_APP_URL", "http://localhost:8080"),
    # Nobody listens there: events stay in the outbox.
    CLOUD_EVENT_SINK="http://localhost:9/",
    DEV_REALM="true",
    LOG_LEVEL="INFO",
    # Playwright's own loop runs in the thread of the tests.
    DJANGO_ALLOW_ASYNC_UNSAFE="true",
)

VALKEY.start()


@atexit.register
def _clean_up() -> None:
    VALKEY.stop()
    shutil.rmtree(STATE, ignore_errors=True)
