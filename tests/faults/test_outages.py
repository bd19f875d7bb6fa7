"""
Redis fails under a steady load of several workers, and nobody notices.

The rows of the table of faults (`users-and-faults.md`, section 4) that make Redis
unreachable, or make it refuse. Each is begun and ended while 72 requests a second come.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from tests.faults.history import Person
from tests.faults.load import Load
from tests.faults.site import BUDGET
from tests.faults.stage import Stage, raised, wait_until
from tests.servers import Valkey

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


def _answers(row: str, begin: Callable[..., Any], end: Callable[..., Any]) -> Fault:
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


NUISANCES = (
    _network("6-packets-of-one-byte", lambda stage: stage.proxy.slice()),
    _network("7-slow-close", lambda stage: stage.proxy.close_slowly(0.5)),
    _network("8-latency-of-20-ms", lambda s: s.proxy.delay(0.02, jitter=0.01)),
    _network("23-every-connection-cut", lambda stage: stage.proxy.cut()),
    _answers("23-client-kill", lambda c, _: _kill_all(c), lambda c, _: _kill_all(c)),
    _answers("24-script-flush", lambda c, _: c.script_flush(), lambda c, _: None),
)


def _kill_all(client):
    client.client_kill_filter(_type="normal", skipme=True)


@pytest.mark.parametrize("fault", NUISANCES, ids=str)
def test_a_nuisance_is_no_outage(stage, fault):
    people = stage.people()
    log = stage.site.log_position()

    with Load(stage.site, people) as load:
        time.sleep(0.5)
        fault.begin(stage)
        time.sleep(1)
        fault.end(stage)
        time.sleep(0.5)

    stage.check_load(load, budget=BUDGET)
    stage.check_nothing_was_lost(people)
    stage.check_connections()
    assert not [line for line in stage.site.log(since=log) if line[1] == "ERROR"]


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
    with raised(tmp_path, is_away=True) as stage:
        assert set(stage.serving().values()) == {"local"}
        pid = stage.site.pids[0]
        answer = stage.site.get("/begin?owner=early", pid=pid)
        assert answer.status == 200
        assert answer.cookie is not None
        assert stage.site.get("/read", "left-from-before", pid=pid).status == 503

        stage.server.start()
        stage.check_recovered(time.monotonic())

        cookie = answer.cookie.value
        wait_until(lambda: _has(stage, cookie), seconds=5)
        for pid in stage.site.pids:
            read = stage.site.get("/read", cookie, pid=pid)
            assert read.body["owner"] == "early"


def test_a_thousand_first_visits_leave_nothing(stage):
    """Row 32: whoever sends no cookie and needs no session costs no key."""
    with stage.redis() as client:
        before = client.dbsize()
        for number in range(1000):
            stage.site.get("/plain", pid=stage.site.pids[number % len(stage.site.pids)])
        assert client.dbsize() == before
