"""Who answers, call by call: Redis, or what this process knows."""

import asyncio
import threading

import pytest
from django.conf import settings
from django.core.cache import caches
from django.test import override_settings

from sessions_backend import budget, health, names
from sessions_backend.breaker import MOST_FAILURES_IN_A_ROW
from sessions_backend.exceptions import StorageUnavailable
from sessions_backend.journal import REVOKED
from sessions_backend.stores.base import Entry, Replacement, Rewrite, Stored
from tests.sessions_backend.situation import AWAY, READ_ONLY, TTL, Stage

OLD, NEW, THEIRS = b'{"a":1}', b'{"a":1,"b":2}', b'{"a":1,"c":3}'
NOT_HEARD_YET = r"^Redis is back, and may not have heard of this session yet\.$"


@pytest.fixture
def key():
    return names.record_key("a-session-of-somebody")


@pytest.fixture
def other():
    return names.record_key("a-session-of-another")


@pytest.fixture
def stage():
    return Stage()


@pytest.fixture
def strict():
    return Stage(is_strict=True)


def counted(event):
    return health.counts().get(event, 0)


def raw_of(stored):
    return None if stored is None else stored.raw


def known(stage, key):
    return raw_of(stage.copies.get(key, away_since=0))


# What a request may ask of one key that Redis has, and this process has seen.
ASKED = {
    "load": lambda store, key: store.load(key),
    "replace": lambda store, key: store.replace(key, OLD, NEW, TTL),
    "renew": lambda store, key: store.renew(key, TTL),
    "load_renewed": lambda store, key: store.load_renewed(key, TTL),
    "remove": lambda store, key: store.remove(key),
    "take": lambda store, key: store.take(key),
    "put": lambda store, key: store.put(key, NEW, TTL),
    "claim": lambda store, key: store.claim(key, NEW, TTL),
    "exists": lambda store, key: store.exists(key),
    "create": lambda store, key: store.create(f"{key}-2", NEW, TTL),
}
ANSWERS = {
    "load": lambda answer: answer.raw == OLD,
    "replace": lambda answer: answer is Replacement.DONE,
    "renew": lambda answer: answer is True,
    "load_renewed": lambda answer: answer.raw == OLD,
    "remove": lambda answer: answer is True,
    "take": lambda answer: answer == OLD,
    "put": lambda answer: answer == OLD,
    "claim": lambda answer: answer == OLD,
    "exists": lambda answer: answer is True,
    "create": lambda answer: answer is True,
}


