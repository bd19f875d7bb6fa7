"""
How often an engine is wrong: this one and Django's cache engine, side by side.

    python -m tests.performance.bench_mistakes [trials]

Lost updates: eight requests at once, each with a key of its own. Undone logouts: a
request that began before a logout and saves after it, and one that saves at the same
instant. And how long a read takes, and what it answers, while Redis hangs.
"""

import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.contrib.sessions.backends.base import UpdateError
from django.core.cache import caches

from tests.performance.bench_engine import configure
from tests.performance.report import chosen_rounds, say, server_version, versions
from tests.servers import Valkey

TRIALS = 200
WRITERS = 8
BUDGET_SECONDS = 0.25
Store = Callable[..., Any]


def new_session(store: Store) -> Any:
    session = store()
    session["user"] = "peach"
    session.save()
    return session


def at_once(threads: ThreadPoolExecutor, *steps: Callable[[], None]) -> None:
    """Start all steps at the same instant, and wait for their ends."""
    begin = threading.Barrier(len(steps))

    def run(step: Callable[[], None]) -> None:
        begin.wait(10)
        step()

    for running in [threads.submit(run, step) for step in steps]:
        running.result(60)


def lost_updates(store: Store, threads: ThreadPoolExecutor, trials: int) -> str:
    lost = 0
    for _ in range(trials):
        known = new_session(store).session_key

        def write(number: int, known: str = known) -> None:
            session = store(known)
            session[f"key {number}"] = number
            session.save()

        at_once(threads, *(lambda number=n: write(number) for n in range(WRITERS)))
        kept = sum(f"key {number}" in store(known) for number in range(WRITERS))
        lost += WRITERS - kept
    return f"{lost} of {trials * WRITERS}"


def undone_logouts(store: Store, trials: int) -> str:
    """Log out while a request is under way that saves afterwards."""
    undone = 0
    for _ in range(trials):
        known = new_session(store).session_key
        slow = store(known)
        slow["late"] = slow["user"]
        store(known).flush()
        save(slow)
        undone += store().exists(known)
    return f"{undone} of {trials}"


def raced_logouts(store: Store, threads: ThreadPoolExecutor, trials: int) -> str:
    """Log out at the instant in which another request saves."""
    undone = 0
    for _ in range(trials):
        known = new_session(store).session_key
        slow = store(known)
        slow["late"] = slow["user"]
        at_once(threads, lambda slow=slow: save(slow), store(known).flush)  # type: ignore[misc]
        undone += store().exists(known)
    return f"{undone} of {trials}"


def save(session: Any) -> None:
    # Raised when an engine notices that the session is gone.
    with suppress(UpdateError):
        session.save()


def read_while_it_hangs(store: Store, server: Valkey) -> str:
    known = new_session(store).session_key
    assert store(known)["user"] == "peach"
    server.pause()
    started = time.monotonic()
    try:
        answer = "the session" if store(known).get("user") else "nobody is logged in"
    except Exception as error:  # noqa: BLE001  # any is an answer
        answer = type(error).__name__
    finally:
        spent = time.monotonic() - started
        server.resume()
    return f"{answer}, {spent:.2f} s"


def main() -> None:
    trials = chosen_rounds(TRIALS)
    with (
        tempfile.TemporaryDirectory() as folder,
        Valkey(Path(folder)) as server,
        ThreadPoolExecutor(WRITERS) as threads,
    ):
        configure(server.url, {})
        from django.conf import settings  # noqa: PLC0415
        from django.contrib.sessions.backends.cache import (  # noqa: PLC0415
            SessionStore as DjangosStore,
        )

        from sessions_backend import failover  # noqa: PLC0415
        from sessions_backend.engine import SessionStore  # noqa: PLC0415

        say(versions(server_version(server)))
        say(f"{'':34} {'this engine':>22} {'Django cache engine':>28}")
        stores = (SessionStore, DjangosStore)
        rows: dict[str, Callable[[Store], str]] = {
            "lost updates, 8 writers": lambda store: lost_updates(
                store, threads, trials
            ),
            "logouts undone by a later save": lambda store: undone_logouts(
                store, trials
            ),
            "logouts undone by a save at once": lambda store: raced_logouts(
                store, threads, trials
            ),
        }
        for name, count in rows.items():
            ours, theirs = (count(store) for store in stores)
            say(f"{name:34} {ours:>22} {theirs:>28}")
        settings.SESSION_REDIS_BUDGET_MS = BUDGET_SECONDS * 1000
        failover.reset()
        ours, theirs = (read_while_it_hangs(store, server) for store in stores)
        say(f"{'a read while Redis hangs':34} {ours:>22} {theirs:>28}")
        failover.reset()
        caches.close_all()


if __name__ == "__main__":
    main()
