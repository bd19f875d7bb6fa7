"""Several serving processes, forked as a server's workers are."""

import os
import traceback

from sessions_backend.engine import SessionStore

WORKERS = 4
WRITES = 25


def in_workers(work):
    """Run `work(number)` in forked processes; return how many of them failed."""
    children = []
    for number in range(WORKERS):
        child = os.fork()
        if child == 0:
            try:
                work(number)
            except BaseException:  # noqa: BLE001  # nothing may get past the fork
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        children.append(child)
    return sum(os.waitpid(child, 0)[1] != 0 for child in children)


def test_workers_share_sessions_and_lose_no_update():
    session = SessionStore()
    session["cart"] = {}
    session.save()

    def write(number):
        for turn in range(WRITES):
            request = SessionStore(session.session_key)
            request["cart"][f"{number}-{turn}"] = turn
            request.save()

    assert in_workers(write) == 0

    assert len(SessionStore(session.session_key)["cart"]) == WORKERS * WRITES


def test_workers_reuse_the_connections_they_have(redis_client):
    SessionStore().exists("some-session-id")
    before = redis_client.info("stats")["total_connections_received"]

    def read(number):
        for _ in range(WRITES):
            SessionStore().exists("some-session-id")

    assert in_workers(read) == 0

    received = redis_client.info("stats")["total_connections_received"] - before
    assert received == WORKERS
