"""The way back from an outage, step by step, with a real Redis and no outage's luck."""

import base64
import logging
import threading
import time
from types import SimpleNamespace

import pytest
from django.test import override_settings

from sessions_backend import budget, health, names, recovery, sealing
from sessions_backend.exceptions import StorageUnavailable
from sessions_backend.journal import KEPT_SECONDS, REVOKED
from sessions_backend.recovery import Listener, Recovery
from sessions_backend.signals import outage_began, outage_ended, session_ended
from sessions_backend.stores.base import Replacement, finish
from tests.servers import wait_until
from tests.sessions_backend.situation import READ_ONLY, TTL, Stage

OLD, NEW, THEIRS = b'{"a":1}', b'{"a":1,"b":2}', b'{"a":1,"c":3}'
BOTH = b'{"a":1,"c":3,"b":2}'


@pytest.fixture
def key():
    return names.record_key("a-session-of-somebody")


@pytest.fixture
def other():
    return names.record_key("a-session-of-another")


@pytest.fixture
def stage():
    stage = Stage()
    stage.recovery.mark()
    return stage


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch):
    monkeypatch.setattr(recovery, "PAUSE_SECONDS", 0.01)


@pytest.fixture
def working():
    """A stage whose recovery has a thread of its own."""
    stage = Stage(recovers=Recovery)
    yield stage
    stage.recovery.stop()


@pytest.fixture
def signals():
    """What others are told of an outage, as words."""
    told = []

    def began(sender, reason, **_):
        assert sender is Recovery
        told.append(f"began: {reason}")

    def ended(sender, seconds, **_):
        # What fails here is not told, and missed below.
        assert sender is Recovery
        assert 0 <= seconds < 60
        told.append("ended")

    outage_began.connect(began)
    outage_ended.connect(ended)
    yield told
    outage_began.disconnect(began)
    outage_ended.disconnect(ended)


def counted(event):
    return health.counts().get(event, 0)


def raw_of(stored):
    return None if stored is None else stored.raw


def known(stage, key):
    return raw_of(stage.copies.get(key, away_since=0))


def loses_its_data(stage, redis_client):
    redis_client.flushall()
    stage.breaks()


class TestTheMark:
    def test_tells_this_redis_from_another(self, stage, redis_client):
        mark = stage.redis.marker
        assert not stage.recovery.is_of_another(finish(mark()))

        redis_client.flushall()

        assert stage.recovery.is_of_another(finish(mark()))
        assert stage.recovery.is_of_another(b"another")

    def test_is_not_two_processes_own(self, stage, redis_client):
        other = Stage()
        assert not other.recovery.is_of_another(None)

        other.recovery.mark()

        mark = redis_client.get(names.MARKER)
        assert len(mark) == 16
        assert not other.recovery.is_of_another(mark.encode())
        assert not stage.recovery.is_of_another(mark.encode())

    def test_is_another_with_each_redis(self, stage, redis_client):
        former = redis_client.get(names.MARKER)
        redis_client.flushall()

        stage.recovery.mark()

        assert redis_client.get(names.MARKER) != former

    def test_is_set_anew_where_redis_was_emptied_by_hand(
        self, stage, key, redis_client, caplog
    ):
        stage.store.create(key, OLD, TTL)
        redis_client.flushall()

        stage.recovery.note_emptied_by_hand()

        assert caplog.messages == ["Redis was emptied; all sessions have ended."]
        assert key not in stage.copies
        assert not stage.recovery.is_of_another(redis_client.get(names.MARKER).encode())

    def test_is_set_later_if_redis_fails_at_that_moment(self, stage, redis_client):
        redis_client.flushall()
        stage.goes_away()

        stage.recovery.note_emptied_by_hand()

        assert not stage.recovery.is_of_another(b"whatever it is then")