@pytest.mark.parametrize("word", ASKED)
class TestACall:
    @pytest.fixture(autouse=True)
    def _seen(self, stage, strict, key):
        stage.store.create(key, OLD, TTL)
        strict.store.load(key)

    def test_is_answered_by_redis(self, stage, key, word):
        served = counted("served_by_fallback")
        stage.breaker.last_success = 0.0

        assert ANSWERS[word](ASKED[word](stage.store, key))

        assert len(stage.journal) == 0
        assert stage.breaker.last_success > 0
        assert counted("served_by_fallback") == served

    def test_is_answered_here_when_redis_fails(self, stage, key, word, caplog):
        failures, served = counted("redis_failures"), counted("served_by_fallback")
        stage.goes_away()

        with budget.of_one_request() as spent:
            assert ANSWERS[word](ASKED[word](stage.store, key))
            # The request met an outage, and does not have to know.
            assert spent.outage is None

        assert counted("redis_failures") == failures + 1
        assert counted("served_by_fallback") == served + 1
        assert "Redis did not answer: ConnectionError" in caplog.messages

    def test_is_not_put_to_redis_while_the_breaker_is_open(self, stage, key, word):
        stage.breaker.is_open = True
        asked = stage.redis.asked

        assert ANSWERS[word](ASKED[word](stage.store, key))

        assert stage.redis.asked == asked

    def test_opens_the_breaker_with_others_that_fail(self, stage, key, word):
        opened: list[BaseException] = []
        stage.breaker.on_open = opened.append
        stage.goes_away()
        for _ in range(MOST_FAILURES_IN_A_ROW - 1):
            stage.breaker.note_failure(OSError())

        ASKED[word](stage.store, key)

        assert stage.breaker.is_open
        assert opened == [AWAY]

    def test_is_answered_by_nobody_else_in_strict_mode(self, strict, key, word):
        served = counted("served_by_fallback")
        strict.goes_away()

        with budget.of_one_request() as spent:
            with pytest.raises(StorageUnavailable, match="cannot be reached"):
                ASKED[word](strict.store, key)
            assert spent.outage is not None
        strict.breaker.is_open = True
        with budget.of_one_request() as spent:
            with pytest.raises(StorageUnavailable, match=r"^Redis is away\.$") as away:
                ASKED[word](strict.store, key)
            assert spent.outage is away.value

        assert len(strict.journal) == 0
        assert counted("served_by_fallback") == served

    def test_in_an_event_loop_leaves_it_for_a_cache_that_may_wait(
        self, stage, key, word, tmp_path, monkeypatch
    ):
        files = {
            "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
            "LOCATION": str(tmp_path),
        }
        threads = []
        with override_settings(CACHES={**settings.CACHES, "files": files}):
            for fallback in ("files", None):
                stage = Stage(is_async=True, fallback=fallback)
                stage.copies.note(key, OLD, TTL)
                stage.breaker.is_open = True
                name = "load" if word == "exists" else word
                method = getattr(stage.journal, name)

                def noted(*given, method=method, **named):
                    threads.append(threading.current_thread())
                    return method(*given, **named)

                monkeypatch.setattr(stage.journal, name, noted)
                assert ANSWERS[word](stage.ask(*_words(word, key)))
            caches["files"].clear()

        assert threads[-1] is threading.current_thread()
        assert threads[0] is not threading.current_thread()


def test_a_cache_that_may_wait_is_asked_in_no_thread_that_others_wait_for(
    key, other, tmp_path
):
    files = {
        "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
        "LOCATION": str(tmp_path),
    }
    both = threading.Barrier(2)
    with override_settings(CACHES={**settings.CACHES, "files": files}):
        stage = Stage(is_async=True, fallback="files")
        stage.breaker.is_open = True
        stage.journal.load = lambda key: both.wait(10)  # type: ignore[method-assign, assignment, return-value]

        async def ask():
            load = stage.failing_over.load
            return await asyncio.gather(load(key), load(other))

        assert sorted(asyncio.run(ask())) == [0, 1]

        luigis = names.user_list_key("luigi")
        stage.ask("create", key, NEW, TTL, listed_in=luigis)
        stage.journal.settle(key, stage.there, is_emptied=False)
        assert stage.there.listed(luigis) == [names.name_of(key)]


def _words(word, key):
    """Return a call as a name and its arguments."""
    asked: list[object] = []

    class Noting:
        def __getattr__(self, name):
            return lambda *given: asked.extend((name, *given))

    ASKED[word](Noting(), key)
    return asked


class TestWhatNobodyHereHasSeen:
    def test_cannot_be_known(self, stage, key):
        stage.goes_away()

        with budget.of_one_request() as spent:
            with pytest.raises(StorageUnavailable, match="never seen") as unknown:
                stage.store.load(key)
            assert spent.outage is unknown.value

        assert "cannot be reached" in str(unknown.value.__cause__)
        assert stage.recovery.begun == 0

    def test_is_noted_for_the_return_if_it_is_to_end(self, stage, key):
        stage.goes_away()

        assert stage.store.remove(key)

        assert key in stage.journal
        assert stage.recovery.begun == 1

    def test_is_noted_even_if_the_request_has_to_know(self, stage):
        label = names.label_key("issuer|sid")
        stage.goes_away()

        with pytest.raises(StorageUnavailable):
            stage.store.put(label, REVOKED, TTL)

        assert label in stage.journal
        assert stage.recovery.begun == 1


