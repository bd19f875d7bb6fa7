"""The table in docs/sessions.md: what is lost in which case. Each row is a test."""

import os
import re
import signal
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from tests.servers import Valkey, wait_until
from tests.sessions_backend.engine_process import EngineProcess

pytestmark = pytest.mark.slow

UNAVAILABLE = "StorageUnavailable"
ENDED: dict[str, str] = {}
DOCS = Path(__file__).parents[2] / "docs" / "sessions.md"


@pytest.fixture
def server(tmp_path):
    """A Redis that keeps its data over a restart."""
    arguments = ("--appendonly", "yes", "--appendfsync", "always")
    with Valkey(tmp_path / "valkey", *arguments) as server:
        yield server


@pytest.fixture
def start(server):
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(
            EngineProcess(server.url, **options)
        )


@pytest.fixture
def one(start):
    return start()


@pytest.fixture
def other(start):
    return start()


@pytest.fixture
def client(server):
    with server.client() as client:
        yield client


def key(session):
    return f"session:{session}"


def is_alone_no_more(process):
    return not process.ask("degraded")


def begins_again(server, *processes, is_empty=False):
    if is_empty:
        for file in server.folder.glob("appendonlydir/*"):
            file.unlink()
    server.start()
    for process in processes:
        wait_until(partial(is_alone_no_more, process))


def ends_soon(process, session):
    """At first a session that is missing may be one that another process has begun."""
    wait_until(lambda: process.ask("read", session) == ENDED)


def test_the_table_names_these_tests():
    table = DOCS.read_text().partition("### What is lost")[2].partition("\n#")[0]
    named = set(re.findall(r"`(test_\w+)`", table))

    assert named == {
        name
        for name in globals()
        if name.startswith("test_") and name != "test_the_table_names_these_tests"
    }


def test_nothing_when_redis_was_away(server, one):
    seen = one.ask("create")
    server.stop()
    assert one.ask("add", seen, "a") == "added"
    made = one.ask("create")
    assert one.ask("read", seen)["cart"] == {"a": 1}

    begins_again(server, one)

    assert one.ask("read", seen)["cart"] == {"a": 1}
    assert one.ask("read", made) == {"cart": {}}
    with server.client() as client:
        assert client.get(key(seen)) == '{"cart":{"a":1}}'
        assert client.exists(key(made))


def test_nothing_of_two_processes_but_on_the_same_leaf(server, one, other):
    seen = one.ask("create")
    other.ask("read", seen)
    server.stop()
    one.ask("add", seen, "a", 1)
    other.ask("add", seen, "b", 2)
    one.ask("add", seen, "same", "one")
    other.ask("add", seen, "same", "other")

    begins_again(server, one, other)

    cart = one.ask("read", seen)["cart"]
    assert (cart["a"], cart["b"]) == (1, 2)
    assert cart["same"] in {"one", "other"}
    assert other.ask("read", seen)["cart"] == cart


def test_no_logout_made_meanwhile(server, one, other):
    seen = one.ask("create")
    other.ask("read", seen)
    server.stop()
    assert one.ask("end", seen) == "ended"
    assert one.ask("read", seen) == ENDED
    other.ask("add", seen, "a")

    begins_again(server, one, other)

    assert one.ask("read", seen) == ENDED
    assert other.ask("read", seen) == ENDED


def test_no_logout_made_elsewhere_before(server, one, other):
    sessions = [one.ask("create") for _ in range(20)]
    for session in sessions:
        assert other.ask("read", session) == {"cart": {}}
        one.ask("end", session)
    # What is promised is milliseconds; the answer to one more question takes as long.
    other.ask("read", one.ask("create"))
    server.stop()

    for session in sessions:
        assert other.ask("read", session) in (ENDED, UNAVAILABLE)


