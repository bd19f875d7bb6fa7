"""Redis that refuses, hangs, trickles, resets and truncates: never longer than told."""

import json
import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.conf import settings
from django.test import override_settings

from sessions_backend import budget, failover, health
from sessions_backend.engine import SessionStore
from sessions_backend.exceptions import StorageUnavailable
from sessions_backend.stores.base import Replacement, Stored
from sessions_backend.stores.lookups import Lookups, lookups
from tests.servers import Valkey, wait_until
from tests.sessions_backend.conftest import BUDGET_MS, caches_with
from tests.sessions_backend.misbehaving import (
    CLOSE,
    HANG,
    MODES,
    PASS,
    RESET,
    RESET_ONCE,
    SWALLOW,
    TRICKLE,
)
from tests.sessions_backend.opened import redis_store
from tests.sessions_backend.tls import TlsFront, self_signed

BUDGET = BUDGET_MS / 1000
# What a busy machine may add to a deadline that is kept.
SLACK = 0.3


@pytest.fixture
def session(proxy):
    session = SessionStore()
    session["cart"] = {"a": 1}
    session.save()
    return session


def opened(session):
    return SessionStore(session.session_key)


def touch(session):
    return opened(session)["cart"]


@pytest.mark.parametrize("mode", MODES)
class TestARequestDuringAnOutage:
    def test_takes_no_longer_than_its_budget(self, proxy, session, mode):
        proxy.mode = mode
        request = opened(session)
        started = time.monotonic()

        with budget.of_one_request():
            for step in (request.load, request.save, request.delete, request.create):
                with pytest.raises(StorageUnavailable):
                    step()

        assert time.monotonic() - started < BUDGET + SLACK

    def test_keeps_the_id(self, proxy, session, mode):
        proxy.mode = mode
        request = opened(session)

        with pytest.raises(StorageUnavailable):
            request["cart"]

        assert request.session_key == session.session_key
        assert not request.is_empty()

    def test_is_over_when_redis_is_back(self, proxy, session, mode):
        proxy.mode = mode
        with pytest.raises(StorageUnavailable):
            touch(session)

        proxy.mode = PASS

        assert touch(session) == {"a": 1}

    def test_can_do_without(self, proxy, session, mode):
        proxy.mode = mode

        with budget.of_one_request() as spent:
            assert not opened(session).is_available
            assert spent.outage is None

        proxy.mode = PASS
        assert opened(session).is_available

    def test_takes_no_reply_for_anothers(self, proxy, session, mode):
        """After a failure nothing late is read as the answer to the next call."""
        proxy.mode = mode
        other = SessionStore()
        other["whose"] = "other"
        with pytest.raises(StorageUnavailable):
            touch(session)

        proxy.mode = PASS
        other.save()

        assert touch(session) == {"a": 1}
        assert opened(other)["whose"] == "other"


class TestTheBudget:
    def test_is_of_the_request_not_of_each_call(self, proxy, session):
        proxy.mode = HANG
        with budget.of_one_request():
            with pytest.raises(StorageUnavailable):
                touch(session)
            started = time.monotonic()

            for _ in range(20):
                with pytest.raises(StorageUnavailable):
                    touch(session)

        assert time.monotonic() - started < BUDGET * 10

    def test_is_not_eaten_by_a_slow_view(self, session):
        with budget.of_one_request():
            touch(session)
            time.sleep(BUDGET * 1.5)
            assert touch(session) == {"a": 1}

    def test_is_new_with_each_request(self, proxy, session):
        proxy.mode = HANG
        with budget.of_one_request(), pytest.raises(StorageUnavailable):
            touch(session)
        proxy.mode = PASS

        with budget.of_one_request():
            assert touch(session) == {"a": 1}

    def test_wins_over_a_password_exchange_that_trickles(self, proxy):
        proxy.mode = TRICKLE
        caches = caches_with(proxy.url, PASSWORD="secret")
        with override_settings(CACHES=caches, SESSION_REDIS_BUDGET_MS=BUDGET_MS):
            store = redis_store(settings.SESSION_CACHE_ALIAS)
            started = time.monotonic()

            with pytest.raises(StorageUnavailable):
                store.load("key")

        assert time.monotonic() - started < BUDGET + SLACK

    def test_wins_over_an_address_that_swallows_packets(self):
        # A full backlog: the kernel answers nobody any more.
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            port = listener.getsockname()[1]
            fillers = []
            for _ in range(4):
                filler = socket.socket()
                filler.setblocking(False)
                filler.connect_ex(("127.0.0.1", port))
                fillers.append(filler)
            caches = caches_with(f"redis://127.0.0.1:{port}/0")
            with override_settings(CACHES=caches, SESSION_REDIS_BUDGET_MS=BUDGET_MS):
                store = redis_store(settings.SESSION_CACHE_ALIAS)
                started = time.monotonic()

                with pytest.raises(StorageUnavailable):
                    store.load("key")

            assert time.monotonic() - started < BUDGET + SLACK
            for filler in fillers:
                filler.close()