class TestWhatRedisHasNotHeardOf:
    def test_is_asked_here_until_it_has(self, stage, key):
        stage.store.create(key, OLD, TTL)
        stage.goes_away()
        stage.store.replace(key, OLD, NEW, TTL)
        stage.is_back()
        asked = stage.redis.asked

        assert raw_of(stage.store.load(key)) == NEW
        assert stage.store.replace(key, NEW, THEIRS, TTL) is Replacement.DONE

        assert stage.redis.asked == asked
        assert raw_of(stage.there.load(key)) == OLD
        # What is no copy of Redis's is not kept as one.
        assert known(stage, key) == OLD
        assert stage.store.load_renewed(key, TTL).raw == THEIRS
        assert known(stage, key) == OLD

    def test_begun_here_was_not_written_to_redis(self, stage, key):
        stage.breaker.is_open = True
        stage.store.create(key, OLD, TTL)

        assert stage.copies.written_since(0) == {}


class TestWhatIsKnownHere:
    def test_is_what_redis_has_said_or_been_told(self, stage, key, other):
        assert stage.store.create(key, OLD, TTL)
        assert known(stage, key) == OLD
        assert stage.store.known(key) == OLD
        assert not stage.store.create(key, NEW, TTL)
        assert known(stage, key) == OLD

        assert stage.store.replace(key, OLD, NEW, TTL) is Replacement.DONE
        assert known(stage, key) == NEW
        assert stage.copies.written_since(0) == {key: NEW}
        assert stage.store.replace(key, OLD, THEIRS, TTL) == NEW
        assert known(stage, key) == NEW

        stage.there.create(other, OLD, 300)
        stage.store.load(other)
        assert known(stage, other) == OLD
        assert 299 <= stage.copies.get(other, away_since=0).remaining <= 300
        stage.there.replace(other, None, NEW, 200)
        assert stage.store.load_renewed(other, 500).raw == NEW
        assert known(stage, other) == NEW
        assert 499 <= stage.copies.get(other, away_since=0).remaining <= 500
        # It was read, and never written here.
        assert stage.copies.written_since(0) == {key: NEW}
        assert stage.store.replace(other, NEW, THEIRS, 500) is Replacement.DONE
        assert stage.copies.written_since(0) == {key: NEW, other: THEIRS}

    def test_moves_its_end_with_that_of_redis(self, stage, key):
        stage.store.create(key, OLD, 100)

        assert stage.store.renew(key, TTL)

        assert stage.copies.get(key, away_since=0).remaining > 100
        stage.there.remove(key)
        assert not stage.store.renew(key, TTL)
        assert known(stage, key) is None

    def test_is_not_begun_by_a_renewal(self, stage, key):
        stage.there.create(key, OLD, 100)

        assert stage.store.renew(key, TTL)

        assert key not in stage.copies

    @pytest.mark.parametrize("end", ["remove", "take", "remove_many", "rewrite_many"])
    def test_is_forgotten_with_what_has_changed(self, stage, key, end):
        stage.store.create(key, OLD, TTL)
        given = {
            "remove_many": [[key]],
            "rewrite_many": [[Rewrite(key, OLD, NEW)]],
        }.get(end, [key])

        assert getattr(stage.store, end)(*given)

        assert known(stage, key) is None

    def test_is_forgotten_though_a_load_was_under_way(self, stage, key, monkeypatch):
        stage.store.create(key, OLD, TTL)
        remove = stage.redis.remove

        async def removed(key):
            # Nor is it served meanwhile.
            assert key not in stage.copies
            stage.copies.note(key, OLD, TTL)
            return await remove(key)

        monkeypatch.setattr(stage.redis, "remove", removed)

        stage.store.remove(key)

        assert known(stage, key) is None

    def test_holds_labels_and_no_lease(self, stage):
        label, lease = names.label_key("issuer|sid"), names.lease_key("refresh")
        for claimed in (label, lease):
            assert stage.store.claim(claimed, b"mine", TTL) == b"mine"
            assert stage.store.claim(claimed, b"another", TTL) == b"mine"

        assert known(stage, label) == b"mine"
        assert 0 < stage.copies.get(label, away_since=0).remaining <= TTL
        assert known(stage, lease) is None
        stage.store.replace(lease, b"mine", b"free", TTL)
        assert known(stage, lease) is None
        assert stage.copies.written_since(0) == {}

    @pytest.mark.parametrize("is_away", [False, True])
    def test_goes_on_under_another_key(self, stage, key, is_away):
        new = Entry(names.record_key("w" * 40), NEW, TTL)
        left = Entry(names.superseded_key(key), b"{}", 10)
        stage.store.create(key, OLD, TTL)
        stage.breaker.is_open = is_away

        rotated = stage.store.rotate(key, new, leaving=left, listed_in="mine")

        assert rotated == (OLD, True)
        assert stage.store.load(key) is None
        assert raw_of(stage.store.load(new.key)) == NEW
        assert raw_of(stage.store.load(left.key)) == b"{}"
        assert known(stage, key) is None
        assert known(stage, new.key) == NEW
        # What Redis has not heard of was not written there.
        assert (new.key in stage.copies.written_since(0)) is not is_away

    def test_that_is_taken_is_not_what_goes_on(self, stage, key):
        taken = names.record_key("w" * 40)
        stage.store.create(key, OLD, TTL)
        stage.there.create(taken, THEIRS, TTL)

        assert stage.store.rotate(key, Entry(taken, NEW, TTL)) == (OLD, False)

        assert known(stage, taken) is None

    def test_is_asked_by_the_near_cache_first(self, stage, key):
        stage.redis.near[key] = Stored(OLD, 10)

        assert raw_of(stage.store.load(key)) == OLD

        assert stage.redis.asked == 0

    def test_is_not_asked_of_the_near_cache_during_an_outage(self, stage, key):
        stage.redis.near[key] = Stored(OLD, 10)
        stage.breaker.is_open = True

        with pytest.raises(StorageUnavailable):
            stage.store.load(key)


