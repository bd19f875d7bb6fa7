"""Many sessions at once: what the load test measures, here only whether it is right."""

import asyncio
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.sessions.backends.base import UpdateError
from django.test import override_settings

from sessions_backend import failover, operators
from sessions_backend.engine import SessionStore
from tests.servers import Valkey, wait_until
from tests.sessions_backend.conftest import caches_with

KEY = "mario_session:"
SESSIONS = 300
WRITERS = 16
CHANGES = 50
# Beside the writers': the listener's, and the test's own.
OTHER_CONNECTIONS = 4


def filled(count):
    sessions = []
    for number in range(count):
        session = SessionStore()
        session["owner"] = number
        session["visits"] = {}
        session.save()
        sessions.append(session.session_key)
    return sessions


def as_planned(sessions):
    """Say which session each writer changes when; the same ones meet often."""
    pick = random.Random(4)  # noqa: S311  # no secret
    few = sessions[: len(sessions) // 10]
    return [
        [pick.choice(few if turn % 2 else sessions) for turn in range(CHANGES)]
        for _ in range(WRITERS)
    ]


def check(sessions, plans):
    expected = Counter(session for plan in plans for session in plan)
    for number, session_key in enumerate(sessions):
        session = SessionStore(session_key)
        assert session["owner"] == number
        assert len(session["visits"]) == expected[session_key]


def test_concurrent_sessions_keep_every_change(redis_client):
    sessions = filled(SESSIONS)
    plans = as_planned(sessions)

    def write(writer):
        for turn, session_key in enumerate(plans[writer]):
            session = SessionStore(session_key)
            session["visits"][f"{writer}-{turn}"] = True
            session.save()

    before = redis_client.info("stats")["total_commands_processed"]
    # Other tests of this process may have left some.
    had = len(redis_client.client_list())
    with ThreadPoolExecutor(WRITERS) as threads:
        list(threads.map(write, range(WRITERS)))
        connections = len(redis_client.client_list())
    commands = redis_client.info("stats")["total_commands_processed"] - before

    check(sessions, plans)
    assert connections - had <= WRITERS + OTHER_CONNECTIONS
    # GET, TTL and SET; what is more, a writer that was faster has caused.
    assert commands < 6 * WRITERS * CHANGES


def test_concurrent_sessions_keep_every_change_in_an_event_loop():
    sessions = filled(SESSIONS)
    plans = as_planned(sessions)

    async def write(writer):
        for turn, session_key in enumerate(plans[writer]):
            session = SessionStore(session_key)
            visits: Any = await session.aget("visits")
            visits[f"{writer}-{turn}"] = True
            await session.asave()

    async def write_all():
        await asyncio.gather(*(write(writer) for writer in range(WRITERS)))

    asyncio.run(write_all())

    check(sessions, plans)


class TestAFullRedis:
    """With the policy of the shop's Redis: allkeys-lru."""

    @pytest.fixture
    def full(self, tmp_path):
        policy = ("--maxmemory", "6mb", "--maxmemory-policy", "allkeys-lru")
        with (
            Valkey(tmp_path, *policy) as server,
            override_settings(CACHES=caches_with(server.url)),
        ):
            yield server
            failover.reset()

    def test_ends_sessions_that_were_used_least_and_refuses_none(self, full):
        busy = SessionStore()
        busy["_auth_user_id"] = "peach"
        busy["cart"] = {"a": 1}
        busy.save()
        others = []

        with full.client() as client:
            while client.info("memory")["used_memory"] < 5_500_000:
                others.append(luigis_session())
            # Redis counts in whole seconds who was used when.
            wait_until(lambda: client.object("idletime", KEY + others[0]) >= 2)
            assert SessionStore(busy.session_key)["cart"] == {"a": 1}
            while client.info("stats")["evicted_keys"] < 100:
                others.append(luigis_session())
                assert SessionStore(busy.session_key)["cart"] == {"a": 1}
            present = set(client.keys(f"{KEY}*"))

        gone = [other for other in others if KEY + other not in present]
        assert gone
        # Ended, as by a logout: empty, not brought back, and no error.
        ended = SessionStore(gone[0])
        assert "filler" not in ended
        assert ended.is_empty()
        assert ended.session_key is None
        with pytest.raises(UpdateError):
            ended_meanwhile(gone[1]).save()
        # The list of a user names only those that are there.
        alive = {found.name for found in operators.of_user("luigi")}
        assert alive <= {key.removeprefix(KEY) for key in present}


def luigis_session():
    session = SessionStore()
    session.update({"_auth_user_id": "luigi", "filler": "x" * 8_000})
    session.save()
    return session.session_key


def ended_meanwhile(session_key):
    """Return a session as a slow request holds it that has loaded it before."""
    session = SessionStore(session_key)
    session._session_cache = {"_auth_user_id": "luigi"}
    session._raw = b'{"_auth_user_id":"luigi"}'
    session["late"] = True
    return session
