import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.test import override_settings

from sessions_backend import failover, names
from sessions_backend.lease import Lease
from tests.servers import Valkey, wait_until
from tests.sessions_backend.conftest import caches_with


def lease(seconds: int = 60) -> Lease:
    return Lease("refresh:peach", seconds=seconds)


@pytest.mark.usefixtures("any_store")
class TestALease:
    def test_is_had_by_one_of_many_at_once(self):
        with ThreadPoolExecutor(8) as pool:
            won = list(pool.map(lambda _: lease().acquire(), range(8)))

        assert sum(won) == 1

    def test_is_free_again_when_it_was_given_back(self):
        holder, other = lease(), lease()
        assert holder.acquire()
        assert not other.acquire()

        holder.release()

        assert other.acquire()
        assert not holder.acquire()

    def test_that_was_given_back_goes_to_one_of_many(self):
        holder = lease()
        holder.acquire()
        holder.release()

        with ThreadPoolExecutor(8) as pool:
            won = list(pool.map(lambda _: lease().acquire(), range(8)))

        assert sum(won) == 1

    def test_ends_by_itself_when_its_holder_is_gone(self):
        assert lease(seconds=1).acquire()

        wait_until(lambda: lease().acquire(), seconds=5)

    def test_lives_on_while_it_is_renewed(self):
        holder = lease(seconds=2)
        holder.acquire()
        until = time.monotonic() + 3

        while time.monotonic() < until:
            assert holder.renew()
            assert not lease().acquire()
            time.sleep(0.2)

    def test_that_went_to_another_is_neither_renewed_nor_given_back(self):
        former, holder = lease(seconds=1), lease()
        former.acquire()
        wait_until(holder.acquire, seconds=5)

        assert not former.renew()
        former.release()
        former.rest(60)

        assert holder.renew()

    def test_rests_when_its_holder_says_so(self):
        holder, other = lease(), lease()
        holder.acquire()

        holder.rest(1)

        assert not other.acquire()
        assert other.is_resting
        wait_until(other.acquire, seconds=5)
        assert not other.is_resting

    def test_of_another_name_is_another(self):
        assert lease().acquire()
        assert Lease("refresh:toad", seconds=60).acquire()


def test_is_kept_beside_the_records_and_shows_no_name(redis_client):
    lease().acquire()

    (key,) = redis_client.keys("*lease*")
    assert not names.is_record(key)
    assert "peach" not in key
    assert redis_client.ttl(key) > 50


def test_is_the_processs_own_while_redis_is_away(tmp_path):
    with (
        Valkey(tmp_path / "valkey") as server,
        override_settings(CACHES=caches_with(server.url)),
    ):
        failover.reset()
        assert lease().acquire()
        server.stop()

        assert lease().acquire()
        assert not lease().acquire()

        # Redis hears nothing of it: nobody is to wait for it after the outage.
        server.start()
        wait_until(lambda: not failover.is_degraded(), seconds=20)
        with server.client() as client:
            assert client.keys("*lease*") == []