class TestARefusal:
    def test_is_an_outage(self, refusing_redis):
        store = redis_store(settings.SESSION_CACHE_ALIAS)
        started = time.monotonic()

        with pytest.raises(StorageUnavailable, match="refused"):
            store.load("key")

        assert time.monotonic() - started < BUDGET + SLACK

    def test_of_a_write_is_an_outage(self, session, redis_client):
        redis_client.config_set("maxmemory", "1")
        try:
            request = opened(session)
            request["cart"]["b"] = 1
            with pytest.raises(StorageUnavailable, match="OOM"):
                request.save()
        finally:
            redis_client.config_set("maxmemory", "0")
        assert touch(session) == {"a": 1}


class TestAPoolOfTwo:
    """More threads than connections: the second is for all that find no other."""

    @pytest.fixture
    def store(self, proxy):
        caches = caches_with(proxy.url, CONNECTION_POOL_KWARGS={"max_connections": 2})
        # django-redis keeps one pool for each URL, whatever the options.
        caches[settings.SESSION_CACHE_ALIAS]["LOCATION"] += "?health_check_interval=0"
        with override_settings(CACHES=caches):
            store = redis_store(settings.SESSION_CACHE_ALIAS)
            store.ping()
            yield store
            store.close()

    def answers_of(self, store, count, seconds=BUDGET):
        def ask(_):
            with budget.of_seconds(seconds):
                try:
                    store.load("key")
                except StorageUnavailable as error:
                    return str(error)
            return "answer"

        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(ask, range(count)))

    def test_serves_six_threads_in_turn(self, store):
        assert self.answers_of(store, 6) == ["answer"] * 6

    def test_keeps_nobody_longer_than_the_budget(self, store, proxy):
        before = health.counts().get("exhausted_pools", 0)
        proxy.mode = HANG
        with ThreadPoolExecutor(1) as other:
            first = other.submit(self.answers_of, store, 1, seconds=2 * BUDGET)
            while proxy.connections < 2:
                time.sleep(0.01)
            started = time.monotonic()

            answers = self.answers_of(store, 3)

            assert time.monotonic() - started < BUDGET + SLACK
            assert all("All 2 connections are in use" in said for said in answers)
            assert "answer" not in first.result()
        assert health.counts()["exhausted_pools"] == before + 3
        proxy.mode = PASS
        assert self.answers_of(store, 4) == ["answer"] * 4


