import json
import logging
import os
import time

import pytest
from django.conf import settings
from django.test import override_settings

from sessions_backend import failover, health
from sessions_backend.engine import SessionStore
from sessions_backend.exceptions import StorageUnavailable
from sessions_backend.failover import Backend
from sessions_backend.middleware import SessionMiddleware
from sessions_backend.recovery import Recovery
from tests.servers import Valkey, free_port, wait_until
from tests.sessions_backend.conftest import caches_with
from tests.sessions_backend.misbehaving import HANG, PASS, TRICKLE, Proxy

INFO, WARNING, ERROR = logging.INFO, logging.WARNING, logging.ERROR
FALLEN_BACK = [
    (WARNING, "⚠️ Falling back to InMemorySessionStore"),
    (INFO, "💾 Using InMemorySessionStore (development only)"),
]
PREFIX = settings.SESSION_REDIS_KEY_PREFIX
FAILED = "❌ Failed to connect to Redis: "
REFUSED = (WARNING, "⚠️ Redis connection failed - sessions may not persist")


@pytest.fixture
def lines(caplog):
    """What the engine has logged, as pairs of level and line."""
    caplog.set_level(INFO, logger="sessions_backend")

    def read():
        return [
            (entry.levelno, entry.getMessage())
            for entry in caplog.records
            if entry.name == "sessions_backend"
        ]

    return read


class TestConfigure:
    def test_says_that_redis_serves(self, lines, valkey):
        assert failover.configure() is Backend.REDIS

        assert lines() == [
            (INFO, f"🔴 Using RedisSessionStore (url={valkey.url})"),
            (INFO, "✅ Redis connection successful"),
        ]
        assert not failover.is_degraded()
        assert failover.ping()

    def test_falls_back_where_nobody_listens(self, lines, refusing_redis):
        assert failover.configure() is Backend.LOCAL

        address = refusing_redis.split("/")[2]
        assert lines() == [
            (INFO, f"🔴 Using RedisSessionStore (url={refusing_redis})"),
            (
                ERROR,
                f"{FAILED}Error 111 connecting to {address}. Connection refused.",
            ),
            *FALLEN_BACK,
        ]
        assert failover.is_degraded()
        assert failover.ping()

    def test_gives_the_name_that_does_not_resolve(self, lines):
        caches = caches_with("redis://no-such-host.invalid:6379/0")
        with override_settings(CACHES=caches):
            failover.configure()

        level, line = lines()[1]
        assert level == ERROR
        assert line.startswith((f"{FAILED}Error -", f"{FAILED}Timeout"))
        assert lines()[2:] == FALLEN_BACK

    @override_settings(SESSION_REDIS_ENABLED=False)
    def test_uses_memory_where_redis_is_disabled(self, lines):
        assert failover.configure() is Backend.LOCAL

        assert lines() == [(INFO, "💾 Using InMemorySessionStore (development only)")]
        assert not failover.is_degraded()

    def test_warns_where_the_ping_is_refused(self, lines, tmp_path):
        with Valkey(tmp_path / "valkey", "--requirepass", "right-one") as valkey:
            for password in ("", ":wrong-one@"):
                failover.reset()
                url = f"redis://{password}127.0.0.1:{valkey.port}/0"
                with override_settings(CACHES=caches_with(url)):
                    assert failover.configure() is Backend.LOCAL

        masked = f"redis://***:***@127.0.0.1:{valkey.port}/0"
        assert lines() == [
            (INFO, f"🔴 Using RedisSessionStore (url={url.replace(password, '')})"),
            REFUSED,
            *FALLEN_BACK,
            (INFO, f"🔴 Using RedisSessionStore (url={masked})"),
            REFUSED,
            *FALLEN_BACK,
        ]

    @pytest.mark.parametrize("mode", [HANG, TRICKLE])
    def test_waits_for_no_answer_longer_than_a_second(self, lines, valkey, mode):
        with Proxy(valkey.port) as proxy:
            proxy.mode = mode
            with override_settings(CACHES=caches_with(proxy.url)):
                assert failover.configure() is Backend.LOCAL

        assert lines()[1][0] == ERROR
        assert lines()[1][1].startswith(FAILED)
        assert lines()[2:] == FALLEN_BACK

    def test_tells_no_secret(self, lines):
        url = f"redis://shop-user:s3cr%40et@127.0.0.1:{free_port()}/0"
        with override_settings(CACHES=caches_with(url, PASSWORD="s3cr@et")):
            failover.configure()

        text = repr(lines())
        assert "s3cr" not in text
        assert "shop-user" not in text
        assert "redis://***:***@127.0.0.1:" in text

    def test_says_it_once(self, lines):
        failover.configure()
        SessionMiddleware(lambda request: None)
        failover.configure()
        failover.active_backend()

        assert len(lines()) == 2

    def test_of_a_command_is_silent(self, lines, refusing_redis):
        failover.configure(announce=False)
        SessionStore().create()

        assert lines() == []

    @override_settings(SESSION_STRICT=True)
    def test_falls_back_to_nothing_in_strict_mode(self, lines, refusing_redis):
        assert failover.configure() is Backend.REDIS

        assert [level for level, _ in lines()] == [INFO, ERROR]
        assert failover.is_degraded()

    def test_falls_back_where_redis_goes_away_after_its_ping(self, lines, monkeypatch):
        def mark(_):
            raise StorageUnavailable("away") from OSError("gone a moment ago")

        monkeypatch.setattr(Recovery, "mark", mark)

        assert failover.configure() is Backend.LOCAL

        assert lines()[1:] == [(ERROR, f"{FAILED}gone a moment ago"), *FALLEN_BACK]

    def test_of_a_server_speaks_even_after_a_silent_one(self, lines):
        failover.configure(announce=False)
        failover.configure()

        assert len(lines()) == 2

    def test_speaks_again_in_a_forked_worker(self, tmp_path):
        failover.configure()
        log = tmp_path / "log"

        child = os.fork()
        if child == 0:
            logger = logging.getLogger("sessions_backend")
            logger.addHandler(logging.FileHandler(log))
            logger.setLevel(INFO)
            SessionStore().exists("some-session")
            failover.configure()
            os._exit(0)
        os.waitpid(child, 0)

        text = log.read_text()
        assert text.count("🔴 Using RedisSessionStore") == 1
        assert text.count("✅ Redis connection successful") == 1