class TestAnOutage:
    def test_is_told_of_once(self, stage, signals):
        before: float | None = stage.recovery.away_since
        assert before is None
        began_at = time.time()

        stage.recovery.note_outage("first")
        since: float = stage.recovery.away_since
        stage.recovery.note_outage("second")

        assert signals == ["began: first"]
        assert health.values()["degraded"] == 1
        assert began_at <= since <= time.time()
        assert stage.recovery.away_since == since
        assert stage.recovery.begun == 2

    def test_of_writes_is_told_of_once_until_they_are_taken(self, stage, caplog):
        caplog.set_level(logging.INFO)
        before = counted("refusals_of_writes")
        stage.recovery.note_refusal(READ_ONLY)
        stage.recovery.note_refusal(READ_ONLY)
        assert counted("refusals_of_writes") == before + 1

        stage.recovery._return()
        stage.recovery._return()
        stage.recovery.note_refusal(READ_ONLY)

        assert [line for line in caplog.messages if "writes" in line] == [
            f"Redis refuses writes: {READ_ONLY}",
            "Redis takes writes again.",
            f"Redis refuses writes: {READ_ONLY}",
        ]
        assert counted("refusals_of_writes") == before + 2


class TestItsThread:
    def test_works_until_redis_has_heard_everything(self, working, key, signals):
        working.store.create(key, OLD, TTL)
        working.goes_away()
        working.breaker.is_open = True
        working.store.replace(key, OLD, NEW, TTL)
        working.recovery.note_outage("nobody there")
        asked = working.redis.asked
        wait_until(lambda: working.redis.asked > asked + 2)
        assert working.recovery._thread.name == "sessions-recovery"
        assert working.recovery._thread.daemon

        working.is_back()
        wait_until(lambda: working.recovery._thread is None)

        assert raw_of(working.there.load(key)) == NEW
        assert not working.breaker.is_open
        assert working.recovery.away_since is None
        assert signals == ["began: nobody there", "ended"]
        assert health.values()["degraded"] == 0

    def test_has_ended_when_it_was_told_to(self, working, monkeypatch):
        begun = threading.Event()

        def probe():
            begun.set()
            time.sleep(0.3)

        monkeypatch.setattr(working.recovery, "_probe", probe)
        working.breaker.is_open = True
        working.recovery.begin()
        thread = working.recovery._thread
        assert begun.wait(10)

        working.recovery.stop()

        assert not thread.is_alive()

    def test_is_one(self, working):
        working.goes_away()
        working.breaker.is_open = True

        working.recovery.begin()
        thread = working.recovery._thread
        working.recovery.begin()

        assert working.recovery._thread is thread

    def test_is_not_begun_after_the_end(self, working):
        working.goes_away()
        working.breaker.is_open = True
        working.recovery.begin()
        thread = working.recovery._thread

        working.recovery.stop()

        thread.join(10)
        assert not thread.is_alive()
        working.recovery._thread = None
        working.recovery.begin()
        assert working.recovery._thread is None

    def test_can_be_told_to_end_by_what_it_tells(self, working):
        """A receiver of `outage_ended` may reset the engine, in this very thread."""
        ended = []

        def reset(**_):
            working.recovery._thread = threading.current_thread()
            working.recovery.stop()
            ended.append(True)

        outage_ended.connect(reset)
        try:
            working.recovery.note_outage("for a moment")
            wait_until(lambda: ended)
        finally:
            outage_ended.disconnect(reset)

    def test_ends_without_a_word_where_nothing_was_told(self, stage, signals):
        Recovery._run(stage.recovery)

        assert signals == []

    @pytest.mark.parametrize("work", ["_probe", "_return"])
    def test_goes_on_after_an_error_of_its_own(self, stage, caplog, work, monkeypatch):
        left = [RuntimeError("a fault in the engine"), StorageUnavailable("away again")]
        done = getattr(stage.recovery, work)

        def fail():
            if left:
                # So that this round is not the last.
                stage.breaker.is_open = True
                raise left.pop(0)
            stage.breaker.is_open = False
            done()

        monkeypatch.setattr(stage.recovery, work, fail)
        stage.breaker.is_open = True
        if work == "_probe":
            monkeypatch.setattr(stage.breaker, "close", lambda: None)

        Recovery._run(stage.recovery)

        assert left == []
        assert caplog.messages == ["Returning to Redis has failed; trying again."]

    @pytest.mark.parametrize("reason", ["open", "journal", "moved"])
    def test_is_not_done_while_something_is_left(self, stage, key, reason, monkeypatch):
        rounds = []

        def work():
            rounds.append(1)
            is_left = len(rounds) < 3
            stage.breaker.is_open = is_left and reason == "open"
            stage.recovery._has_moved = is_left and reason == "moved"
            if reason == "journal":
                if len(rounds) == 1:
                    stage.journal.create(key, OLD, TTL)
                if not is_left:
                    stage.journal.settle(key, stage.there, is_emptied=False)

        monkeypatch.setattr(stage.recovery, "_return", work)

        Recovery._run(stage.recovery)

        assert len(rounds) == 3


