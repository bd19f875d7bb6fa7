"""The user that docs/deployment.md tells to make: it may do all this, and no more."""

import re
import unittest
from pathlib import Path

import pytest
import redis
from django.core.management import call_command
from django.test import SimpleTestCase, override_settings

from sessions_backend import failover, index
from sessions_backend.engine import SessionStore
from tests.sessions_backend.conftest import caches_with
from tests.sessions_backend.django_suite import SessionTestsMixin
from tests.sessions_backend.servers.kinds import (
    RedisServer,
    debians_redis,
    running_cluster,
    wait_until,
)

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("servers")]

ROOT = Path(__file__).parents[3]
PASSWORD = "mamma-mia"
# Asked on each connection, by the tests' own client, too, and not to be granted.
ALWAYS_ALLOWED = {"auth", "hello"}


@pytest.fixture(scope="module")
def documented():
    guide = (ROOT / "docs" / "deployment.md").read_text()
    (line,) = re.findall(r"^user mario on .*$", guide, re.MULTILINE)
    return line.removeprefix("user ").replace("CHANGE-ME", PASSWORD).split()


class DjangosOwn(SessionTestsMixin, SimpleTestCase):
    __test__ = False
    backend = SessionStore


def run_djangos_own():
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(DjangosOwn).run(result)
    assert result.testsRun > 40
    assert [*result.errors, *result.failures] == []


def log_in(user_id, **data):
    session = SessionStore()
    session.update({"_auth_user_id": user_id, **data})
    session.create()
    return session


def use_everything(server):
    """Do what the engine does, in good times and in bad ones."""
    failover.configure()
    luigi = log_in("luigi", cart={"a": 1})
    luigi.cycle_key()
    late = SessionStore(luigi.session_key)
    late["cart"]["b"] = 2
    luigi["cart"]["c"] = 3
    luigi.save()
    server.ask("SCRIPT", "FLUSH")
    late.save()
    assert late["cart"] == {"a": 1, "b": 2, "c": 3}
    index.link("issuer|sid", log_in("luigi").session_key, ttl=60)
    index.revoke("issuer|sid", ttl=60)
    late.renew()
    with override_settings(SESSION_SAVE_EVERY_REQUEST=True):
        SessionStore(late.session_key).load()
    failover.store().listed("sessions:user:of-nobody")
    failover.store().unlist("sessions:user:of-nobody", ["nobody"])
    call_command("sessions", "list")
    call_command("sessions", "ping")
    late.flush()


def test_the_documented_user_is_enough_and_has_nothing_to_spare(tmp_path, documented):
    with RedisServer(debians_redis(), tmp_path) as server:
        server.ask("ACL", "SETUSER", *documented)
        url = f"redis://mario:{PASSWORD}@127.0.0.1:{server.port}/0"
        with override_settings(CACHES=caches_with(url)):
            # The tests' own commands are not to be counted.
            server.ask("CONFIG", "RESETSTAT")
            run_djangos_own()
            failover.reset()
            use_everything(server)
            wait_until(lambda: "xread" in used_by_mario(server))
            failover.reset()
        assert server.ask("ACL", "LOG") == []
        used = used_by_mario(server)

    granted = {word[1:] for word in documented if word.startswith("+")}
    assert used - ALWAYS_ALLOWED == granted


def used_by_mario(server):
    stats = server.ask("INFO", "commandstats")
    used = {name.removeprefix("cmdstat_").lower() for name in stats}
    ours = {"acl|log", "config|resetstat", "script|flush", "client|setinfo"}
    return used - ours


@pytest.mark.parametrize(
    "command",
    [
        ("GET", "somebody:else"),
        ("SET", "celery", "x"),
        ("EVAL", "return redis.call('GET', 'somebody:else')", 0),
        ("FLUSHALL",),
        ("KEYS", "*"),
        ("CONFIG", "GET", "*"),
        ("PUBLISH", "channel", "x"),
        ("ACL", "LIST"),
    ],
    ids=lambda command: command[0],
)
def test_the_documented_user_reaches_nothing_else(command, acl_server):
    with (
        redis.Redis(
            port=acl_server.port, username="mario", password=PASSWORD
        ) as client,
        pytest.raises(redis.ResponseError, match=r"(?i)permission|can't access"),
    ):
        client.execute_command(*command)


@pytest.fixture(scope="module")
def acl_server(tmp_path_factory, documented):
    folder = tmp_path_factory.mktemp("acl")
    with RedisServer(debians_redis(), folder) as server:
        server.ask("ACL", "SETUSER", *documented)
        yield server


def test_on_a_cluster_the_documented_user_needs_two_commands_more(tmp_path, documented):
    guide = (ROOT / "docs" / "deployment.md").read_text()
    (words,) = re.findall(r"a Redis Cluster `([^`]+)`", guide)
    more = words.split()
    with running_cluster(debians_redis(), tmp_path) as cluster:
        for node in cluster.nodes:
            node.ask("ACL", "SETUSER", *documented, *more)
        factory = "sessions_backend.cluster.ConnectionFactory"
        options = {"CONNECTION_FACTORY": factory, "USERNAME": "mario"}
        caches = caches_with(cluster.urls, PASSWORD=PASSWORD, **options)
        with override_settings(CACHES=caches):
            use_everything(cluster.nodes[0])
            assert failover.active_backend() is failover.Backend.REDIS
            assert not failover.is_degraded()
            failover.reset()
        assert all(node.ask("ACL", "LOG") == [] for node in cluster.nodes)