def test_what_was_written_to_a_session_that_was_deleted(server, one):
    seen = one.ask("create")
    server.stop()
    one.ask("add", seen, "a")
    # Deleted by somebody who can reach what this process cannot.
    server.port, hidden = Valkey(server.folder).port, server.port
    with server, server.client() as client:
        assert client.delete(key(seen))
    server.port = hidden

    begins_again(server, one)

    ends_soon(one, seen)


def test_sessions_nobody_knows_when_redis_comes_back_empty(server, one, other, start):
    known = one.ask("create")
    other.ask("read", known)
    unknown = start(SESSION_COPIES=0).ask("create")
    server.stop()
    one.ask("add", known, "a")

    begins_again(server, one, other, is_empty=True)

    assert one.ask("read", known) == {"cart": {"a": 1}}
    assert other.ask("read", known)["cart"] == {"a": 1}
    ends_soon(one, unknown)


def test_no_logout_when_redis_comes_back_empty(server, one, other):
    meanwhile, before = one.ask("create"), one.ask("create")
    for session in (meanwhile, before):
        other.ask("read", session)
    one.ask("end", before)
    other.ask("read", one.ask("create"))
    server.stop()
    one.ask("end", meanwhile)
    other.ask("add", meanwhile, "a")

    begins_again(server, one, other, is_empty=True)

    wait_until(lambda: other.ask("read", meanwhile) == ENDED)
    assert one.ask("read", meanwhile) == ENDED
    assert other.ask("read", before) == ENDED
    assert one.ask("read", before) == ENDED


def test_nothing_that_any_process_has_seen_when_redis_comes_back_empty(
    server, one, other
):
    """Whoever returns first gives back an older state; the rest is added to it."""
    seen = one.ask("create")
    other.ask("read", seen)
    one.ask("add", seen, "a")
    one.ask("add", seen, "same", "later")
    other.ask("read", one.ask("create"))
    server.stop()
    other.ask("add", seen, "b")
    one.ask("add", seen, "c")
    os.kill(one.process.pid, signal.SIGSTOP)

    begins_again(server, other, is_empty=True)
    assert other.ask("read", seen) == {"cart": {"b": 1}}
    other.ask("add", seen, "d")
    os.kill(one.process.pid, signal.SIGCONT)
    wait_until(partial(is_alone_no_more, one))

    whole = {"cart": {**dict.fromkeys("abcd", 1), "same": "later"}}
    assert other.ask("read", seen) == whole
    assert one.ask("read", seen) == whole


def test_everything_when_redis_is_emptied_by_hand(client, one, other):
    seen = one.ask("create")
    other.ask("read", seen)

    client.flushall()

    assert one.ask("read", seen) == ENDED
    assert other.ask("read", seen) == ENDED


def test_the_last_second_when_redis_comes_back_with_older_data(server, client, one):
    seen = one.ask("create")
    older = client.get(key(seen))
    one.ask("add", seen, "a")
    made = one.ask("create")
    # As if the last second had not reached the disk.
    client.set(key(seen), older, keepttl=True)
    client.delete(key(made))
    server.stop()

    begins_again(server, one)

    assert one.ask("read", seen) == {"cart": {}}
    assert one.ask("read", made) == ENDED


def test_what_a_process_has_changed_when_it_is_killed(server, one, other, start):
    seen, settled = one.ask("create"), other.ask("create")
    server.stop()
    one.ask("add", seen, "a")
    other.ask("add", settled, "a")
    one.kill()
    server.start()
    # Told to stop, a process tells Redis first.
    other.process.stdin.close()
    other.process.wait(timeout=10)

    third = start()
    assert third.ask("read", seen) == {"cart": {}}
    assert third.ask("read", settled) == {"cart": {"a": 1}}