class TestTheProbe:
    def test_asks_for_a_session_as_requests_do(self, stage, key, monkeypatch):
        stage.store.create(key, OLD, TTL)
        loaded = []

        async def load(key):
            loaded.append(key)

        monkeypatch.setattr(stage.redis, "load", load)

        stage.recovery._probe()

        assert loaded == [key]

    def test_asks_for_none_where_none_is_known(self, stage):
        asked = stage.redis.asked

        stage.recovery._probe()

        assert stage.redis.asked == asked + 1

    def test_has_the_time_of_a_probe_and_then_of_a_request(
        self, stage, key, monkeypatch, settings
    ):
        settings.SESSION_REDIS_BUDGET_MS = 123
        stage.copies.note(key, OLD, TTL)
        allowed = []

        async def ask(*_, **__):
            allowed.append(budget.current().remaining)
            return [None, None]

        async def marker():
            await ask()

        monkeypatch.setattr(stage.redis, "marker", marker)
        monkeypatch.setattr(stage.redis, "_ask", ask)

        stage.recovery._probe()

        assert allowed == [recovery.PROBE_SECONDS, 0.123]


class TestTheReturn:
    def test_closes_the_breaker_and_says_so(self, stage, caplog):
        caplog.set_level(logging.INFO)
        before = counted("returns")
        stage.breaker.is_open = True

        stage.recovery._return()

        assert not stage.breaker.is_open
        assert counted("returns") == before + 1
        assert caplog.messages == ["Redis is back."]

    def test_is_none_where_redis_was_never_away(self, stage, caplog):
        caplog.set_level(logging.INFO)
        before = counted("returns")

        stage.recovery._return()

        assert counted("returns") == before
        assert caplog.messages == []

    def test_marks_a_redis_that_was_away_from_the_start(self, redis_client):
        stage = Stage()
        stage.breaker.open_at_start()

        stage.recovery._return()

        mark = redis_client.get(names.MARKER)
        assert mark
        assert not stage.recovery.is_of_another(mark.encode())
        redis_client.set(names.MARKER, "another")
        assert stage.recovery.is_of_another(b"another")

    def test_does_not_mark_it_anew(self, stage, redis_client):
        former = redis_client.get(names.MARKER)

        stage.recovery._return()

        assert redis_client.get(names.MARKER) == former

    def test_brings_what_changed(self, stage, key, other, redis_client):
        stage.store.create(key, OLD, TTL)
        stage.store.create(other, OLD, TTL)
        stage.breaker.is_open = True
        stage.store.replace(key, OLD, NEW, TTL)
        stage.store.remove(other)

        stage.recovery._return()

        assert raw_of(stage.there.load(key)) == NEW
        assert not stage.there.exists(other)
        assert len(stage.journal) == 0

    def test_brings_what_was_linked_and_what_was_revoked(self, stage, redis_client):
        linked, revoked = names.label_key("issuer|1"), names.label_key("issuer|2")
        stage.store.claim(revoked, b"a-session", TTL)
        stage.breaker.is_open = True
        stage.store.claim(linked, b"another-session", TTL)
        stage.store.put(revoked, REVOKED, TTL)

        stage.recovery._return()

        assert redis_client.get(linked) == "another-session"
        assert redis_client.get(revoked) == REVOKED.decode()

    def test_gives_back_what_an_emptied_redis_has_lost(
        self, stage, key, other, redis_client
    ):
        for seen in (key, other):
            stage.store.create(seen, OLD, TTL)
        stage.breaker.is_open = True
        stage.store.replace(key, OLD, NEW, TTL)
        loses_its_data(stage, redis_client)

        stage.recovery._return()

        assert raw_of(stage.there.load(key)) == NEW
        assert raw_of(stage.there.load(other)) == OLD

    def test_gives_back_what_nothing_but_the_journal_knows(
        self, stage, key, redis_client
    ):
        stage.store.create(key, OLD, TTL)
        stage.breaker.is_open = True
        stage.store.replace(key, OLD, NEW, TTL)
        stage.copies.clear()
        loses_its_data(stage, redis_client)

        stage.recovery._return()

        assert raw_of(stage.there.load(key)) == NEW

    def test_that_fails_midway_leaves_the_breaker_open(self, stage, key, monkeypatch):
        stage.store.create(key, OLD, TTL)
        stage.breaker.is_open = True
        stage.recovery.place = b"0-0"

        async def fail(place):
            raise StorageUnavailable("away again")

        monkeypatch.setattr(stage.redis, "ended_since", fail)

        with pytest.raises(StorageUnavailable):
            stage.recovery._return()

        assert stage.breaker.is_open

    def test_gives_each_step_the_time_of_a_probe(self, stage, key, monkeypatch):
        stage.store.create(key, OLD, TTL)
        stage.breaker.is_open = True
        stage.store.replace(key, OLD, NEW, TTL)
        stage.recovery._marker = None
        allowed = []
        ask = stage.redis._ask

        async def noted(*commands, **options):
            allowed.append(budget.current().remaining)
            return await ask(*commands, **options)

        monkeypatch.setattr(stage.redis, "_ask", noted)
        with budget.of_seconds(0):
            stage.recovery._return()

        assert len(allowed) >= 3
        assert max(allowed) == recovery._STEP_SECONDS
        assert min(allowed) > 0