class TestARedisThatDropsKeys:
    """Row 16 of the faults: the seed's own policy is `allkeys-lru`."""

    @pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
    def test_is_warned_of_at_the_start(self, lines, redis_client, policy):
        redis_client.config_set("maxmemory", "256mb")
        redis_client.config_set("maxmemory-policy", policy)
        before = health.counts().get("evicting_redis", 0)
        try:
            failover.configure()
        finally:
            redis_client.config_set("maxmemory", "0")
            redis_client.config_set("maxmemory-policy", "noeviction")

        (warning,) = [line for level, line in lines() if level == WARNING]
        assert f"maxmemory-policy {policy}" in warning
        assert health.counts()["evicting_redis"] == before + 1

    def test_is_no_concern_where_its_memory_has_no_bound(self, lines, redis_client):
        redis_client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            failover.configure()
        finally:
            redis_client.config_set("maxmemory-policy", "noeviction")

        assert len(lines()) == 2


class TestTheFallback:
    def test_keeps_sessions(self, refusing_redis):
        session = SessionStore()
        session["cart"] = 1
        session.save()

        assert SessionStore(session.session_key)["cart"] == 1

    def test_ends_when_redis_returns(self, tmp_path, lines):
        valkey = Valkey(tmp_path / "valkey")
        with override_settings(CACHES=caches_with(valkey.url)):
            failover.configure()
            session = SessionStore()
            session["cart"] = 1
            session.save()
            with valkey:
                wait_until(lambda: not failover.is_degraded())

                assert failover.active_backend() is Backend.REDIS
                assert SessionStore(session.session_key)["cart"] == 1
                with valkey.client() as client:
                    assert client.exists(f"{PREFIX}{session.session_key}")
        assert (INFO, "Redis is back.") in lines()

    def test_may_be_any_cache(self, refusing_redis, tmp_path):
        caches = {
            **settings.CACHES,
            "files": {
                "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
                "LOCATION": str(tmp_path),
            },
        }
        with override_settings(CACHES=caches, SESSION_FALLBACK_CACHE_ALIAS="files"):
            session = SessionStore()
            session["cart"] = 1
            session.save()
            # As after a restart.
            failover.reset()

            assert SessionStore(session.session_key)["cart"] == 1


