"""Redis Cluster: three primaries and a replica, each a process of its own."""

import asyncio
import threading
import time
from collections import Counter

import pytest
from django.test import override_settings
from redis.crc import key_slot

from sessions_backend import budget, failover, names, record
from sessions_backend.cluster import Address, ClusterPool, ConnectionFactory
from sessions_backend.engine import SessionStore
from sessions_backend.exceptions import StorageUnavailable
from sessions_backend.stores.base import Blocking, Entry, Replacement, Stored
from sessions_backend.stores.cluster import ClusterStore, ClusterTransport
from sessions_backend.stores.loops import LoopTransport
from sessions_backend.stores.threads import BlockingTransport
from tests.sessions_backend.conftest import caches_with
from tests.sessions_backend.servers.kinds import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("cluster")]

KEYS = [f"session:{number}" for number in range(60)]


def pools_of(cluster, count=1):
    factory = ConnectionFactory({})
    return [factory.connect(url).connection_pool for url in cluster.urls[:count]]


def blocking(cluster, count=1):
    return over(pools_of(cluster, count))


def over(pools, kind=BlockingTransport):
    store = Blocking(ClusterStore(ClusterTransport(pools, kind)))
    _opened.append(store)
    return store


_opened: list[Blocking] = []


@pytest.fixture(autouse=True)
def _closed():
    """Leave no socket to be found open by the garbage collector, in any order."""
    yield
    while _opened:
        _opened.pop().close()


@pytest.fixture
def store(cluster):
    return blocking(cluster)


def where(key):
    return key_slot(key.encode())


def move(cluster, slot, *, to, keys=(), is_finished=True):
    """Give a slot to another node, as `redis-cli --cluster reshard` does."""
    source = cluster.owner_of(slot)
    source_id, target_id = (node.ask("CLUSTER", "MYID") for node in (source, to))
    to.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", source_id)
    source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", target_id)
    for key in keys:
        source.ask("MIGRATE", "127.0.0.1", to.port, key, 0, 1000)
    if is_finished:
        for node in (to, source):
            node.ask("CLUSTER", "SETSLOT", slot, "NODE", target_id)
    return source


class TestEveryKeyFindsItsNode:
    def test_records_are_spread_over_all_primaries(self, shared_cluster):
        store = blocking(shared_cluster)

        assert all(store.create(key, key.encode(), 60) for key in KEYS)
        found = store.load_many(KEYS)

        assert [stored.raw for stored in found] == [key.encode() for key in KEYS]
        assert all(node.ask("DBSIZE") for node in shared_cluster.primaries)
        assert sorted(store.keys("session:", limit=1000)) == sorted(KEYS)
        assert len(list(store.keys("session:", limit=25))) == 25
        assert store.remove_many(KEYS) == len(KEYS)
        assert list(store.keys("session:", limit=1000)) == []

    def test_a_script_a_list_and_a_successor_touch_their_own_nodes(
        self, shared_cluster
    ):
        store, luigi = blocking(shared_cluster), names.user_list_key("luigi")
        for key in KEYS:
            store.create(key, b"old", 60, listed_in=luigi)

            done = store.replace(key, b"old", b"new", 60, listed_in=luigi)
            assert done is Replacement.DONE
            assert store.replace(key, b"old", b"late", 60) == b"new"
            new, left = (Entry(f"{key}:{name}", b"1", 60) for name in ("new", "left"))
            rotated = store.rotate(key, new, leaving=left, listed_in=luigi)
            assert rotated == (b"new", True)
            assert store.exists(new.key)
            assert store.exists(left.key)

    def test_the_keys_of_a_node_are_asked_for_in_one_trip(self, shared_cluster):
        store = blocking(shared_cluster)
        store.load_many(KEYS)
        sent: Counter[Address] = Counter()

        class Counting(BlockingTransport):
            async def exchange(self, *arguments, **options):
                assert isinstance(self._pool, ClusterPool)
                sent[self._pool.address] += 1
                return await super().exchange(*arguments, **options)

        store = over(pools_of(shared_cluster), Counting)
        store.ping()
        sent.clear()
        store.load_many(KEYS)

        assert sorted(sent.values()) == [1, 1, 1]

    def test_one_node_that_answers_leads_to_all(self, cluster):
        cluster.replica.stop()
        reversed_urls = pools_of(cluster, 4)[::-1]

        store = over(reversed_urls)

        assert all(store.create(key, b"raw", 60) for key in KEYS)

    def test_asyncio_finds_them_too(self, shared_cluster):
        transport = ClusterTransport(pools_of(shared_cluster), LoopTransport)
        store = ClusterStore(transport)

        async def scenario():
            created = [store.create(key, key.encode(), 60) for key in KEYS]
            assert all(await asyncio.gather(*created))
            found = await store.load_many(KEYS)
            return [stored.raw for stored in found if isinstance(stored, Stored)]

        assert asyncio.run(scenario()) == [key.encode() for key in KEYS]

    def test_threads_share_what_is_known_of_the_slots(self, shared_cluster):
        store = blocking(shared_cluster)
        failures = []

        def work(number):
            for key in KEYS:
                store.put(key, b"%d" % number, 60)
                if not isinstance(store.load(key), Stored):
                    failures.append(key)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=30)

        assert failures == []

    def test_a_server_without_a_cluster_is_refused(self, valkey):
        pool = ConnectionFactory({}).connect(valkey.url).connection_pool
        store = over([pool])

        with pytest.raises(StorageUnavailable, match="cluster support disabled"):
            store.load("session:1")