class TestSettlingBeforeTheExit:
    def test_tells_redis_what_it_has_not_heard(self, stage, key):
        stage.store.create(key, OLD, TTL)
        stage.breaker.is_open = True
        stage.store.replace(key, OLD, NEW, TTL)

        stage.recovery.settle_before_exit(2)

        assert raw_of(stage.there.load(key)) == NEW

    def test_asks_nothing_where_there_is_nothing_to_tell(self, stage):
        asked = stage.redis.asked

        stage.recovery.settle_before_exit(2)

        assert stage.redis.asked == asked

    def test_says_what_is_lost_with_the_process(self, stage, key, other, caplog):
        stage.goes_away()
        stage.breaker.is_open = True
        for begun in (key, other):
            stage.store.create(begun, OLD, TTL)

        stage.recovery.settle_before_exit(2)

        (line,) = caplog.messages
        assert line.startswith("Redis could not be told in time: changes of 2 sess")

    def test_takes_no_longer_than_it_may(self, stage, key, other, caplog, monkeypatch):
        stage.breaker.is_open = True
        for begun in (key, other):
            stage.store.create(begun, OLD, TTL)
        clock, settle = [0.0], stage.journal.settle

        def settle_slowly(*arguments, **options):
            settle(*arguments, **options)
            clock[0] += 2

        slow = SimpleNamespace(monotonic=lambda: clock[0], time=time.time)
        monkeypatch.setattr(recovery, "time", slow)
        monkeypatch.setattr(stage.journal, "settle", settle_slowly)

        stage.recovery.settle_before_exit(2)

        assert len(stage.journal) == 1
        assert "1 sessions are lost" in caplog.text


class TestAnotherServer:
    def test_is_looked_at_soon(self, stage):
        stage.recovery.note_move()

        assert stage.recovery.begun == 1
        assert stage.recovery._has_moved

    def test_may_lack_what_was_written_a_moment_ago(
        self, stage, key, other, redis_client, caplog
    ):
        caplog.set_level(logging.INFO)
        before = counted("possibly_lost_writes")
        kept, read = f"{key}-kept", f"{key}-read"
        for written in (key, other, kept):
            stage.store.create(written, OLD, TTL)
        stage.there.create(read, OLD, TTL)
        stage.store.load(read)
        stage.there.remove(key)
        stage.there.remove(read)
        stage.there.replace(other, None, THEIRS, TTL)
        stage.recovery.note_move()

        stage.recovery._return()
        stage.recovery._return()

        assert counted("possibly_lost_writes") == before + 2
        (line,) = [line for line in caplog.records if "Another server" in line.msg]
        assert line.levelno == logging.WARNING
        assert line.getMessage() == (
            "Another server is Redis now: 2 of 3 sessions that were written here in "
            "the last minute are not there as they were written."
        )

    def test_that_lacks_nothing_is_no_warning(self, stage, key, caplog):
        caplog.set_level(logging.INFO)
        stage.store.create(key, OLD, TTL)
        stage.recovery.note_move()

        stage.recovery._return()

        (line,) = [line for line in caplog.records if "Another server" in line.msg]
        assert line.levelno == logging.INFO
        assert ": 0 of 1 sessions" in line.getMessage()

    def test_is_not_asked_for_what_was_written_long_ago(
        self, stage, key, caplog, monkeypatch
    ):
        caplog.set_level(logging.INFO)
        stage.store.create(key, OLD, TTL)
        now = time.monotonic() + recovery._LAST_WRITES_SECONDS + 1
        monkeypatch.setattr(time, "monotonic", lambda: now)
        stage.recovery.note_move()

        stage.recovery._look_at_another_server()

        assert ": 0 of 0 sessions" in caplog.text