def test_ping_tells_that_redis_has_gone(valkey):
    with (
        Proxy(valkey.port) as proxy,
        override_settings(CACHES=caches_with(proxy.url)),
    ):
        failover.configure()
        assert failover.ping()
        proxy.mode = HANG
        assert not failover.ping()
        assert failover.active_backend() is Backend.REDIS


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("redis://redis:6379/0", "redis://redis:6379/0"),
        ("redis://:pw@redis/0", "redis://***:***@redis/0"),
        ("rediss://user:p@ss/w?rd@redis/0", "rediss://***:***@redis/0"),
        ("redis://user@redis/0", "redis://***@redis/0"),
        ("unix://u:pw@/run/redis.sock?db=1", "unix://***:***@/run/redis.sock?db=1"),
        ("redis://redis/0?password=pw&db=1", "redis://redis/0?password=***&db=1"),
    ],
)
def test_urls_are_shown_without_credentials(url, masked):
    assert failover.masked(url) == masked


def test_an_outage_and_its_end_are_logged_once_each(valkey, lines):
    with (
        Proxy(valkey.port) as proxy,
        override_settings(CACHES=caches_with(proxy.url), SESSION_REDIS_BUDGET_MS=100),
    ):
        failover.configure()
        session = SessionStore()
        session.create()
        for _ in range(2):
            proxy.mode = HANG
            for _ in range(5):
                assert SessionStore(session.session_key).is_available
            proxy.mode = PASS
            wait_until(lambda: not failover.is_degraded())

    serious = [
        (level, line)
        for level, line in lines()[2:]
        if level != WARNING and "connection to Redis broke" not in line
    ]
    assert [(level, line.split(":")[0]) for level, line in serious] == [
        (ERROR, "Redis cannot be reached"),
        (INFO, "Redis is back."),
    ] * 2


def test_a_fallback_that_fails_is_an_outage_too(refusing_redis):
    caches = {**settings.CACHES, "second": settings.CACHES["sessions"]}
    with override_settings(CACHES=caches, SESSION_FALLBACK_CACHE_ALIAS="second"):
        session = SessionStore("some-session-id")
        for step in (session.load, session.delete, session.create):
            with pytest.raises(StorageUnavailable, match="fallback"):
                step()


class TestStatus:
    def test_tells_what_serves_and_since_when_it_is_away(self, refusing_redis):
        failover.configure()
        SessionStore().create()

        status, situation = failover.status(), failover.situation()

        assert situation is not None
        assert status["session_store"] == "local"
        assert status["degraded"] is True
        assert 0 < status["away_since"] <= time.time()
        assert status["journal"] == {
            "changes": 1,
            "bytes": situation.journal.size_in_bytes,
        }
        assert situation.journal.size_in_bytes > 0

    def test_tells_that_all_is_well(self):
        assert failover.status() == {
            "session_store": "redis",
            "degraded": False,
            "away_since": None,
            "journal": {"changes": 0, "bytes": 0},
        }

    @override_settings(SESSION_REDIS_ENABLED=False)
    def test_tells_that_redis_is_switched_off(self):
        assert failover.status() == {
            "session_store": "local",
            "degraded": False,
            "away_since": None,
            "journal": {"changes": 0, "bytes": 0},
        }


class TestTheExit:
    def test_settles_what_redis_has_not_heard(self, redis_client):
        session = SessionStore()
        session.create()
        situation = failover.situation()
        assert situation is not None
        situation.recovery.begin = lambda: None  # type: ignore[method-assign]
        situation.breaker.is_open = True
        session["cart"] = 1
        session.save()

        failover._settle_before_exit()

        raw = redis_client.get(f"{PREFIX}{session.session_key}")
        assert json.loads(raw)["cart"] == 1

    def test_has_nothing_to_settle_without_redis(self, lines):
        failover._settle_before_exit()
        with override_settings(SESSION_REDIS_ENABLED=False):
            failover.configure()
            failover._settle_before_exit()

        assert len(lines()) == 1