class TestALoginsList:
    """`listed_in` reaches whoever answers."""

    LIST = "sessions:user:luigi"

    @pytest.mark.parametrize(
        "write",
        [
            lambda store, key, **named: store.create(f"{key}-2", NEW, TTL, **named),
            lambda store, key, **named: store.replace(key, OLD, NEW, TTL, **named),
            lambda store, key, **named: store.renew(key, TTL, **named),
            lambda store, key, **named: store.load_renewed(key, TTL, **named),
        ],
        ids=["create", "replace", "renew", "load_renewed"],
    )
    @pytest.mark.parametrize("is_away", [False, True])
    def test_hears_of_a_session(self, stage, key, write, is_away):
        stage.store.create(key, OLD, TTL)
        if is_away:
            stage.goes_away()

        assert write(stage.store, key, listed_in=self.LIST)

        stage.is_back()
        for changed in stage.journal.changed_keys():
            stage.journal.settle(changed, stage.there, is_emptied=False)
        (listed,) = stage.store.listed(self.LIST)
        assert key.endswith(listed.removesuffix("-2"))
        stage.store.unlist(self.LIST, [listed])
        assert stage.store.listed(self.LIST) == []

    def test_follows_a_replacement_into_a_redis_that_came_back_empty(
        self, stage, key, redis_client
    ):
        stage.recovery.mark()
        stage.store.create(key, OLD, TTL)
        redis_client.flushall()
        stage.breaks()

        outcome = stage.store.replace(key, OLD, NEW, TTL, listed_in=self.LIST)

        assert outcome is Replacement.DONE
        assert stage.store.listed(self.LIST) == [names.name_of(key)]