class TestSlotsThatMove:
    def test_a_slot_that_has_moved_is_followed(self, cluster, store):
        key = KEYS[0]
        store.create(key, b"raw", 60)

        move(cluster, where(key), to=cluster.primaries[1], keys=[key])

        assert store.load(key).raw == b"raw"
        assert store.replace(key, b"raw", b"new", 60) is Replacement.DONE
        assert cluster.primaries[1].ask("GET", key) == b"new"

    def test_a_slot_on_its_way_is_asked_for_at_both_ends(self, cluster, store):
        there, not_yet, new = "session:{x}:1", "session:{x}:2", "session:{x}:3"
        store.create(there, b"there", 60)
        store.create(not_yet, b"not yet", 60)
        target = next(
            node
            for node in cluster.primaries
            if node is not cluster.owner_of(where(new))
        )

        move(cluster, where(new), to=target, keys=[there], is_finished=False)

        assert store.load(there).raw == b"there"
        assert store.load(not_yet).raw == b"not yet"
        assert [found.raw for found in store.load_many([there, not_yet])] == [
            b"there",
            b"not yet",
        ]
        assert store.replace(there, b"there", b"new", 60) is Replacement.DONE
        assert store.create(new, b"new", 60)
        assert not store.create(new, b"again", 60)
        assert store.take(there) == b"new"

    def test_no_update_is_lost_while_slots_move(self, cluster, store):
        """Two writers add to a record all the time that its slot travels around."""
        key, is_over = "session:counter", threading.Event()
        store.create(key, b"-", 600)
        added: Counter[bytes] = Counter()

        def add(sign):
            mine = blocking(cluster)
            while not is_over.is_set():
                with budget.of_seconds(5):
                    present = mine.load(key).raw
                    outcome = mine.replace(key, present, present + sign, 60)
                added[sign] += outcome is Replacement.DONE

        threads = [threading.Thread(target=add, args=(sign,)) for sign in (b"a", b"b")]
        for thread in threads:
            thread.start()
        for number in range(6):
            to = cluster.primaries[number % 3]
            if cluster.owner_of(where(key)) is not to:
                move(cluster, where(key), to=to, keys=[key])
            time.sleep(0.1)
        is_over.set()
        for thread in threads:
            thread.join(timeout=30)

        raw = store.load(key).raw
        assert {sign: raw.count(sign) for sign in added} == added
        assert len(added) == 2