class TestALossOfItsData:
    def test_is_none_where_the_marker_stands(self, stage, key, caplog):
        stage.store.create(key, OLD, TTL)
        stage.there.remove(key)

        stage.recovery.restore_lost()

        assert not stage.there.exists(key)
        assert caplog.messages == []

    def test_is_made_good_with_what_is_known_here(
        self, stage, key, other, redis_client, caplog
    ):
        before = counted("restorations")
        stage.store.create(key, OLD, 300)
        stage.store.create(other, OLD, TTL)
        loses_its_data(stage, redis_client)
        stage.there.create(other, OLD, TTL)

        stage.recovery.restore_lost()

        assert raw_of(stage.there.load(key)) == OLD
        assert 290 < redis_client.ttl(key) <= 300
        assert counted("restorations") == before + 1
        assert caplog.messages == [
            "Redis has lost its data; 1 records of 2 known were restored."
        ]
        # From now on this is the Redis that it was.
        mark = redis_client.get(names.MARKER)
        assert not stage.recovery.is_of_another(mark.encode())
        stage.recovery.restore_lost()
        assert counted("restorations") == before + 1

    def test_says_from_when_that_is_which_was_restored(self, stage, key, redis_client):
        stage.store.create(key, OLD, TTL)
        loses_its_data(stage, redis_client)

        stage.recovery.restore_lost()

        moment = float(redis_client.get(names.restored_key(key)))
        assert moment == pytest.approx(time.time(), abs=30)
        assert 0 < redis_client.ttl(names.restored_key(key)) <= 60

    def test_brings_back_nothing_that_was_ended(self, stage, key, other, redis_client):
        """What others have ended stands in the stream, which Redis may have kept."""
        stage.recovery.place = b"0-0"
        for seen in (key, other):
            stage.store.create(seen, OLD, TTL)
        loses_its_data(stage, redis_client)
        stage.there.remove(key)
        restore = stage.redis.restore

        async def restored(records):
            assert key not in records
            present = await restore(records)
            # Another process ends it while this one writes it back.
            await stage.redis.remove(other)
            await restore(records)
            return present

        stage.redis.restore = restored

        stage.recovery.restore_lost()
        assert not stage.there.exists(key)
        assert not stage.there.exists(other)
        assert key not in stage.copies
        assert other not in stage.copies

    def test_of_which_a_process_knows_nothing_old(self, stage, key, redis_client):
        stage.store.create(key, OLD, TTL)
        stage.breaker.last_success = time.monotonic() + 3601
        loses_its_data(stage, redis_client)

        stage.recovery.restore_lost()

        assert not stage.there.exists(key)

    def test_that_happens_midway_is_an_outage(self, stage, key, redis_client):
        stage.store.create(key, OLD, TTL)
        loses_its_data(stage, redis_client)
        stage.goes_away()

        with pytest.raises(StorageUnavailable):
            stage.recovery.restore_lost()

        stage.is_back()
        stage.recovery.restore_lost()
        assert raw_of(stage.there.load(key)) == OLD