class TestAConnection:
    @pytest.mark.parametrize("mode", [CLOSE, RESET])
    def test_closed_while_idle_is_replaced_unnoticed(self, proxy, session, mode):
        store = redis_store(settings.SESSION_CACHE_ALIAS)
        store.ping()
        wire = store._store.transport._local.wire  # type: ignore[attr-defined]  # looks inside
        # The server ends it; the client hears of that with its next command.
        proxy.mode = mode
        with pytest.raises(OSError, match=r"closed|reset"):
            wire.exchange(b"*1\r\n$4\r\nPING\r\n", 1, time.monotonic() + 1)
        proxy.mode = PASS

        assert store.load("key") is None

    def test_of_a_server_that_restarted_is_replaced_unnoticed(self, tmp_path):
        with (
            Valkey(tmp_path / "valkey") as valkey,
            override_settings(CACHES=caches_with(valkey.url)),
        ):
            store = redis_store(settings.SESSION_CACHE_ALIAS)
            store.create("key", b"old", 60)
            assert store.replace("key", b"old", b"new", 60) is Replacement.DONE

            valkey.stop()
            valkey.start()

            assert store.create("key", b"old", 60)
            # Its scripts are gone as well.
            assert store.replace("key", b"old", b"new", 60) is Replacement.DONE

    def test_is_the_threads_own_and_ends_with_it(self, valkey, redis_client):
        store = redis_store(settings.SESSION_CACHE_ALIAS)
        store.ping()
        before = len(redis_client.client_list())

        def in_thread():
            store.ping()
            store.ping()
            counts.append(len(redis_client.client_list()))

        counts: list[int] = []
        for _ in range(3):
            thread = threading.Thread(target=in_thread)
            thread.start()
            thread.join()

        assert counts == [before + 1] * 3
        deadline = time.monotonic() + 2
        while len(redis_client.client_list()) > before:
            assert time.monotonic() < deadline
        store.close()

    def test_of_the_parent_is_not_used_in_a_forked_child(self, valkey):
        store = redis_store(settings.SESSION_CACHE_ALIAS)
        store.create("whose", b"parent", 60)
        reader, writer = os.pipe()

        def is_read_right():
            read = [store.load("whose") for _ in range(200)]
            return all(stored[0] == b"parent" for stored in read if stored) and read

        child = os.fork()
        if child == 0:
            os.write(writer, b"1" if is_read_right() else b"0")
            os._exit(0)
        parent_is_right = is_read_right()
        os.waitpid(child, 0)

        assert os.read(reader, 1) == b"1"
        assert parent_is_right
        os.close(reader)
        os.close(writer)
        store.close()

    def test_has_the_aliass_password_database_and_socket(self, tmp_path):
        path = tmp_path / "redis.sock"
        secret = ("--requirepass", "pa:ss@word", "--unixsocket", str(path))
        with Valkey(tmp_path / "valkey", *secret) as valkey:
            for url in (
                f"redis://:pa%3Ass%40word@localhost:{valkey.port}/3",
                f"unix://:pa%3Ass%40word@{path}?db=3",
            ):
                with override_settings(CACHES=caches_with(url)):
                    store = redis_store(settings.SESSION_CACHE_ALIAS)
                    assert store.create("key", b"raw", 60)
                    assert store.take("key") == b"raw"
                    store.close()

    @pytest.mark.parametrize("size", [10, 1_000_000])
    def test_goes_over_tls_and_checks_the_name(self, tmp_path, valkey, size):
        certificate = self_signed(tmp_path, "localhost")
        with TlsFront(valkey.port, certificate) as front:
            trust = {"ssl_ca_certs": str(certificate)}
            for host, is_trusted in (("localhost", True), ("127.0.0.1", False)):
                url = f"rediss://{host}:{front.port}/0?{size}"
                caches = caches_with(url, CONNECTION_POOL_KWARGS=trust)
                with override_settings(CACHES=caches):
                    store = redis_store(settings.SESSION_CACHE_ALIAS)
                    if not is_trusted:
                        with pytest.raises(StorageUnavailable, match="certificate"):
                            store.ping()
                        continue
                    assert store.create("key", b"x" * size, 60)
                    assert store.take("key") == b"x" * size
                    store.close()


