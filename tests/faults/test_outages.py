"""
Redis fails under a steady load of several workers, and nobody notices.

The rows of the table of faults (`users-and-faults.md`, section 4) that make Redis
unreachable, or make it refuse. Each is begun and ended while 72 requests a second come.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from tests.faults.load import Load
from tests.faults.site import BUDGET
from tests.faults.stage import Stage, wait_until

_OUTAGE_SECONDS = 2.5
_MOST_FAILURES = 3
_FAST = 0.005
# A request that waited for longer than this has met the fault itself.
_MET = 0.05


@dataclass(frozen=True)
class Fault:
    row: str
    begin: Callable[[Stage], None]
    end: Callable[[Stage], None]

    def __str__(self) -> str:
        return self.row


def _network(row: str, begin: Callable[[Stage], None]) -> Fault:
    return Fault(row, begin, lambda stage: stage.proxy.heal())


def _answers(row: str, begin: Callable, end: Callable) -> Fault:
    """Let Redis itself refuse, as an administrator or its host makes it."""
    # One connection for both: it is not locked out by what it does.
    kept = ExitStack()
    client: list[Any] = []

    def begun(stage: Stage) -> None:
        client[:] = [kept.enter_context(stage.redis())]
        begin(client[0], stage)

    def ended(stage: Stage) -> None:
        with kept:
            end(client[0], stage)

    return Fault(row, begun, ended)


def _is_full(client, stage):
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", "1")


def _has_room(client, stage):
    client.config_set("maxmemory", "0")


def _cannot_be_kept(client, stage):
    # What the file is to be renamed to is a folder: every snapshot fails.
    (stage.server.folder / "dump.rdb").unlink(missing_ok=True)
    (stage.server.folder / "dump.rdb").mkdir()
    client.config_set("save", "3600 1")
    client.bgsave()
    wait_until(lambda: _last_snapshot(client) == "err", seconds=5)


def _can_be_kept(client, stage):
    (stage.server.folder / "dump.rdb").rmdir()
    client.bgsave()
    wait_until(lambda: _last_snapshot(client) == "ok", seconds=5)
    client.config_set("save", "")


def _last_snapshot(client):
    return client.info("persistence")["rdb_last_bgsave_status"]


def _is_demoted(client, stage):
    # Nobody is there to copy from: the data stays, and writes are refused.
    client.replicaof("127.0.0.1", "9")


def _is_promoted(client, stage):
    client.replicaof("NO", "ONE")


def _wants_a_password(client, stage):
    client.config_set("requirepass", "a-new-password")
    client.client_kill_filter(_type="normal", skipme=True)


def _wants_none(client, stage):
    client.config_set("requirepass", "")


def _forbids(client, stage):
    client.execute_command("ACL SETUSER default -@all +acl +client|setinfo +ping")


def _allows(client, stage):
    client.execute_command("ACL SETUSER default +@all")


def _is_crowded(client, stage):
    client.client_kill_filter(_type="normal", skipme=True)
    client.config_set("maxclients", "1")


def _is_quiet(client, stage):
    client.config_set("maxclients", "10000")


def _kill(stage):
    stage.server.stop()


def _restart(stage):
    stage.server.start()


UNREACHABLE = (
    _network("2-refused", lambda stage: stage.proxy.refuse()),
    Fault("2-and-12-killed", _kill, _restart),
    _network("3-black-hole", lambda stage: stage.proxy.black_hole()),
    _network("4-reset-in-mid-reply", lambda stage: stage.proxy.reset_in_mid_reply()),
    _network("5-truncated", lambda stage: stage.proxy.truncate()),
    _network("8-latency-of-a-second", lambda stage: stage.proxy.delay(1, jitter=0.3)),
    _network("9-starved", lambda stage: stage.proxy.limit(100)),
    Fault("11-stopped", lambda s: s.server.pause(), lambda s: s.server.resume()),
    _network("11-held", lambda stage: stage.proxy.hold()),
)
# Reads go on from Redis; the writes wait.
WRITES_REFUSED = (
    _answers("15-out-of-memory", _is_full, _has_room),
    _answers("17-readonly", _is_demoted, _is_promoted),
    _answers("18-misconf", _cannot_be_kept, _can_be_kept),
)
REFUSING = (
    _answers("19-noauth", _wants_a_password, _wants_none),
    _answers("19-noperm", _forbids, _allows),
    _answers("21-max-clients", _is_crowded, _is_quiet),
)
SILENT = ("3-black-hole", "8-latency-of-a-second", "11-stopped", "11-held")


@pytest.mark.parametrize("fault", UNREACHABLE + REFUSING + WRITES_REFUSED, ids=str)
def test_an_outage_is_not_felt(stage, fault):
    people = stage.people()
    log = stage.site.log_position()

    with Load(stage.site, people) as load:
        time.sleep(0.5)
        fault.begin(stage)
        began = time.monotonic()
        time.sleep(_OUTAGE_SECONDS)
        during = stage.serving()
        healed = time.monotonic()
        fault.end(stage)
        stage.check_recovered(max(healed, time.monotonic()))
        time.sleep(0.3)

    assert set(during.values()) == {"redis" if fault in WRITES_REFUSED else "local"}
    stage.check_load(load, budget=BUDGET)
    _check_breaker(load, began, healed)
    stage.check_nothing_was_lost(people)
    stage.check_connections()
    _check_log(stage, log)


def _check_breaker(load: Load, began: float, healed: float) -> None:
    """Once three requests of a worker have met the outage, no other waits for it."""
    for pid in load.site.pids:
        answers = [
            event.answer
            for event in load.history.events
            if event.answer.pid == pid and began < event.answer.began < healed
        ]
        met = sorted(a.began + a.spent for a in answers if a.waited > _MET)
        if len(met) >= _MOST_FAILURES:
            opened = met[_MOST_FAILURES - 1]
            late = [a.waited for a in answers if a.began > opened + 0.01]
            assert max(late, default=0) < _FAST
        assert len(answers) > 10


def _check_log(stage: Stage, position: int) -> None:
    """A worker writes one line when its outage begins and one when it is over."""
    for pid in stage.site.pids:
        lines = [
            line
            for line in stage.site.log(since=position)
            # Each request that meets it writes a warning.
            if line[0] == pid and line[1] != "WARNING"
        ]
        levels = [level for _, level, _ in lines]
        assert levels in (["ERROR", "INFO"], ["ERROR"]), lines
        assert all("password" not in message for _, _, message in lines)