class TestTwoProcessesThatRestore:
    """The second adds to what the first has given back."""

    FIRST, SECOND = b'{"a":1,"same":"first"}', b'{"b":2,"same":"second"}'

    @pytest.fixture
    def first(self, stage, key):
        first = Stage()
        first.recovery.mark()
        first.copies.note(key, self.FIRST, TTL)
        stage.copies.note(key, self.SECOND, TTL)
        return first

    def age(self, stage, key, seconds):
        """Let a copy have been seen so long before."""
        raw, ends_at, seen_at, written_at = stage.copies._copies[key]
        stage.copies._copies[key] = (raw, ends_at, seen_at - seconds, written_at)

    def restore(self, first, stage, redis_client):
        loses_its_data(stage, redis_client)
        first.recovery.restore_lost()
        redis_client.set(names.MARKER, "of the first")
        stage.recovery.restore_lost()

    def test_keep_what_both_have_seen_and_the_later_of_the_same(
        self, first, stage, key, redis_client
    ):
        self.age(first, key, 100)

        self.restore(first, stage, redis_client)

        assert raw_of(stage.there.load(key)) == b'{"a":1,"same":"second","b":2}'
        # The next to return is to know.
        moment = float(redis_client.get(names.restored_key(key)))
        assert moment == pytest.approx(time.time(), abs=30)

    def test_keep_the_first_ones_where_that_is_later(
        self, first, stage, key, redis_client
    ):
        self.age(stage, key, 100)

        self.restore(first, stage, redis_client)

        assert raw_of(stage.there.load(key)) == b'{"b":2,"same":"first","a":1}'
        moment = float(redis_client.get(names.restored_key(key)))
        assert moment == pytest.approx(time.time(), abs=30)

    def test_go_on_where_they_know_the_same_of_one(
        self, first, stage, key, other, redis_client
    ):
        for process in (first, stage):
            process.copies.forget(key)
            process.copies.note(other, OLD, TTL)
        first.copies.note(key, self.FIRST, TTL)
        stage.copies.note(key, self.SECOND, TTL)

        self.restore(first, stage, redis_client)

        assert raw_of(stage.there.load(key)) == b'{"a":1,"same":"second","b":2}'

    def test_open_what_is_sealed(self, first, stage, key, redis_client):
        secret = base64.b64encode(bytes(32)).decode()
        with override_settings(SESSION_SEALING_KEYS=[secret]):
            for process, name in ((first, "first"), (stage, "second")):
                session = {"tokens": {"access_token": name}, name: 1}
                raw = sealing.seals().encode(session, key)
                process.copies.note(key, raw, TTL)

            self.restore(first, stage, redis_client)

            raw = raw_of(stage.there.load(key)) or b""
            assert sealing.seals().decode(raw, key) == {
                "tokens": {"access_token": "second"},
                "first": 1,
                "second": 1,
            }

    def test_keep_what_was_written_since(self, first, stage, key, redis_client):
        """Without a moment it was no restoration: it is later than any copy."""
        loses_its_data(stage, redis_client)
        stage.there.create(key, self.FIRST, TTL)

        stage.recovery.restore_lost()

        assert raw_of(stage.there.load(key)) == b'{"b":2,"same":"first","a":1}'
        assert not redis_client.exists(names.restored_key(key))

    def test_keep_the_end_that_stands_there(self, first, stage, key, redis_client):
        loses_its_data(stage, redis_client)
        stage.there.create(key, self.FIRST, 100)

        stage.recovery.restore_lost()

        assert 90 < redis_client.ttl(key) <= 100

    def test_give_a_record_without_an_end_one(self, first, stage, key, redis_client):
        loses_its_data(stage, redis_client)
        redis_client.set(key, self.FIRST)

        stage.recovery.restore_lost()

        assert 0 < redis_client.ttl(key) <= KEPT_SECONDS

    def test_write_nothing_where_both_know_the_same(
        self, first, stage, key, redis_client
    ):
        stage.copies.note(key, self.FIRST, TTL)
        redis_client.config_resetstat()

        self.restore(first, stage, redis_client)

        assert raw_of(stage.there.load(key)) == self.FIRST

    def test_leave_labels_and_what_is_damaged_alone(
        self, first, stage, key, other, redis_client
    ):
        label = names.label_key("issuer|sid")
        stage.copies.note(label, b"mine", TTL)
        stage.copies.note(other, b"damaged", TTL)
        loses_its_data(stage, redis_client)
        stage.there.create(label, b"theirs", TTL)
        stage.there.create(other, OLD, TTL)
        redis_client.hset(key, "not", "a record")

        stage.recovery.restore_lost()

        assert raw_of(stage.there.load(label)) == b"theirs"
        assert raw_of(stage.there.load(other)) == OLD
        assert redis_client.hgetall(key) == {"not": "a record"}

    def test_add_nothing_that_is_damaged_however_late_it_was_seen(
        self, first, stage, key, redis_client
    ):
        self.age(first, key, 100)
        stage.copies.note(key, b"damaged", TTL)

        self.restore(first, stage, redis_client)

        assert raw_of(stage.there.load(key)) == self.FIRST

    def test_merge_again_where_another_writer_was_faster(
        self, first, stage, key, redis_client, monkeypatch
    ):
        loses_its_data(stage, redis_client)
        stage.there.create(key, self.FIRST, TTL)
        replace = stage.redis.replace
        faster = [b'{"a":2}', b'{"a":3}']

        async def slow(key, *rest):
            if faster:
                stage.there.replace(key, None, faster.pop(0), TTL)
            return await replace(key, *rest)

        monkeypatch.setattr(stage.redis, "replace", slow)

        stage.recovery.restore_lost()

        assert raw_of(stage.there.load(key)) == b'{"b":2,"same":"second","a":3}'

    def test_give_up_where_others_never_stop(
        self, first, stage, key, redis_client, monkeypatch
    ):
        loses_its_data(stage, redis_client)
        stage.there.create(key, self.FIRST, TTL)
        tries = []

        async def never(key, *_):
            tries.append(key)
            return THEIRS

        monkeypatch.setattr(stage.redis, "replace", never)

        stage.recovery.restore_lost()

        assert tries == [key] * 16

    def test_bring_back_nothing_that_has_ended_meanwhile(
        self, first, stage, key, redis_client, monkeypatch
    ):
        loses_its_data(stage, redis_client)
        stage.there.create(key, self.FIRST, TTL)
        outcomes = []
        replace = stage.redis.replace

        async def late(key, *rest):
            stage.there.remove(key)
            outcomes.append(await replace(key, *rest))
            return outcomes[-1]

        monkeypatch.setattr(stage.redis, "replace", late)

        stage.recovery.restore_lost()

        assert outcomes == [Replacement.GONE]
        assert not stage.there.exists(key)


