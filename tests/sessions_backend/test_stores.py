import asyncio
import time
from types import SimpleNamespace

import pytest
from django.conf import settings
from django.core.cache import caches
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings
from redis.exceptions import ConnectionError as ConnectionErrors

from sessions_backend import failover, names
from sessions_backend.contract import StoreContract
from sessions_backend.exceptions import StorageUnavailable
from sessions_backend.stores.base import Blocking, Replacement, finish
from sessions_backend.stores.lists import Lists
from sessions_backend.stores.local import MAX_ENTRIES, Asynchronous, LocalStore
from sessions_backend.stores.loops import LoopTransport
from sessions_backend.stores.opening import pool_of
from sessions_backend.stores.redis import RedisStore, pack
from sessions_backend.stores.threads import BlockingTransport
from tests.servers import free_port
from tests.sessions_backend.opened import Awaited, redis_store


class TestRedisStore(StoreContract):
    @pytest.fixture
    def store(self):
        store = redis_store(settings.SESSION_CACHE_ALIAS)
        yield store
        store.close()

    def test_wants_a_cache_of_django_redis(self):
        with pytest.raises(ImproperlyConfigured, match="django-redis"):
            redis_store("default")


class TestRedisStoreWithoutIfeq(StoreContract):
    """As on a server older than Valkey 8.1 and Redis 8.4, where a script compares."""

    @pytest.fixture
    def store(self):
        redis = RedisStore(BlockingTransport(pool_of(settings.SESSION_CACHE_ALIAS)))
        redis.knows_ifeq = False
        yield Blocking(redis)
        redis.close()


def test_a_server_without_ifeq_is_asked_for_it_once(monkeypatch):
    redis = RedisStore(BlockingTransport(pool_of(settings.SESSION_CACHE_ALIAS)))
    # What Redis 7 says of IFEQ, this server says of any other word.
    monkeypatch.setattr("sessions_backend.stores.redis.IFEQ", "NO-SUCH-WORD")
    store = Blocking(redis)
    store.create("session:old-server", b"old", 60)

    assert store.replace("session:old-server", b"old", b"new", 60) is Replacement.DONE
    assert not redis.knows_ifeq
    assert store.replace("session:old-server", b"old", b"own", 60) == b"new"
    redis.close()


class TestRedisStoreInAnEventLoop(StoreContract):
    @pytest.fixture
    def store(self):
        pool = pool_of(settings.SESSION_CACHE_ALIAS)
        awaited = Awaited(RedisStore(LoopTransport(pool)))
        yield awaited
        awaited.end()


class TestFailingOverStore(StoreContract):
    @pytest.fixture
    def store(self):
        return failover.store()


class TestFailingOverStoreInAnEventLoop(StoreContract):
    @pytest.fixture
    def store(self):
        awaited = Awaited(failover.astore())
        yield awaited
        awaited.end()


class TestFailingOverStoreWithoutRedis(StoreContract):
    """What this process has made itself goes on as if nothing had happened."""

    @pytest.fixture
    def store(self, refusing_redis):
        return failover.store()

    test_a_key_nobody_wrote_is_missing = None  # type: ignore[assignment]  # never seen here
    test_keys_are_named_by_their_prefix = None  # type: ignore[assignment]  # never seen here
    test_it_answers = None  # type: ignore[assignment]  # never seen here
    test_put_keeps_and_returns_what_stood_there = None  # type: ignore[assignment]  # never seen here
    test_many_are_loaded_in_the_order_asked_for = None  # type: ignore[assignment]  # never seen here
    test_a_missing_key_is_not_renewed_as_it_is_loaded = None  # type: ignore[assignment]  # never seen here
    test_a_missing_key_is_rotated_to_what_goes_on = None  # type: ignore[assignment]  # never seen here
    # Of a user's sessions those that others have made are not known.
    test_a_key_is_renewed_as_it_is_loaded = None  # type: ignore[assignment]
    test_many_are_removed_and_those_that_were_there_counted = None  # type: ignore[assignment]
    test_many_are_rewritten_where_they_are_as_expected = None  # type: ignore[assignment]
    test_what_is_rewritten_ends_when_it_would_have = None  # type: ignore[assignment]
    test_a_list_names_what_was_written_into_it = None  # type: ignore[assignment]
    test_a_list_does_not_name_what_was_not_written = None  # type: ignore[assignment]
    test_a_list_lives_as_long_as_its_longest_session = None  # type: ignore[assignment]
    test_a_list_forgets_what_it_is_told_to = None  # type: ignore[assignment]
    test_a_list_names_what_goes_on_after_a_rotation = None  # type: ignore[assignment]


class TestLocalStoreInAnEventLoop(StoreContract):
    @pytest.fixture
    def store(self):
        awaited = Awaited(Asynchronous(LocalStore()))
        yield awaited
        awaited.end()


class TestLocalStore(StoreContract):
    @pytest.fixture
    def store(self):
        return LocalStore()

    def test_holds_more_sessions_than_djangos_default_of_300(self, store):
        for number in range(1000):
            store.create(f"session:{number}", b"{}", 60)

        assert MAX_ENTRIES > 1000
        assert all(store.exists(f"session:{number}") for number in range(1000))

    def test_two_stores_do_not_share_their_memory(self, store):
        store.create("session:1", b"{}", 60)

        assert not LocalStore().exists("session:1")

    def test_a_new_store_does_not_inherit_from_one_that_is_gone(self):
        """CPython gives the id() of an object that is gone to the next one."""
        for _ in range(10):
            store = LocalStore()
            assert store.create("session:1", b"{}", 60)
            del store


