import time

import pytest

from sessions_backend import breaker as module
from sessions_backend.breaker import Breaker

REASON = OSError("no answer")


@pytest.fixture
def opened():
    return []


@pytest.fixture
def breaker(opened):
    breaker = Breaker()
    breaker.on_open = opened.append
    return breaker


def fail(breaker, times):
    for _ in range(times):
        breaker.note_failure(REASON)


def test_opens_with_the_third_failure_in_a_row_and_says_why_once(breaker, opened):
    fail(breaker, 2)
    assert not breaker.is_open
    assert opened == []

    fail(breaker, 1)
    assert breaker.is_open
    fail(breaker, 5)
    assert opened == [REASON]


def test_a_success_between_begins_the_row_anew(breaker):
    fail(breaker, 2)
    breaker.note_success()
    fail(breaker, 2)

    assert not breaker.is_open


def test_opens_with_ten_failures_in_ten_seconds_whatever_lies_between(breaker, opened):
    for _ in range(9):
        fail(breaker, 1)
        breaker.note_success()
    assert not breaker.is_open

    fail(breaker, 1)

    assert breaker.is_open
    assert opened == [REASON]


def test_failures_of_long_ago_do_not_count(breaker, monkeypatch):
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    for _ in range(9):
        fail(breaker, 1)
        breaker.note_success()
    now += module.FAILURE_SECONDS

    fail(breaker, 1)

    assert not breaker.is_open


def test_counts_ten_seconds_from_the_first_of_the_last_ten(breaker, monkeypatch):
    """Nine of them in ten seconds never open it, however many there are."""
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)

    for _ in range(30):
        fail(breaker, 1)
        breaker.note_success()
        now += module.FAILURE_SECONDS / 8.9

    assert not breaker.is_open
    # The last of these and nine more.
    for _ in range(9):
        fail(breaker, 1)
        breaker.note_success()
    assert breaker.is_open


def test_needs_nobody_who_listens(breaker):
    breaker.on_open = None

    fail(breaker, 3)

    assert breaker.is_open


def test_closing_forgets_every_failure(breaker):
    for _ in range(9):
        fail(breaker, 1)
        breaker.note_success()
    fail(breaker, 3)

    breaker.close()

    assert breaker.is_open is False
    fail(breaker, 2)
    assert not breaker.is_open


def test_remembers_when_redis_was_heard_of_last(breaker):
    began, a_day_ago = time.monotonic(), time.time() - 86400
    for hear in (Breaker, breaker.note_success, breaker.close):
        told = hear() or breaker
        assert began <= told.last_success <= time.monotonic()
        told.last_success -= 86400
        assert told.last_success_at == pytest.approx(a_day_ago, abs=60)


def test_at_a_start_without_redis_nothing_was_ever_heard(breaker, opened):
    breaker.open_at_start()

    assert breaker.is_open
    assert breaker.last_success_at == 0.0
    assert breaker.last_success < time.monotonic() - 365 * 86400
    assert opened == []


def test_is_closed_at_first():
    assert Breaker().is_open is False
    assert Breaker().on_open is None


class TestSettling:
    @pytest.fixture
    def clock(self, monkeypatch):
        moments = [1000.0]
        monkeypatch.setattr(time, "monotonic", lambda: moments[-1])
        return moments

    def test_needs_an_outage(self, breaker, clock):
        fail(breaker, 2)
        breaker.close()

        assert not breaker.is_settling

    def test_lasts_from_the_return(self, breaker, clock):
        fail(breaker, 3)
        clock.append(clock[-1] + 3600)
        breaker.close()
        assert breaker.is_settling

        clock.append(clock[-1] + module.SETTLING_SECONDS)
        breaker.close()
        assert not breaker.is_settling