# What only Redis can do: it is asked of no other.
ONLY_REDIS = {
    "load_many": lambda store, key: store.load_many([key]),
    "rewrite_many": lambda store, key: store.rewrite_many([Rewrite(key, OLD, NEW)]),
    "remove_many": lambda store, key: store.remove_many([key]),
    "listed": lambda store, key: store.listed("sessions:user:luigi"),
    "unlist": lambda store, key: store.unlist("sessions:user:luigi", ["x"]),
}


@pytest.mark.parametrize("word", ONLY_REDIS)
class TestWhatOnlyRedisCanDo:
    def test_is_done_by_it(self, stage, key, word):
        stage.store.create(key, OLD, TTL)
        stage.breaker.last_success = 0.0

        answer = ONLY_REDIS[word](stage.store, key)

        assert stage.breaker.last_success > 0
        if word == "load_many":
            assert [raw_of(stored) for stored in answer] == [OLD]
        elif word == "rewrite_many":
            assert answer == [Replacement.DONE]
        elif word == "remove_many":
            assert answer == 1

    def test_is_an_outage_when_it_fails(self, stage, key, word):
        stage.goes_away()
        for _ in range(MOST_FAILURES_IN_A_ROW - 1):
            stage.breaker.note_failure(OSError())
        failures = counted("redis_failures")

        with budget.of_one_request() as spent:
            with pytest.raises(StorageUnavailable, match="cannot be reached"):
                ONLY_REDIS[word](stage.store, key)
            assert spent.outage is not None

        assert stage.breaker.is_open
        assert counted("redis_failures") == failures + 1

    def test_is_not_asked_of_it_while_the_breaker_is_open(self, stage, key, word):
        stage.breaker.is_open = True

        with budget.of_one_request() as spent:
            with pytest.raises(StorageUnavailable, match=r"^Redis is away\.$") as away:
                ONLY_REDIS[word](stage.store, key)
            assert spent.outage is away.value

        assert stage.redis.asked == 0


class TestRemovingMany:
    def test_is_noted_for_the_return(self, stage, key, other):
        stage.goes_away()

        with pytest.raises(StorageUnavailable):
            stage.store.remove_many([key, other])

        assert stage.journal.changed_keys() == [key, other]
        assert stage.recovery.begun == 2

    def test_is_noted_nowhere_in_strict_mode(self, strict, key):
        strict.goes_away()

        with pytest.raises(StorageUnavailable, match="cannot be reached"):
            strict.store.remove_many([key])

        assert len(strict.journal) == 0


class TestAskingRedisItself:
    def test_passes_on_its_keys_its_ping_and_its_end(self, stage, key, other):
        stage.store.create(key, OLD, TTL)
        stage.store.create(other, OLD, TTL)

        prefix = names.record_key("")
        assert set(stage.store.keys(prefix, limit=10)) == {key, other}
        assert len(list(stage.store.keys(prefix, limit=1))) == 1
        stage.store.ping()
        wire = stage.redis.transport._local.wire
        assert wire.is_open
        stage.store.close()
        assert not wire.is_open

    def test_is_no_ping_of_the_journal(self, stage):
        stage.goes_away()

        with pytest.raises(StorageUnavailable):
            stage.store.ping()