@pytest.mark.django_db
class TestLocalStoreOverACacheOfDjango(StoreContract):
    @pytest.fixture(params=["files", "another Redis"])
    def store(self, request, tmp_path, valkey):
        kinds = {
            "files": {
                "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
                "LOCATION": str(tmp_path),
            },
            "another Redis": {
                "BACKEND": "django_redis.cache.RedisCache",
                "LOCATION": f"redis://127.0.0.1:{valkey.port}/1",
            },
        }
        cache = kinds[request.param]
        with override_settings(CACHES={"fallback": cache, "default": cache}):
            yield LocalStore("fallback")
            caches["fallback"].clear()

    def test_keys_are_named_by_their_prefix(self, store):
        """A cache of Django's cannot be searched: it names no keys."""
        store.create("session:1", b"{}", 60)

        assert list(store.keys("session:", limit=10)) == []


class TestACacheThatMayBeShared:
    """A lock of its own makes each step one step, for other processes, too."""

    @pytest.fixture
    def store(self, tmp_path):
        files = {
            "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
            "LOCATION": str(tmp_path),
        }
        with override_settings(CACHES={"default": files}):
            yield LocalStore("default")

    LOCK = "sessions:lock:session:1"

    def test_takes_its_own_lock_away_and_no_others(self, store):
        with store._locked("session:1"):
            assert caches["default"].get(self.LOCK)
        assert caches["default"].get(self.LOCK) is None

        with store._locked("session:1"):
            # It took too long, and another process goes on.
            caches["default"].set(self.LOCK, "another's")
        assert caches["default"].get(self.LOCK) == "another's"

    def test_waits_for_a_lock_no_longer_than_it_may_be_held(self, store, monkeypatch):
        monkeypatch.setattr("sessions_backend.stores.local._LOCK_SECONDS", 0.01)
        caches["default"].set(self.LOCK, "another's")

        with pytest.raises(StorageUnavailable, match="holds its lock"):
            store.create("session:1", b"{}", 60)

        assert store.load("session:1") is None
        assert caches["default"].get(self.LOCK) == "another's"

    def test_goes_on_when_the_lock_is_free(self, store, monkeypatch):
        caches["default"].set(self.LOCK, "another's")
        pauses = []

        def sleep(seconds):
            pauses.append(seconds)
            caches["default"].delete(self.LOCK)

        monkeypatch.setattr(
            "sessions_backend.stores.local.time",
            SimpleNamespace(sleep=sleep, monotonic=time.monotonic, time=time.time),
        )

        assert store.create("session:1", b"{}", 60)

        assert len(pauses) == 1


def test_a_list_that_names_nobody_is_no_list():
    store = LocalStore()
    store.create("session:1", b"{}", 60, listed_in="sessions:user:luigi")
    assert store.listed("sessions:user:luigi")

    store.unlist("sessions:user:luigi", [names.name_of("session:1")])

    assert store._where.get("sessions:user:luigi") is None


def test_a_process_remembers_so_many_listings(monkeypatch):
    monkeypatch.setattr("sessions_backend.stores.lists._MOST_KNOWN", 2)
    lists = Lists(BlockingTransport(pool_of(settings.SESSION_CACHE_ALIAS)))

    for number in range(3):
        key = f"session:{number}"
        lists.note(lists.adding(key, "sessions:user:luigi", 60), key, 60)

    # Those before are listed again when they are renewed, which harms nobody.
    assert lists.adding("session:0", "sessions:user:luigi", 50)
    assert not lists.adding("session:2", "sessions:user:luigi", 50)


def test_a_blocking_store_that_waits_for_a_loop_is_an_error():
    with pytest.raises(RuntimeError, match="event loop"):
        finish(asyncio.sleep(0))


class TestTheLastConnection:
    """The one that is for all threads that find no other."""

    @pytest.fixture
    def transport(self, monkeypatch):
        transport = BlockingTransport(pool_of(settings.SESSION_CACHE_ALIAS))
        monkeypatch.setattr(transport._pool, "max_connections", 1)
        return transport

    def ask(self, transport, packed):
        deadline = time.monotonic() + 10
        return finish(transport.exchange((("", packed),), deadline, True))

    def test_is_closed_after_each_call(self, transport, redis_client):
        before = redis_client.info("stats")["total_connections_received"]

        for _ in range(3):
            (said,) = self.ask(transport, pack(("PING",)))
            assert said == b"PONG"

        received = redis_client.info("stats")["total_connections_received"]
        assert received == before + 3

    def test_may_be_refused_and_is_nobodys_own(self, transport):
        (said,) = self.ask(transport, pack(("NONSENSE",)))

        assert "unknown command" in str(said)

    def test_is_passed_on_where_it_cannot_be_opened(self, transport, monkeypatch):
        options = {**transport._pool.connection_kwargs, "port": free_port()}
        monkeypatch.setattr(transport._pool, "connection_kwargs", options)

        for _ in range(2):
            with pytest.raises(ConnectionErrors, match="refused"):
                self.ask(transport, pack(("PING",)))
