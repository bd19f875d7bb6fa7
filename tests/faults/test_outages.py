"""
Redis fails under a steady load of several workers, and nobody notices.

The rows of the table of faults (`users-and-faults.md`, section 4) that make Redis
unreachable, or make it refuse. Each is begun and ended while 96 requests a second come.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from tests.faults.history import Person
from tests.faults.load import Load
from tests.faults.project import names
from tests.faults.site import BUDGET, WORKERS, Metrics
from tests.faults.stage import (
    MOST_CONNECTIONS,
    PASSWORD,
    Stage,
    raised,
    wait_until,
)
from tests.servers import Valkey
from tests.sessions_backend.servers.kinds import debians_redis

_OUTAGE_SECONDS = 2.5
_MOST_FAILURES = 3
_FAST = 0.005
# A request that waited for longer than this has met the fault itself.
_MET = 0.05
# Lines of faults that pass unnoticed; an outage may bring them along.
_NOTES = ("A connection to Redis broke", "Redis has lost a script")


@dataclass(frozen=True)
class Fault:
    row: str
    begin: Callable[[Stage], None]
    end: Callable[[Stage], None]
    # Bytes that each session holds.
    padding: int = 200
    # How often the workers together must have counted what, at least.
    told: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.row


def _network(row: str, begin: Callable[[Stage], None], **more: Any) -> Fault:
    return Fault(row, begin, lambda stage: stage.proxy.heal(), **more)


def _answers(
    row: str, begin: Callable[..., Any], end: Callable[..., Any], **more: Any
) -> Fault:
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

    return Fault(row, begun, ended, **more)


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
    client.config_set("requirepass", PASSWORD)


def _forbids(client, stage):
    client.execute_command("ACL SETUSER default -@all +acl +client|setinfo +ping +auth")


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
    _network("9-a-kilobyte-a-second", lambda s: s.proxy.limit(1000), padding=4000),
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
    people = stage.people(padding=fault.padding)
    log, told = stage.site.log_position(), stage.site.metrics()

    with Load(stage.site, people) as load:
        time.sleep(0.5)
        fault.begin(stage)
        began = time.monotonic()
        time.sleep(_OUTAGE_SECONDS)
        during, shown = stage.serving(), stage.site.metrics()
        healed = time.monotonic()
        fault.end(stage)
        stage.check_recovered(max(healed, time.monotonic()))
        time.sleep(0.3)

    assert shown.gauge("degraded") == (fault not in WRITES_REFUSED)
    assert shown.gauge("journal_changes") > 0
    assert set(during.values()) == {"redis" if fault in WRITES_REFUSED else "local"}
    stage.check_load(load, budget=BUDGET)
    if fault not in WRITES_REFUSED:
        _check_breaker(load, began, healed)
    stage.check_nothing_was_lost(people)
    stage.check_connections()
    _check_log(stage, log)
    if fault in WRITES_REFUSED:
        stage.check_told(told, refusals_of_writes=WORKERS, redis_failures=WORKERS)
    else:
        events = ("outages", "returns", "redis_failures", "served_by_fallback")
        stage.check_told(told, **dict.fromkeys(events, WORKERS))


def _check_breaker(load: Load, began: float, healed: float) -> None:
    """
    Once three requests of a worker have met the outage, no other waits for it.

    A machine that stalls for a moment makes a few look as if they had; a breaker that
    lets requests through shows in one of ten, or in many that spent all they had.
    """
    for pid in load.site.pids:
        answers = [
            event.answer
            for event in load.history.events
            if event.answer.pid == pid and began < event.answer.began < healed
        ]
        assert len(answers) > 10
        met = sorted(a.began + a.spent for a in answers if a.waited > _MET)
        if len(met) >= _MOST_FAILURES:
            opened = met[_MOST_FAILURES - 1]
            late = sorted(a.waited for a in answers if a.began > opened + 0.01)
            assert all(waited < _FAST for waited in late[: len(late) * 9 // 10])
            assert len([waited for waited in late if waited >= BUDGET]) <= 1


def _check_log(stage: Stage, position: int) -> None:
    """A worker writes one line when its outage begins and one when it is over."""
    for pid in stage.site.pids:
        lines = [
            line
            for line in stage.site.log(since=position)
            # Each request that meets it writes a warning.
            if line[0] == pid
            and line[1] != "WARNING"
            and not line[2].startswith(_NOTES)
        ]
        levels = [level for _, level, _ in lines]
        assert levels == ["ERROR", "INFO"], lines
    assert all(PASSWORD not in line[2] for line in stage.site.log(since=position))


NUISANCES = (
    _network("6-packets-of-one-byte", lambda stage: stage.proxy.slice()),
    _network("7-slow-close", lambda stage: stage.proxy.close_slowly(0.5)),
    _network("8-latency-of-20-ms", lambda s: s.proxy.delay(0.02, jitter=0.01)),
    _network("8-latency-of-50-ms", lambda s: s.proxy.delay(0.05, jitter=0.03)),
    _network(
        "23-every-connection-cut",
        lambda stage: stage.proxy.cut(),
        told={"broken_connections": WORKERS},
    ),
    _answers(
        "23-client-kill",
        lambda client, _: _kill_all(client),
        lambda client, _: _kill_all(client),
        told={"broken_connections": 2 * WORKERS},
    ),
    Fault(
        "57-no-name",
        lambda stage: _look_up_anew(stage, names.FAILS),
        lambda stage: _look_up_anew(stage, names.WORKS),
        told={"remembered_addresses": WORKERS},
    ),
    Fault(
        "57-a-name-after-ten-seconds",
        lambda stage: _look_up_anew(stage, names.HANGS),
        lambda stage: _look_up_anew(stage, names.WORKS),
        told={"remembered_addresses": WORKERS},
    ),
)


def _look_up_anew(stage: Stage, how: str) -> None:
    """Change what a name leads to, and let every connection be made again."""
    stage.site.resolver(how)
    # The last answer is fresh for a second.
    time.sleep(1.1)
    stage.proxy.cut()


def _kill_all(client):
    client.client_kill_filter(_type="normal", skipme=True)


@pytest.mark.parametrize("fault", NUISANCES, ids=str)
def test_a_nuisance_is_no_outage(stage, fault):
    _check_nuisance(stage, fault)


def test_scripts_that_are_gone_are_sent_again(tmp_path):
    """Row 24, on Redis 7.0: a newer Valkey saves without a script."""
    gone = _answers(
        "24-script-flush",
        lambda client, _: client.script_flush(),
        lambda client, _: None,
        told={"reloaded_scripts": 1},
    )
    with raised(tmp_path, program=debians_redis()) as stage:
        _check_nuisance(stage, gone)


def _check_nuisance(stage: Stage, fault: Fault) -> None:
    people = stage.people()
    log, told = stage.site.log_position(), stage.site.metrics()

    with Load(stage.site, people) as load:
        time.sleep(0.5)
        fault.begin(stage)
        time.sleep(1)
        fault.end(stage)
        time.sleep(0.5)

    stage.check_load(load, budget=BUDGET)
    stage.check_nothing_was_lost(people)
    stage.check_connections()
    lines = stage.site.log(since=log)
    assert not [line for line in lines if line[1] == "ERROR"]
    assert lines or not fault.told
    stage.check_told(told, **fault.told)


def test_logouts_stay_logouts(stage):
    """One just before the outage by another worker, and one in the midst of it."""
    before, meanwhile, kept = stage.people(3)
    for person in (before, meanwhile, kept):
        person.log_in(stage.site, pid=stage.site.pids[0])
        person.show_to(stage.site, *stage.site.pids)

    stage.site.get("/logout", before.cookie, pid=stage.site.pids[1])
    time.sleep(0.05)
    stage.server.stop()
    for pid in stage.site.pids:
        assert stage.site.get("/read", before.cookie, pid=pid).status in {403, 503}
        assert stage.site.get("/read", kept.cookie, pid=pid).status == 200
    stage.site.get("/logout", meanwhile.cookie, pid=stage.site.pids[1])
    ended = stage.site.get("/read", meanwhile.cookie, pid=stage.site.pids[1])
    assert ended.status == 403
    stage.server.start()
    stage.check_recovered(time.monotonic())

    wait_until(lambda: _is_ended(stage, meanwhile), seconds=5)
    stage.check_ended(before.cookie)
    stage.check_nothing_was_lost([kept])


def _is_ended(stage, person):
    answers = [stage.site.get("/read", person.cookie, pid=p) for p in stage.site.pids]
    return all(answer.status == 403 for answer in answers)


def test_a_login_in_an_outage_rotates_and_lives_on(stage):
    person = Person.arriving_at(stage.site)
    stage.server.stop()
    pid = stage.site.pids[0]
    former = person.cookie

    person.log_in(stage.site, pid=pid)

    assert person.cookie != former
    assert stage.site.get("/read", person.cookie, pid=pid).body["user"] == person.name
    stage.server.start()
    stage.check_recovered(time.monotonic())
    wait_until(lambda: _has(stage, person.cookie), seconds=5)
    stage.check_nothing_was_lost([person])
    stage.check_ended(former)


def _has(stage, cookie):
    with stage.redis() as client:
        return bool(client.exists(f"session:{cookie}"))


def test_who_was_never_seen_waits(stage):
    with stage.redis() as client:
        client.set("session:never-seen-by-any-worker", '{"owner": "stranger"}', ex=600)
    stage.server.stop()

    for pid in stage.site.pids:
        answer = stage.site.get("/read", "never-seen-by-any-worker", pid=pid)
        assert answer.status == 503
        assert answer.retry_after
        assert answer.cookie is None
        plain = stage.site.get("/plain", "never-seen-by-any-worker", pid=pid)
        assert plain.status == 200
        assert plain.cookie is None


def test_calls_of_an_open_breaker_are_quick(stage):
    person = Person.arriving_at(stage.site)
    stage.proxy.black_hole()
    pid = stage.site.pids[0]
    for _ in range(_MOST_FAILURES):
        stage.site.get("/calls", person.cookie, pid=pid)

    times = stage.site.get("/calls", person.cookie, pid=pid).body["milliseconds"]

    assert max(times) < _FAST * 1000


def test_a_redis_that_is_loading_is_away(tmp_path):
    """Row 14: the dataset is read for seconds, and every command refused meanwhile."""
    with raised(tmp_path) as stage:
        people = stage.people(2)
        with stage.redis() as client:
            client.config_set("key-load-delay", "2000")
            for number in range(2000):
                client.set(f"other:{number}", "x")
        stage.server.stop()
        with Load(stage.site, people) as load:
            time.sleep(0.5)
            stage.server.arguments += ("--key-load-delay", "1500")
            stage.server.start()
            time.sleep(2)
            stage.check_recovered(time.monotonic() + 3)
        stage.check_load(load, budget=BUDGET)
        stage.check_nothing_was_lost(people)


class TestAStrictSite:
    @pytest.fixture
    def stage(self, tmp_path):
        with raised(tmp_path, FAULTS_STRICT="true") as stage:
            yield stage

    def test_answers_503_throughout(self, stage):
        person = Person.arriving_at(stage.site)
        stage.server.stop()

        for _ in range(3):
            for pid in stage.site.pids:
                answer = stage.site.get("/read", person.cookie, pid=pid)
                assert answer.status == 503
                assert answer.retry_after
                assert answer.cookie is None
                assert stage.site.get("/plain", person.cookie, pid=pid).status == 200
        stage.server.start()

        def reads(pid: int) -> bool:
            status: int = stage.site.get("/read", person.cookie, pid=pid).status
            return status == 200

        for pid in stage.site.pids:
            wait_until(partial(reads, pid))


@pytest.mark.parametrize("alias", ["files", "table", "another"])
class TestASharedFallback:
    def test_shows_every_worker_the_same(self, tmp_path, alias):
        with (
            Valkey(tmp_path / "another") as another,
            raised(
                tmp_path, FAULTS_FALLBACK=alias, FAULTS_ANOTHER_URL=another.url
            ) as stage,
        ):
            person = Person.arriving_at(stage.site)
            stage.server.stop()
            for number, pid in enumerate(stage.site.pids * 2):
                path = f"/write?entry=entry-{number}"
                assert stage.site.get(path, person.cookie, pid=pid).status == 200
                person.entries.add(f"entry-{number}")
            # Not only at the end: each worker sees what the others have written.
            stage.check_nothing_was_lost([person])
            stage.site.get("/logout", person.cookie, pid=stage.site.pids[0])
            assert _is_ended(stage, person)
            stage.server.start()
            stage.check_recovered(time.monotonic())
            wait_until(lambda: not _has(stage, person.cookie), seconds=5)
            stage.check_ended(person.cookie)


def test_a_start_without_redis_ends_by_itself(tmp_path):
    """Row 1: every worker starts, serves, and goes over to Redis when it comes."""
    with raised(tmp_path, is_away=True) as stage:
        site = stage.site
        assert set(stage.serving().values()) == {"local"}
        for pid in site.pids:
            assert site.get("/store", pid=pid).body["degraded"]
            assert site.get("/read", "left-from-before", pid=pid).status == 503
        # Each worker has a memory of its own.
        people = [Person.beginning_at(site, pid=pid) for pid in site.pids * 2]

        # What a worker has begun alone the others learn of when it has told Redis.
        with Load(site, people, is_sticky=True) as load:
            time.sleep(1)
            stage.server.start()
            stage.check_recovered(time.monotonic())
            time.sleep(0.5)

        stage.check_load(load, budget=BUDGET)
        stage.check_nothing_was_lost(people)
        stage.check_told(Metrics(), outages=WORKERS, returns=WORKERS)


def test_a_redis_at_the_edge_of_the_budget_fails_nobody(stage):
    """Row 8: some requests are in time and some are not, now and then."""
    people, told = stage.people(), stage.site.metrics()

    with Load(stage.site, people) as load:
        stage.proxy.delay(0.2, jitter=0.08)
        time.sleep(3)
        stage.proxy.heal()
        stage.check_recovered(time.monotonic())

    stage.check_load(load, budget=BUDGET)
    stage.check_nothing_was_lost(people)
    stage.check_connections()
    stage.check_told(told, redis_failures=1, served_by_fallback=1)


def test_one_probe_at_a_time_asks_and_no_herd_returns(stage):
    """Row 10: 96 requests a second come, and hardly a connection is made."""
    people = stage.people()

    with Load(stage.site, people) as load:
        stage.proxy.black_hole()
        wait_until(lambda: stage.serves_from("local"), seconds=5)
        before = stage.proxy.accepted
        time.sleep(2)
        probes = stage.proxy.accepted - before
        stage.proxy.heal()
        stage.check_recovered(time.monotonic())
        time.sleep(1)
        returning = stage.proxy.accepted - before - probes

    stage.check_load(load, budget=BUDGET)
    # A probe waits for 0.7 s, and the next comes 0.25 s later.
    assert WORKERS <= probes <= WORKERS * 4
    assert returning <= MOST_CONNECTIONS + WORKERS
    stage.check_nothing_was_lost(people)


def test_fewer_connections_than_threads_are_no_outage(tmp_path):
    """Row 22: four threads and a probe of each worker share two connections."""
    options = '{"CONNECTION_POOL_KWARGS": {"max_connections": 2}}'
    with raised(tmp_path, FAULTS_REDIS_OPTIONS=options) as stage:
        people, told = stage.people(), stage.site.metrics()

        with Load(stage.site, people) as load:
            stage.proxy.delay(0.002)
            time.sleep(1.5)
            crowded = stage.site.metrics()
            stage.proxy.black_hole()
            time.sleep(1.5)
            stage.proxy.heal()
            stage.check_recovered(time.monotonic())

        assert crowded.count("outages") == told.count("outages") == 0
        stage.check_load(load, budget=BUDGET)
        stage.check_nothing_was_lost(people)
        # Two for requests, and one for the news of ended sessions.
        wait_until(lambda: stage.connections() <= WORKERS * 3, seconds=5)


def test_a_thousand_first_visits_leave_nothing(stage):
    """Row 32: whoever sends no cookie and needs no session costs no key."""
    with stage.redis() as client, ThreadPoolExecutor(16) as pool:
        before = client.dbsize()
        pids = stage.site.pids * 334
        visits = pool.map(lambda pid: stage.site.get("/plain", pid=pid), pids)
        answers = list(visits)
        assert {answer.status for answer in answers} == {200}
        assert all(answer.cookie is None for answer in answers)
        assert client.dbsize() == before