class TestNodesThatDie:
    def test_a_replica_that_takes_over_is_found(self, cluster, store):
        lost = cluster.primaries[0]
        keys = [key for key in KEYS if cluster.owner_of(where(key)) is lost]
        for key in KEYS:
            store.create(key, key.encode(), 600)
        lost.ask("WAIT", 1, 5000)

        lost.stop()

        wait_until(lambda: cluster.replica.ask("ROLE")[0] == b"master")
        # Until all nodes have heard of it, some say that the cluster is down.
        wait_until(lambda: all(_is_loaded(store, key) for key in KEYS))
        assert [found.raw for found in store.load_many(KEYS)] == [
            key.encode() for key in KEYS
        ]
        assert store.replace(keys[0], keys[0].encode(), b"new", 60) is Replacement.DONE

    def test_a_node_that_hangs_keeps_nobody_longer_than_the_budget(
        self, cluster, store
    ):
        lost = cluster.primaries[0]
        key = next(key for key in KEYS if cluster.owner_of(where(key)) is lost)
        other = next(key for key in KEYS if cluster.owner_of(where(key)) is not lost)
        store.create(key, b"raw", 600)
        store.create(other, b"raw", 600)
        lost.ask("WAIT", 1, 5000)

        lost.pause()

        began = time.monotonic()
        with budget.of_seconds(0.25), pytest.raises(StorageUnavailable):
            store.load(key)
        assert time.monotonic() - began < 2
        assert store.load(other).raw == b"raw"
        wait_until(lambda: _is_loaded(store, key))

    def test_the_engine_goes_on_and_keeps_every_write(self, cluster):
        """What was answered while a primary was dead is there in the end."""
        factory = "sessions_backend.cluster.ConnectionFactory"
        caches = caches_with(cluster.urls, CONNECTION_FACTORY=factory)
        with override_settings(CACHES=caches, SESSION_REDIS_BUDGET_MS=500):
            sessions = [SessionStore() for _ in range(12)]
            for session in sessions:
                session["pizzas"] = 1
                session.create()
            cluster.primaries[0].ask("WAIT", 1, 5000)

            cluster.primaries[0].stop()
            wait_until(lambda: _all_eat(sessions) and failover.is_degraded())
            wait_until(lambda: not failover.is_degraded() and _all_eat(sessions))

            eaten = [session["pizzas"] for session in sessions]
            store = blocking(cluster, count=4)
            keys = [names.record_key(str(session.session_key)) for session in sessions]
            kept = [record.decode(found.raw) for found in store.load_many(keys)]
            assert [data["pizzas"] for data in kept] == eaten
            assert min(eaten) > 2


def _all_eat(sessions):
    for session in sessions:
        session["pizzas"] += 1
        session.save()
    return True


def _is_loaded(store, key):
    try:
        with budget.of_seconds(0.5):
            return store.load(key) is not None
    except StorageUnavailable:
        return False


class TestTheFactory:
    def test_gives_each_node_what_the_alias_says(self):
        options = {
            "PASSWORD": "mamma-mia",
            "SOCKET_TIMEOUT": 3,
            "CONNECTION_POOL_KWARGS": {"max_connections": 7},
        }
        url = "rediss://luigi@node-1.example:6379/0?ssl_ca_certs=/etc/ca.pem"

        pool = ConnectionFactory(options).connect(url).connection_pool
        other = pool.at(("fd00::2", 7002))

        assert isinstance(other, ClusterPool)
        assert pool.address == ("node-1.example", 6379)
        assert other.address == ("fd00::2", 7002)
        assert other.max_connections == 7
        assert other.connection_class is pool.connection_class
        for name in ("username", "password", "socket_timeout", "ssl_ca_certs"):
            assert other.connection_kwargs[name] == pool.connection_kwargs[name]
        assert other.connection_kwargs["password"] == "mamma-mia"

    def test_does_not_take_over_a_pool_of_a_single_server(self):
        from django_redis.pool import ConnectionFactory as Plain  # noqa: PLC0415

        url = "redis://node-9.example:6379/0"
        Plain({}).connect(url)

        pool = ConnectionFactory({}).connect(url).connection_pool

        assert isinstance(pool, ClusterPool)