class TestAKeyThatIsMissing:
    """Deleted, or lost with everything else? The marker tells."""

    @pytest.fixture(autouse=True)
    def _seen(self, stage, strict, key, redis_client):
        stage.recovery.mark()
        strict.recovery.mark()
        stage.store.create(key, OLD, TTL)
        strict.store.load(key)

    def test_was_deleted_where_the_marker_stands(self, stage, key):
        stage.there.remove(key)
        stage.breaks()
        asked = stage.redis.asked

        assert stage.store.load(key) is None

        assert stage.redis.asked == asked + 2
        assert known(stage, key) is None
        # Not known any more, it is not asked about a second time.
        asked = stage.redis.asked
        assert stage.store.load(key) is None
        assert stage.redis.asked == asked + 1

    def test_was_deleted_though_no_connection_broke(self, stage, key, other, caplog):
        stage.store.create(other, OLD, TTL)
        stage.there.remove(key)

        assert stage.store.load(key) is None

        assert known(stage, other) == OLD
        assert caplog.messages == []

    def test_is_restored_in_no_thread_that_others_wait_for(
        self, key, other, redis_client
    ):
        """Two requests of one loop: neither waits for the other's."""
        stage = Stage(is_async=True)
        stage.recovery.mark()
        for seen in (key, other):
            stage.there.create(seen, OLD, TTL)
            stage.store.load(seen)
        redis_client.flushall()
        stage.breaks()
        both = threading.Barrier(2)
        stage.recovery.restore_lost = lambda: both.wait(10)

        async def ask():
            load = stage.failing_over.load
            # What is not restored is missing, and perhaps not for good.
            await asyncio.gather(load(key), load(other), return_exceptions=True)

        asyncio.run(ask())

        assert not both.broken
        assert both.n_waiting == 0

    @pytest.mark.parametrize("is_async", [False, True])
    def test_was_lost_where_the_marker_is_gone(self, key, redis_client, is_async):
        stage = Stage(is_async=is_async)
        stage.recovery.mark()
        stage.store.load(key)
        threads = []
        restore = stage.recovery.restore_lost

        def restored():
            threads.append(threading.current_thread())
            restore()

        stage.recovery.restore_lost = restored
        redis_client.flushall()
        stage.breaks()

        assert raw_of(stage.ask("load", key)) == OLD

        assert raw_of(stage.there.load(key)) == OLD
        # An event loop does not wait for it.
        assert (threads == [threading.current_thread()]) is not is_async

    def test_was_lost_is_restored_for_a_replacement(self, stage, key, redis_client):
        redis_client.flushall()
        stage.breaks()

        assert stage.store.replace(key, OLD, NEW, TTL) is Replacement.DONE

        assert raw_of(stage.there.load(key)) == NEW

    def test_is_not_written_over_if_others_were_faster(self, stage, key, redis_client):
        redis_client.flushall()
        stage.breaks()
        stage.recovery.restore_lost = lambda: stage.there.create(key, THEIRS, TTL)

        assert stage.store.replace(key, OLD, NEW, TTL) == THEIRS

        assert raw_of(stage.there.load(key)) == THEIRS

    def test_was_emptied_by_hand_where_no_connection_broke(
        self, stage, key, redis_client, caplog
    ):
        redis_client.flushall()

        assert stage.store.load(key) is None

        assert "Redis was emptied; all sessions have ended." in caplog.messages
        assert not stage.there.exists(key)

    def test_is_told_apart_by_what_broke_since(self, stage, key, other, redis_client):
        stage.breaks()
        stage.there.remove(key)
        assert stage.store.load(key) is None
        # What broke before has been looked into.
        stage.store.create(other, OLD, TTL)
        redis_client.flushall()

        assert stage.store.load(other) is None
        assert not stage.there.exists(other)

    def test_is_emptied_by_hand_after_a_restoration(self, stage, key, redis_client):
        redis_client.flushall()
        stage.breaks()
        assert stage.store.load(key) is not None
        redis_client.flushall()

        assert stage.store.load(key) is None

    def test_of_a_replacement_is_gone_where_it_was_deleted(self, stage, key):
        stage.there.remove(key)

        assert stage.store.replace(key, OLD, NEW, TTL) is Replacement.GONE

    def test_is_not_looked_for_while_redis_is_away(self, stage, key):
        stage.goes_away()
        stage.store.remove(key)
        stage.breaker.is_open = True
        asked = stage.redis.asked

        assert stage.store.replace(key, OLD, NEW, TTL) is Replacement.GONE

        assert stage.redis.asked == asked

    def test_is_gone_in_strict_mode(self, strict, key, redis_client):
        redis_client.flushall()
        strict.breaks()
        asked = strict.redis.asked

        assert strict.store.load(key) is None

        assert strict.redis.asked == asked + 1

    def test_is_not_known_if_redis_fails_at_that_moment(self, stage, key, monkeypatch):
        stage.there.remove(key)
        failures = counted("redis_failures")
        ask = stage.redis.marker

        async def marker():
            stage.goes_away()
            return await ask()

        monkeypatch.setattr(stage.redis, "marker", marker)

        with pytest.raises(StorageUnavailable, match="cannot be reached"):
            stage.store.load(key)

        assert counted("redis_failures") == failures + 1
        # It may have been lost after all.
        assert known(stage, key) == OLD


