"""
Three Sentinels, a primary and a replica, and three workers under load (row 34).

All of them reach the first primary through a proxy, which can part the servers from
each other and leave the workers where they are: a split brain.
"""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from tests.faults.load import Load
from tests.faults.network import Proxy
from tests.faults.site import BUDGET, WORKERS, Site
from tests.faults.stage import Stage
from tests.servers import Valkey
from tests.sessions_backend.servers.kinds import RedisServer, Sentinel, wait_until

# From the death of a primary to the last worker that writes to another: a second until
# it is missed, the election, and what the engine takes.
OUTAGE_SECONDS = 30
# What a primary has answered and may not have passed on yet.
_UNREPLICATED_SECONDS = 0.3


@dataclass
class Watched:
    stage: Stage
    primary: RedisServer
    replica: RedisServer
    sentinels: list[Sentinel]

    def has_failed_over(self) -> bool:
        """Whether every Sentinel names the replica, and it serves."""
        ask_for = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "shop")
        named = {int(sentinel.ask(*ask_for)[1]) for sentinel in self.sentinels}
        is_primary = self.replica.ask("ROLE")[0] == b"master"
        return is_primary and named == {self.replica.port}

    def has_joined(self) -> bool:
        """Whether the former primary follows the new one."""
        return bool(self.primary.ask("ROLE")[0] == b"slave")


def _knows_all(sentinel: Sentinel) -> bool:
    (state,) = sentinel.ask("SENTINEL", "MASTERS")
    replicas = sentinel.ask("SENTINEL", "REPLICAS", "shop")
    return bool(
        state[b"num-other-sentinels"] == b"2"
        and replicas
        and replicas[0][b"master-link-status"] == b"ok"
    )


@pytest.fixture
def watched(tmp_path) -> Iterator[Watched]:
    with ExitStack() as stack:
        at_once = ("--repl-diskless-sync-delay", "0", "--repl-timeout", "5")
        primary = RedisServer(Valkey.program, tmp_path / "primary", *at_once)
        stack.enter_context(primary)
        proxy = stack.enter_context(Proxy(primary.port))
        replica_of = ("--replicaof", f"127.0.0.1 {proxy.port}")
        replica = RedisServer(Valkey.program, tmp_path / "replica", *replica_of)
        stack.enter_context(replica)
        wait_until(lambda: primary.ask("ROLE")[2] != [])
        sentinels = [
            Sentinel(tmp_path / f"sentinel{number}", primary, port=proxy.port, quorum=2)
            for number in range(3)
        ]
        for sentinel in sentinels:
            stack.enter_context(sentinel)
        wait_until(lambda: all(map(_knows_all, sentinels)), seconds=60)
        options = {
            "CONNECTION_FACTORY": "django_redis.pool.SentinelConnectionFactory",
            "SENTINELS": [("127.0.0.1", sentinel.port) for sentinel in sentinels],
        }
        site = Site(
            tmp_path / "site",
            "redis://shop/0",
            FAULTS_REDIS_OPTIONS=json.dumps(options),
        )
        stack.enter_context(site)
        yield Watched(Stage(site, proxy, primary), primary, replica, sentinels)


def _acknowledged(load: Load, begin: float, end: float) -> dict[str, set[str]]:
    kept: dict[str, set[str]] = {person.name: set() for person in load.people}
    for event in load.history.events:
        is_then = begin < event.answer.began < end
        if event.entry and event.answer.status == 200 and is_then:
            kept[event.person.name].add(event.entry)
    return kept


def test_a_failover_is_not_felt(watched):
    stage = watched.stage
    people, told = stage.people(), stage.site.metrics()

    with Load(stage.site, people) as load:
        time.sleep(1)
        killed = time.monotonic()
        watched.primary.stop()
        wait_until(watched.has_failed_over, seconds=OUTAGE_SECONDS)
        stage.check_recovered(time.monotonic())
        assert time.monotonic() - killed < OUTAGE_SECONDS
        time.sleep(0.5)

    stage.check_load(load, budget=BUDGET)
    before = _acknowledged(load, 0, killed - _UNREPLICATED_SECONDS)
    after = _acknowledged(load, killed, time.monotonic())
    for person in people:
        assert after[person.name]
        person.entries = before[person.name] | after[person.name]
    stage.check_nothing_was_lost(people)
    stage.check_told(told, outages=WORKERS, returns=WORKERS)
    lines = [line for _, _, line in stage.site.log() if line.startswith("Another serv")]
    assert len(lines) >= WORKERS
    for person in people:
        assert watched.replica.ask("EXISTS", f"session:{person.cookie}") == 1


def test_what_a_split_brain_has_cost_is_counted(watched):
    """The old primary takes writes that nobody copies; they are lost when it joins."""
    stage = watched.stage
    people, told = stage.people(), stage.site.metrics()
    watched.primary.ask("WAIT", 1, 5000)

    with Load(stage.site, people) as load:
        stage.proxy.part_servers()
        wait_until(watched.has_failed_over, seconds=OUTAGE_SECONDS)
        assert not watched.has_joined()
        for person in people:
            path = "/write?entry=taken-by-the-old-one"
            answer = stage.site.get(path, person.cookie, pid=stage.site.pids[0])
            assert answer.status == 200
        stage.proxy.heal()
        wait_until(watched.has_joined, seconds=OUTAGE_SECONDS)
        wait_until(
            lambda: stage.site.metrics().count("possibly_lost_writes") >= len(people),
            seconds=20,
        )
        stage.check_recovered(time.monotonic() + 5)
        joined = time.monotonic()
        time.sleep(1)

    # Items are lost, and sessions are not.
    stage.check_load(load, budget=BUDGET)
    after = _acknowledged(load, joined, time.monotonic())
    for person in people:
        person.entries = after[person.name]
    stage.check_nothing_was_lost(people)
    stage.check_told(told, possibly_lost_writes=len(people))
    warned = [
        line
        for _, level, line in stage.site.log()
        if level == "WARNING" and line.startswith("Another server is Redis now")
    ]
    assert warned


def test_a_primary_that_is_alone_takes_no_writes_that_could_be_lost(watched):
    """`min-replicas-to-write`: they wait in the journals, and reach the new primary."""
    stage = watched.stage
    watched.primary.ask("CONFIG", "SET", "min-replicas-to-write", "1")
    watched.primary.ask("CONFIG", "SET", "min-replicas-max-lag", "1")
    people, told = stage.people(), stage.site.metrics()

    with Load(stage.site, people) as load:
        time.sleep(0.5)
        stage.proxy.part_servers()
        parted = time.monotonic()
        wait_until(
            lambda: stage.site.metrics().count("refusals_of_writes") >= WORKERS,
            seconds=OUTAGE_SECONDS,
        )
        refused = time.monotonic()
        wait_until(watched.has_failed_over, seconds=OUTAGE_SECONDS)
        stage.proxy.heal()
        wait_until(watched.has_joined, seconds=OUTAGE_SECONDS)
        stage.check_recovered(time.monotonic() + 5)
        time.sleep(0.5)

    stage.check_load(load, budget=BUDGET)
    before = _acknowledged(load, 0, parted - _UNREPLICATED_SECONDS)
    after = _acknowledged(load, refused, time.monotonic())
    for person in people:
        assert after[person.name]
        person.entries = before[person.name] | after[person.name]
    stage.check_nothing_was_lost(people)
    stage.check_told(told, refusals_of_writes=WORKERS)