class TestHearingWhatEnded:
    def test_begins_nowhere_before_somebody_listens(self, stage, key):
        stage.store.create(key, OLD, TTL)
        stage.there.remove(key)

        assert stage.recovery._hear_what_ended() == []
        assert key in stage.copies

    def test_drops_what_others_have_ended(self, stage, key, other):
        stage.store.create(key, OLD, TTL)
        stage.store.create(other, OLD, TTL)
        stage.recovery.place = finish(stage.redis.last_ended())
        stage.there.remove(key)

        assert stage.recovery._hear_what_ended() == [key]

        assert key not in stage.copies
        assert other in stage.copies
        assert stage.recovery._hear_what_ended() == []

    def test_reads_on_until_it_has_heard_all(self, stage, key, monkeypatch):
        monkeypatch.setattr("sessions_backend.stores.redis._BATCH", 2)
        stage.recovery.place = b"0-0"
        ended = [f"{key}-{number}" for number in range(5)]
        for one in ended:
            stage.there.remove(one)

        assert stage.recovery._hear_what_ended() == ended

    def test_does_not_read_for_ever(self, stage, key, monkeypatch):
        """Where others end sessions faster than this one reads of it."""
        reads = []

        async def more(place):
            reads.append(place)
            return b"%d-0" % len(reads), [key]

        monkeypatch.setattr(stage.redis, "ended_since", more)
        stage.recovery.place = b"0-0"

        assert len(stage.recovery._hear_what_ended()) == 100
        assert reads[:2] == [b"0-0", b"1-0"]
        assert stage.recovery.place == b"100-0"