class TestSoonAfterAnOutage:
    """Another process may not have told Redis yet of a session that it has begun."""

    @pytest.fixture(autouse=True)
    def _returned(self, stage, strict, monkeypatch):
        # However slow the machine is.
        monkeypatch.setattr("sessions_backend.breaker.SETTLING_SECONDS", 60)
        for one in (stage, strict):
            one.breaker.is_open = True
            one.breaker.close()

    def test_a_missing_session_is_not_known(self, stage, key):
        with budget.of_one_request() as spent:
            with pytest.raises(StorageUnavailable, match=NOT_HEARD_YET) as unknown:
                stage.store.load(key)
            assert spent.outage is unknown.value

    def test_a_session_that_is_there_is(self, stage, key):
        stage.there.create(key, OLD, TTL)

        assert raw_of(stage.store.load(key)) == OLD

    def test_a_missing_label_is_missing(self, stage):
        assert stage.store.load(names.label_key("issuer|sid")) is None

    def test_in_strict_mode_it_is_missing(self, strict, key):
        assert strict.store.load(key) is None

    @pytest.mark.parametrize("word", ["remove", "take", "remove_many"])
    def test_what_was_ended_here_is_missing(self, stage, key, word):
        getattr(stage.store, word)([key] if word == "remove_many" else key)

        assert stage.store.load(key) is None

    def test_what_was_heard_to_have_ended_is_missing(self, stage, key):
        stage.journal.note_ended(key)

        assert stage.store.load(key) is None

    def test_it_is_missing_a_moment_later(self, stage, key, monkeypatch):
        monkeypatch.setattr("sessions_backend.breaker.SETTLING_SECONDS", 0)

        assert stage.store.load(key) is None


class TestAFailure:
    def test_of_writes_alone_leaves_the_breaker_closed(self, stage, key, caplog):
        stage.store.create(key, OLD, TTL)
        stage.goes_away(READ_ONLY)
        for number in range(MOST_FAILURES_IN_A_ROW + 1):
            assert stage.store.create(f"{key}-{number}", NEW, TTL)

        assert not stage.breaker.is_open
        assert [line for line in caplog.messages if "refuses writes" in line] == [
            f"Redis refuses writes: {READ_ONLY}"
        ]
        assert "did not answer" not in caplog.text

    def test_of_a_request_whose_time_is_used_up_is_not_that_of_redis(self, stage, key):
        stage.store.create(key, OLD, TTL)
        failures = counted("redis_failures")

        with budget.of_seconds(0):
            for _ in range(MOST_FAILURES_IN_A_ROW):
                assert raw_of(stage.store.load(key)) == OLD

        assert not stage.breaker.is_open
        assert counted("redis_failures") == failures + MOST_FAILURES_IN_A_ROW

    def test_is_told_of_no_more_when_the_breaker_is_open(self, stage, key, caplog):
        stage.store.create(key, OLD, TTL)

        async def fail(key):
            stage.breaker.is_open = True
            raise StorageUnavailable("late") from OSError("late")

        stage.redis.load = fail

        assert raw_of(stage.store.load(key)) == OLD

        assert caplog.messages == []
