"""
A clock jumps by an hour, forth and back, under load (rows 27 and 28).

libfaketime shows Redis another time, `project/clock.py` the workers. The monotonic
clock stays as it is, as it does when an administrator sets a clock.
"""

import time

import pytest

from tests.conftest import REQUIRED
from tests.faults.history import Person
from tests.faults.load import Load
from tests.faults.site import BUDGET
from tests.faults.stage import raised
from tests.servers import faketime

_IDLE_LIFE = 14 * 86400
_HOUR = 3600
# What a test takes.
_A_WHILE = 120


@pytest.fixture
def redis_clock(tmp_path):
    """Return the environment of a process with a clock of its own, and the clock."""
    library = faketime()
    if library is None:
        if "servers" in REQUIRED:
            pytest.fail("REQUIRE=servers, and there is no libfaketime")
        pytest.skip("no libfaketime")
    file = tmp_path / "clock"
    file.write_text("+0")
    environment = {
        "LD_PRELOAD": library,
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }

    def show(seconds: int) -> None:
        fresh = tmp_path / "clock.new"
        fresh.write_text(f"{seconds:+}")
        fresh.rename(file)

    return environment, show


def _check_jumps(stage, show, now) -> None:
    people = stage.people()
    toad = Person.arriving_at(stage.site)
    toad.log_in(stage.site, pid=stage.site.pids[0])

    with Load(stage.site, people) as load:
        for hours in (1, -1, 0):
            show(hours * _HOUR)
            time.sleep(0.7)
            assert abs(now() - time.time() - hours * _HOUR) < _A_WHILE
            with stage.redis() as client:
                for person in people:
                    # It ends by the wrong hour at most, and it does end.
                    ttl = client.ttl(f"session:{person.cookie}")
                    assert abs(ttl - _IDLE_LIFE) <= _HOUR + _A_WHILE
            for pid in stage.site.pids:
                mine = stage.site.get("/mine", toad.cookie, pid=pid)
                assert mine.body["sessions"] == [toad.cookie]
        # Copies and journals stand a wrong clock, too.
        show(_HOUR)
        stage.proxy.refuse()
        time.sleep(1)
        show(-_HOUR)
        time.sleep(0.5)
        stage.proxy.heal()
        stage.check_recovered(time.monotonic())
        show(0)

    stage.check_load(load, budget=BUDGET)
    stage.check_nothing_was_lost([*people, toad])


def test_a_jump_of_the_workers_clock_logs_nobody_out(tmp_path):
    with raised(tmp_path, FAULTS_ABSOLUTE_AGE="2592000") as stage:
        site = stage.site
        _check_jumps(
            stage,
            site.show_clock,
            lambda: site.get("/clock", pid=site.pids[0]).body["now"],
        )


def test_a_jump_of_the_clock_of_redis_logs_nobody_out(tmp_path, redis_clock):
    environment, show = redis_clock
    with raised(
        tmp_path, FAULTS_ABSOLUTE_AGE="2592000", server_environment=environment
    ) as stage:

        def now() -> float:
            with stage.redis() as client:
                return float(client.time()[0])

        _check_jumps(stage, show, now)