def test_what_only_a_killed_process_has_changed(server, start, tmp_path):
    fallback = str(tmp_path / "fallback")
    one, other = start(FALLBACK=fallback), start(FALLBACK=fallback)
    seen, shared = one.ask("create"), one.ask("create")
    for session in (seen, shared):
        other.ask("read", session)
    server.stop()
    one.ask("add", seen, "a")
    one.ask("add", shared, "a")
    # The other process sees it through the fallback, and goes on from there.
    assert other.ask("read", shared) == {"cart": {"a": 1}}
    other.ask("add", shared, "b")
    one.kill()

    begins_again(server, other)

    assert other.ask("read", shared) == {"cart": {"a": 1, "b": 1}}
    assert other.ask("read", seen) == {"cart": {}}


def test_nothing_begun_meanwhile_if_another_process_is_back_first(server, one, other):
    server.stop()
    begun = one.ask("create")
    # So often that it gives up: it has noticed an outage, not one call that failed.
    assert [other.ask("read", begun) for _ in range(3)] == [UNAVAILABLE] * 3
    os.kill(one.process.pid, signal.SIGSTOP)
    begins_again(server, other)

    assert other.ask("read", begun) == UNAVAILABLE

    os.kill(one.process.pid, signal.SIGCONT)
    wait_until(partial(is_alone_no_more, one))
    assert other.ask("read", begun) == {"cart": {}}


def test_nothing_when_the_journal_is_full(server, start):
    one = start()
    one.ask("limit_journal", 2)
    sessions = [one.ask("create") for _ in range(3)]
    server.stop()

    answers = [one.ask("add", session, "a") for session in sessions]
    assert answers == ["added", "added", UNAVAILABLE]
    assert one.ask("end", sessions[2]) == "ended"

    begins_again(server, one)
    carts = [one.ask("read", session) for session in sessions]
    assert carts == [{"cart": {"a": 1}}, {"cart": {"a": 1}}, ENDED]


def test_nothing_of_a_copy_that_is_too_old(server, start):
    one = start(SESSION_COPIES_AGE=0)
    seen = one.ask("create")
    one.ask("create")
    server.stop()

    assert one.ask("read", seen) == UNAVAILABLE

    begins_again(server, one)
    assert one.ask("read", seen) == {"cart": {}}


def test_nothing_when_redis_takes_no_writes(client, one):
    seen = one.ask("create")
    used = client.info("memory")["used_memory"]
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", max(used // 2, 1))

    assert one.ask("add", seen, "a") == "added"
    assert one.ask("read", seen) == {"cart": {"a": 1}}
    assert client.get(key(seen)) == '{"cart":{}}'

    client.config_set("maxmemory", 0)
    wait_until(lambda: not one.ask("degraded"))
    assert client.get(key(seen)) == '{"cart":{"a":1}}'


def test_an_evicted_session(client, one):
    evicted, kept = one.ask("create"), one.ask("create")
    client.delete(key(evicted))

    assert one.ask("read", evicted) == ENDED
    assert one.ask("read", kept) == {"cart": {}}


def test_an_evicted_list_until_its_sessions_are_renewed(client, one):
    session = one.ask("log_in", "luigi")
    assert one.ask("listed", "luigi") == [session]

    (evicted,) = client.keys("sessions:user:*")
    client.delete(evicted)

    assert one.ask("listed", "luigi") == []
    one.ask("renew", session)
    assert one.ask("listed", "luigi") == [session]


def test_an_evicted_revocation(client, one):
    session = one.ask("create")
    one.ask("link", "issuer|sid", session)
    one.ask("revoke", "issuer|sid")
    assert one.ask("lookup", "issuer|sid") == [None, True]

    (mark,) = client.keys("sessions:label:*")
    client.delete(mark)

    assert one.ask("lookup", "issuer|sid") == [None, False]
    assert one.ask("read", session) == ENDED


def test_nothing_in_strict_mode(server, start):
    one = start(SESSION_STRICT=True)
    seen = one.ask("create")
    server.stop()

    assert one.ask("read", seen) == UNAVAILABLE
    assert one.ask("add", seen, "a") == UNAVAILABLE

    begins_again(server, one)
    assert one.ask("add", seen, "a") == "added"
