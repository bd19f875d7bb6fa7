"""
Eight writers of one session at the same instant: threads, processes, an event loop.

Each trial records what was acknowledged and what was ended. No acknowledged entry may
be missing afterwards, and nothing that was ended may be there.

HISTORY_TRIALS=60 is enough while one works on it.
"""

import asyncio
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
from django.contrib.sessions.backends.base import UpdateError
from django.test import override_settings

from sessions_backend.engine import SessionStore
from tests.sessions_backend.engine_process import EngineProcess

TRIALS = int(os.environ.get("HISTORY_TRIALS", "1000"))
PREFIX = "session:"
# Until then every writer has loaded the session.
_READY_SECONDS = 0.015

type Writer = Callable[[float, str, str], str]


@pytest.fixture(autouse=True)
def _as_the_processes() -> Iterator[None]:
    with override_settings(SESSION_REDIS_KEY_PREFIX=PREFIX, SESSION_ABSOLUTE_AGE=None):
        yield


@pytest.fixture
def writers(valkey) -> Iterator[Sequence[Writer]]:
    """Three threads, three processes and two tasks of an event loop each."""
    with ExitStack() as stack:
        processes = [stack.enter_context(EngineProcess(valkey.url)) for _ in range(3)]
        by_process = [
            lambda moment, key, name, process=process: process.ask(
                "add_at", moment, key, name
            )
            for process in processes
        ]
        yield [by_thread] * 3 + by_process + [in_an_event_loop] * 2


def by_thread(moment: float, key: str, name: str) -> str:
    session = SessionStore(key)
    if "cart" not in session:
        return "gone"
    session["cart"][name] = 1
    time.sleep(max(0.0, moment - time.time()))
    return acknowledged(session.save)


def in_an_event_loop(moment: float, key: str, name: str) -> str:
    async def write() -> str:
        session = SessionStore(key)
        cart = await session.aget("cart")
        if cart is None:
            return "gone"
        cart[name] = 1
        await asyncio.sleep(max(0.0, moment - time.time()))
        try:
            await session.asave()
        except UpdateError:
            return "UpdateError"
        return "added"

    return asyncio.run(write())


def acknowledged(act: Callable[[], None]) -> str:
    try:
        act()
    except UpdateError:
        return "UpdateError"
    return "added"


def a_session() -> SessionStore:
    session = SessionStore()
    session["cart"] = {}
    session.save()
    return session


def at_once(
    writers: Sequence[Writer], key: str | None, act: Callable[[], None] | None = None
) -> set[str]:
    """Let all write, and one act, at the same instant; return what was acknowledged."""
    moment = time.time() + _READY_SECONDS

    def then_act() -> None:
        time.sleep(max(0.0, moment - time.time()))
        if act is not None:
            act()

    with ThreadPoolExecutor(len(writers) + 1) as pool:
        acting = pool.submit(then_act)
        names = [f"entry-{number}" for number in range(len(writers))]
        answers = pool.map(
            lambda writer, name: writer(moment, key, name), writers, names
        )
        kept = {
            name
            for name, answer in zip(names, answers, strict=True)
            if answer == "added"
        }
        acting.result()
    return kept


def records(redis_client) -> dict[str, Any]:
    return {
        key: json.loads(redis_client.get(key))
        for key in redis_client.keys(f"{PREFIX}*")
    }


def test_no_update_is_lost(writers, redis_client):
    for _ in range(TRIALS):
        session = a_session()

        kept = at_once(writers, session.session_key)

        assert len(kept) == len(writers)
        (record,) = records(redis_client).values()
        assert record["cart"].keys() == kept
        session.delete()


def test_no_deleted_session_comes_back(writers, redis_client):
    for _ in range(TRIALS):
        session = a_session()

        at_once(writers, session.session_key, session.delete)

        assert records(redis_client) == {}


def test_a_rotation_loses_no_update_and_ends_the_old_id(writers, redis_client):
    for _ in range(TRIALS):
        session = a_session()
        former = session.session_key

        kept = at_once(writers, former, session.cycle_key)

        assert len(kept) == len(writers)
        ((key, record),) = records(redis_client).items()
        assert key == f"{PREFIX}{session.session_key}"
        assert session.session_key != former
        assert record["cart"].keys() == kept
        session.delete()