class TestALostReply:
    """The command was done, its answer got lost on a connection that was in use."""

    def test_of_a_save_is_no_conflict(self, proxy, session):
        request = opened(session)
        request["cart"]["b"] = 1
        merged_before = health.counts().get("merged_saves", 0)
        proxy.mode = SWALLOW

        request.save()

        assert health.counts().get("merged_saves", 0) == merged_before
        assert opened(session)["cart"] == {"a": 1, "b": 1}

    def test_that_was_reset_in_the_midst_of_it_is_asked_for_once_more(
        self, proxy, session
    ):
        store = redis_store(settings.SESSION_CACHE_ALIAS)
        key = f"mario_session:{session.session_key}"
        store.ping()
        proxy.mode = RESET_ONCE
        before = proxy.connections

        stored = store.load(key)

        assert isinstance(stored, Stored)
        assert b'"cart":{"a":1}' in stored.raw

        assert proxy.connections == before + 1
        # What may not be done twice is not.
        proxy.mode = RESET_ONCE
        with pytest.raises(StorageUnavailable):
            store.take(key)
        assert proxy.connections == before + 1

    def test_of_a_rotation_loses_nothing(self, proxy, session):
        request = opened(session)
        request.load()
        store = redis_store(settings.SESSION_CACHE_ALIAS)
        key = f"mario_session:{session.session_key}"
        store.ping()
        proxy.mode = SWALLOW

        # Not asked again: a second answer would say that there was nothing.
        with pytest.raises(StorageUnavailable):
            store.take(key)

    @override_settings(SESSION_STRICT=False)
    def test_of_a_rotation_goes_on_under_the_new_id(self, proxy, session, redis_client):
        request = opened(session)
        request["cart"]["b"] = 1
        former = f"mario_session:{request.session_key}"
        proxy.mode = SWALLOW

        request.cycle_key()

        new = f"mario_session:{request.session_key}"
        wait_until(lambda: failover.status()["journal"]["changes"] == 0)
        assert json.loads(redis_client.get(new))["cart"] == {"a": 1, "b": 1}
        assert not redis_client.exists(former)


class TestNameLookUps:
    def test_that_hang_cost_no_more_than_the_budget(self, monkeypatch):
        release = threading.Event()
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_: release.wait(5))
        caches = caches_with("redis://redis.invalid:6379/0")
        with override_settings(CACHES=caches, SESSION_REDIS_BUDGET_MS=BUDGET_MS):
            store = redis_store(settings.SESSION_CACHE_ALIAS)
            started = time.monotonic()

            with pytest.raises(StorageUnavailable):
                store.load("key")

        assert time.monotonic() - started < BUDGET + SLACK
        release.set()

    @pytest.mark.parametrize("failure", ["hangs", "fails"])
    def test_use_the_last_known_address(self, monkeypatch, valkey, failure):
        url = valkey.url.replace("127.0.0.1", "localhost")
        release = threading.Event()

        look_up = socket.getaddrinfo

        def fail(host, *rest):
            if host != "localhost":
                return look_up(host, *rest)
            if failure == "hangs":
                release.wait(5)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure")

        with override_settings(CACHES=caches_with(url)):
            store = redis_store(settings.SESSION_CACHE_ALIAS)
            store.ping()
            store.close()
            monkeypatch.setattr("sessions_backend.stores.lookups._FRESH_SECONDS", 0)
            monkeypatch.setattr(socket, "getaddrinfo", fail)

            store.ping()

        release.set()
        store.close()
        assert lookups._known

    def test_are_asked_once_however_many_wait(self):
        asked = []
        release = threading.Event()

        def ask():
            asked.append(1)
            release.wait(5)
            return "answer"

        own = Lookups()
        answers: list[str] = []

        def find():
            answers.append(own.find("name", ask, deadline=time.monotonic() + 5))

        threads = [threading.Thread(target=find) for _ in range(5)]
        for thread in threads:
            thread.start()
        time.sleep(0.05)
        release.set()
        for thread in threads:
            thread.join()

        assert answers == ["answer"] * 5
        assert asked == [1]

    def test_that_fail_say_why(self):
        def ask():
            raise ValueError("no master")

        with pytest.raises(OSError, match="no master"):
            Lookups().find("name", ask, deadline=time.monotonic() + 1)
