"""A real Sentinel, a primary and a replica: the alias names the Sentinel alone."""

import time
from contextlib import ExitStack
from typing import NamedTuple

import pytest
import redis
from django.test import override_settings

from sessions_backend import failover
from sessions_backend.engine import SessionStore
from sessions_backend.exceptions import StorageUnavailable
from sessions_backend.stores.base import Stored
from tests.servers import Valkey, free_port
from tests.sessions_backend.conftest import caches_with
from tests.sessions_backend.servers.kinds import RedisServer, Sentinel, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("servers")]


class Watched(NamedTuple):
    primary: RedisServer
    replica: RedisServer
    sentinel: Sentinel


@pytest.fixture
def watched(tmp_path):
    with ExitStack() as stack:
        at_once = ("--repl-diskless-sync-delay", "0")
        primary = RedisServer(Valkey.program, tmp_path / "primary", *at_once)
        stack.enter_context(primary)
        replica_of = ("--replicaof", f"127.0.0.1 {primary.port}")
        replica = RedisServer(Valkey.program, tmp_path / "replica", *replica_of)
        stack.enter_context(replica)
        wait_until(lambda: _replicas_in_sync(primary) == 1)
        sentinel = stack.enter_context(Sentinel(tmp_path / "sentinel", primary))
        yield Watched(primary, replica, sentinel)


@pytest.fixture
def on_sentinel(watched):
    options = {
        "CONNECTION_FACTORY": "django_redis.pool.SentinelConnectionFactory",
        "SENTINELS": [("127.0.0.1", watched.sentinel.port)],
    }
    # A name of its own: django-redis keeps one pool for each URL.
    url = f"redis://shop/0?health_check_interval={free_port()}"
    with override_settings(
        CACHES=caches_with(url, **options), SESSION_REDIS_BUDGET_MS=500
    ):
        yield


@pytest.fixture
def session(on_sentinel, watched):
    session = SessionStore()
    session["pizzas"] = 1
    session.create()
    assert watched.primary.ask("WAIT", 1, 5000) == 1
    return session


def _replicas_in_sync(primary):
    return sum(state[2] != b"0" for state in primary.ask("ROLE")[2])


def _role(server):
    return server.ask("ROLE")[0]


def _can_fail_over(sentinel):
    # The Sentinel asks its servers every 10 s; until it has, no replica is good.
    found = sentinel.ask("SENTINEL", "REPLICAS", "shop")
    return bool(found) and found[0][b"master-link-status"] == b"ok"


def _record(server, session):
    return server.ask("GET", f"mario_session:{session.session_key}") or b""


def _eat(session_key):
    """Eat one more pizza; say how many there were, if that could be told."""
    session = SessionStore(session_key)
    session["pizzas"] = session["pizzas"] + 1
    session.save()
    return session["pizzas"]


def test_follows_a_failover_that_is_ordered(session, watched):
    wait_until(lambda: _can_fail_over(watched.sentinel))

    wait_until(lambda: _is_ordered(watched.sentinel), seconds=40)

    wait_until(lambda: _role(watched.primary) == b"slave")
    wait_until(lambda: _role(watched.replica) == b"master")
    assert _eat(session.session_key) == 2
    wait_until(lambda: not failover.is_degraded())
    stored = failover.store().load(f"mario_session:{session.session_key}")
    assert isinstance(stored, Stored)
    assert b'"pizzas":2' in watched.replica.ask(
        "GET", f"mario_session:{session.session_key}"
    )


def _is_ordered(sentinel):
    try:
        return sentinel.ask("SENTINEL", "FAILOVER", "shop")
    except redis.ResponseError:
        return False


def test_goes_on_while_the_primary_is_dead_and_loses_nothing(session, watched):
    """Every write that was answered is there in the end, on the new primary."""
    wait_until(lambda: _can_fail_over(watched.sentinel))
    watched.primary.stop()

    eaten, slowest, deadline = 1, 0.0, time.monotonic() + 40
    while _role(watched.replica) != b"master" or failover.is_degraded():
        assert time.monotonic() < deadline
        began = time.monotonic()
        eaten = _eat(session.session_key)
        slowest = max(slowest, time.monotonic() - began)
        time.sleep(0.05)

    assert eaten > 2
    # The budget, and what a busy machine adds.
    assert slowest < 2
    assert b'"pizzas":%d' % eaten in _record(watched.replica, session)


def test_a_sentinel_that_hangs_keeps_nobody_longer_than_the_budget(session, watched):
    watched.sentinel.pause()
    watched.primary.stop()

    began = time.monotonic()
    with pytest.raises(StorageUnavailable):
        SessionStore("x" * 40).load()

    assert time.monotonic() - began < 2
    assert SessionStore(session.session_key)["pizzas"] == 1


class TestAPrimaryWithoutReplicas:
    """`min-replicas-to-write 1`: no write is taken that a failover could lose."""

    @pytest.fixture
    def alone(self, tmp_path):
        with (
            RedisServer(Valkey.program, tmp_path) as server,
            override_settings(CACHES=caches_with(server.url)),
        ):
            yield server

    def test_refused_writes_wait_and_reads_go_on(self, alone):
        session = SessionStore()
        session["pizzas"] = 1
        session.create()
        alone.ask("CONFIG", "SET", "min-replicas-to-write", "1")

        assert _eat(session.session_key) == 2
        assert SessionStore(session.session_key)["pizzas"] == 2
        assert failover.is_degraded()

        alone.ask("CONFIG", "SET", "min-replicas-to-write", "0")
        wait_until(lambda: not failover.is_degraded())
        assert b'"pizzas":2' in _record(alone, session)

    def test_a_process_may_start_then(self, alone):
        alone.ask("CONFIG", "SET", "min-replicas-to-write", "1")

        failover.configure()
        session = SessionStore()
        session["pizzas"] = 1
        session.create()

        assert SessionStore(session.session_key)["pizzas"] == 1
        alone.ask("CONFIG", "SET", "min-replicas-to-write", "0")
        wait_until(lambda: not failover.is_degraded())
        assert b'"pizzas":1' in _record(alone, session)
