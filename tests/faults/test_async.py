"""
The same outages in an event loop: sessions loaded and saved by coroutines.

Eight tasks ask as often as the workers do under load, each request with its budget.
"""

import asyncio
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.test import override_settings

from sessions_backend import budget, failover, health
from sessions_backend.engine import SessionStore
from sessions_backend.exceptions import StorageUnavailable
from tests.faults.network import Proxy
from tests.servers import Valkey, wait_until
from tests.sessions_backend.conftest import caches_with

_BUDGET = 0.25
_TASKS = 8
_PAUSE = 0.1
# Written at once, and left to the kernel, which outlives a killed server. One that
# synchronises waits for a disk that other tests keep busy, or loses what it has
# acknowledged.
_KEPT = (
    *("--appendonly", "yes", "--appendfsync", "no"),
    *("--enable-debug-command", "yes"),
)

FAULTS: dict[str, tuple[Callable[..., None], Callable[..., None]]] = {
    "2-refused": (lambda proxy, _: proxy.refuse(), lambda proxy, _: proxy.heal()),
    "2-killed": (lambda _, server: server.stop(), lambda _, server: server.start()),
    "3-black-hole": (lambda proxy, _: proxy.black_hole(), lambda p, _: p.heal()),
    "4-reset": (lambda p, _: p.reset_in_mid_reply(), lambda p, _: p.heal()),
    "5-truncated": (lambda proxy, _: proxy.truncate(), lambda proxy, _: proxy.heal()),
    "11-held": (lambda proxy, _: proxy.hold(), lambda proxy, _: proxy.heal()),
}


@dataclass
class Visitor:
    session_key: str
    name: str
    entries: set[str] = field(default_factory=set)


@dataclass
class Seen:
    waits: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    is_over: bool = False


@pytest.fixture
def served(tmp_path):
    server = Valkey(tmp_path / "valkey", *_KEPT)
    with (
        server,
        Proxy(server.port) as proxy,
        override_settings(
            CACHES=caches_with(f"redis://127.0.0.1:{proxy.port}/0"),
            SESSION_REDIS_BUDGET_MS=round(_BUDGET * 1000),
        ),
    ):
        failover.reset()
        failover.configure()
        yield proxy, server
        failover.reset()


async def _arrive() -> Visitor:
    session = SessionStore()
    name = secrets.token_hex(4)
    session.update({"owner": name, "entries": {}})
    await session.acreate()
    return Visitor(str(session.session_key), name)


async def _write(visitor: Visitor, seen: Seen) -> None:
    entry = secrets.token_hex(4)
    with budget.of_one_request() as spent:
        session = SessionStore(visitor.session_key)
        try:
            owner: Any = await session.aget("owner")
            entries: Any = await session.aget("entries")
            entries[entry] = 1
            await session.asave()
        except (StorageUnavailable, TypeError) as error:
            seen.failures.append(repr(error))
            return
        assert owner == visitor.name
    seen.waits.append(_BUDGET - spent.remaining)
    visitor.entries.add(entry)


async def _ask_steadily(visitors: list[Visitor], seen: Seen, number: int) -> None:
    turn = number
    while not seen.is_over:
        await _write(visitors[turn % len(visitors)], seen)
        turn += 1
        await asyncio.sleep(_PAUSE)


@pytest.mark.parametrize("fault", FAULTS)
def test_an_outage_is_not_felt_in_an_event_loop(served, fault):
    proxy, server = served
    begin, end = FAULTS[fault]
    seen = Seen()
    outages = health.counts().get("outages", 0)

    async def scenario() -> list[Visitor]:
        visitors = [await _arrive() for _ in range(_TASKS)]
        async with asyncio.TaskGroup() as tasks:
            for number in range(_TASKS):
                tasks.create_task(_ask_steadily(visitors, seen, number))
            await asyncio.sleep(0.4)
            await asyncio.to_thread(begin, proxy, server)
            await asyncio.sleep(1.5)
            assert failover.active_backend() is failover.Backend.LOCAL
            await asyncio.to_thread(end, proxy, server)
            healed = time.monotonic()
            await asyncio.to_thread(wait_until, lambda: not failover.is_degraded())
            # Two seconds, and what a busy machine adds.
            assert time.monotonic() - healed < 2 + 1
            await asyncio.sleep(0.3)
            seen.is_over = True
        return visitors

    visitors = asyncio.run(scenario())

    assert seen.failures == []
    assert len(seen.waits) > 2 * 50
    # One moment in which the machine does something else holds up all tasks of a loop.
    assert sorted(seen.waits)[int(len(seen.waits) * 0.95)] <= _BUDGET + 0.05
    assert health.counts()["outages"] > outages
    for visitor in visitors:
        held = SessionStore(visitor.session_key).load()
        assert held["owner"] == visitor.name
        assert visitor.entries <= held["entries"].keys()