class TestTheListener:
    @pytest.fixture
    def listener(self, stage):
        listener = Listener(Stage().redis, stage.recovery, stage.breaker, stage.journal)
        yield listener
        listener.stop()

    @pytest.fixture
    def listens(self, listener, stage, redis_client):
        def is_waiting():
            return any(one["cmd"] == "xread" for one in redis_client.client_list())

        listener.start()
        wait_until(is_waiting)
        return is_waiting

    def test_hears_at_once_what_another_ends(self, listens, stage, key):
        stage.store.create(key, OLD, TTL)

        stage.there.remove(key)

        wait_until(lambda: key not in stage.copies)

    def test_hears_nothing_that_ended_before(self, stage, key, other, listener):
        stage.there.remove(key)
        stage.copies.note(key, OLD, TTL)
        listener.start()
        wait_until(lambda: stage.recovery.place)
        stage.copies.note(other, OLD, TTL)

        stage.there.remove(other)

        wait_until(lambda: other not in stage.copies)
        assert key in stage.copies

    def test_goes_on_from_where_it_was(self, stage, key, listener):
        stage.recovery.place = b"0-0"
        stage.there.remove(key)
        stage.copies.note(key, OLD, TTL)

        listener.start()

        wait_until(lambda: key not in stage.copies)

    def test_ends_when_it_is_told_to(self, listens, listener):
        thread = listener._thread
        assert thread.name == "sessions-listener"
        assert thread.daemon

        listener.stop()

        thread.join(10)
        assert not thread.is_alive()

    def test_keeps_nobody_up_that_wants_it_to_end(self, listener, monkeypatch):
        """As where a connection is being opened to a server that does not answer."""
        release = threading.Event()
        monkeypatch.setattr(listener, "_listen", lambda: release.wait(10))
        listener.start()

        listener.stop()

        assert listener._thread.is_alive()
        release.set()
        listener._thread.join(10)
        assert not listener._thread.is_alive()

    def test_that_was_never_begun_can_end(self, listener):
        listener.stop()

        assert not listener._thread.is_alive()

    def test_can_be_told_to_end_by_what_it_tells(self, listens, listener, stage, key):
        """A receiver of `session_ended` may reset the engine, in this very thread."""
        stopped = []

        def stop(**_):
            if threading.current_thread() is listener._thread:
                listener.stop()
                stopped.append(True)

        session_ended.connect(stop)
        try:
            stage.copies.note(key, OLD, TTL)
            stage.there.remove(key)
            wait_until(lambda: stopped)
        finally:
            session_ended.disconnect(stop)
        listener._thread.join(10)
        assert not listener._thread.is_alive()

    def test_lets_go_of_a_connection_and_listens_anew(
        self, listens, listener, stage, key, redis_client
    ):
        former = redis_client.info("stats")["total_connections_received"]

        listener.interrupt()

        wait_until(
            lambda: redis_client.info("stats")["total_connections_received"] > former
        )
        stage.copies.note(key, OLD, TTL)
        stage.there.remove(key)
        wait_until(lambda: key not in stage.copies)

    def test_waits_while_the_breaker_is_open(self, stage, listener, monkeypatch):
        pauses = []

        def wait(seconds):
            pauses.append(seconds)
            stage.breaker.is_open = len(pauses) < 3
            return True

        def listen():
            listener._stopping.set()

        monkeypatch.setattr(listener._stopping, "wait", wait)
        monkeypatch.setattr(listener, "_listen", listen)
        stage.breaker.is_open = True

        listener._run()

        assert pauses == [recovery.PAUSE_SECONDS] * 3

    @pytest.mark.parametrize(
        ("error", "seconds", "lines"),
        [
            (StorageUnavailable("away"), 0.01, []),
            (
                RuntimeError("a fault in the engine"),
                recovery._LISTEN_SECONDS,
                ["Listening for ended sessions has failed."],
            ),
        ],
        ids=["an outage", "a fault"],
    )
    def test_tries_again_after(
        self, listener, monkeypatch, caplog, error, seconds, lines
    ):
        pauses: list[float] = []
        tries = []

        def listen():
            tries.append(1)
            if len(tries) == 1:
                raise error
            listener._stopping.set()

        monkeypatch.setattr(listener, "_listen", listen)
        monkeypatch.setattr(listener._stopping, "wait", pauses.append)

        listener._run()

        assert len(tries) == 2
        assert pauses == [seconds]
        assert caplog.messages == lines

    def test_waits_longer_for_redis_than_redis_waits(self, listener, monkeypatch):
        allowed, asked = [], []

        async def ended_since(place, *, wait_ms=None):
            allowed.append(budget.current().remaining)
            asked.append((place, wait_ms))
            if len(asked) == 2:
                listener._stopping.set()
            return b"%d-0" % len(asked), []

        monkeypatch.setattr(listener._redis, "ended_since", ended_since)

        with budget.of_seconds(0):
            listener._recovery.place = b"0-0"
            listener._listen()

        assert asked == [(b"0-0", 50_000), (b"1-0", 50_000)]
        assert allowed == [55, 55]
        assert listener._recovery.place == b"1-0"
