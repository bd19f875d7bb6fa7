"""No tool, log line or error page of ours shows a token or an id."""

import json
import logging
import sys
from contextlib import suppress

import pytest
from asgiref.sync import async_to_sync
from django.core.management import CommandError, call_command
from django.test import override_settings
from django.views.debug import ExceptionReporter

from sessions_backend import failover, names
from sessions_backend.engine import SessionStore
from sessions_backend.exceptions import (
    SessionTooLarge,
    StorageUnavailable,
    UnstorableValue,
)
from sessions_backend.signals import session_ended
from tests.sessions_backend.misbehaving import HANG

ACCESS = "access-token-of-luigi"
REFRESH = "refresh-token-of-luigi"


@pytest.fixture
def session():
    session = SessionStore()
    session["tokens"] = {"access_token": ACCESS, "refresh_token": REFRESH}
    session["cart"] = {}
    session.save()
    return session


def opened(session):
    return SessionStore(session.session_key)


def error_pages(error, attempt):
    """Return what an administrator is sent of a failure, and a developer sees."""
    try:
        attempt()
    except error:
        kind, value, traceback = sys.exc_info()
        reporter = ExceptionReporter(None, kind, value, traceback, is_email=True)
        sent = reporter.get_traceback_html() + reporter.get_traceback_text()
        with override_settings(DEBUG=True):
            reporter = ExceptionReporter(None, kind, value, traceback)
            return sent + reporter.get_traceback_html()
    pytest.fail("It was to fail.")


def assert_hidden(shown, session):
    assert "stored_session" in shown or "engine" in shown
    for secret in (ACCESS, REFRESH, session.session_key):
        assert secret not in shown


class TestErrorPages:
    def test_of_what_json_cannot_hold(self, session):
        request = opened(session)
        request["cart"]["toppings"] = {"ham"}

        shown = error_pages(UnstorableValue, request.save)

        assert "toppings" in shown
        assert_hidden(shown, session)

    @override_settings(SESSION_MOST_BYTES=200)
    def test_of_a_session_that_is_too_large(self, session):
        request = opened(session)
        request["cart"]["notes"] = "x" * 200

        shown = error_pages(SessionTooLarge, request.save)

        assert_hidden(shown, session)

    @override_settings(SESSION_MOST_BYTES=320)
    def test_of_a_merge_that_makes_it_too_large(self, session):
        slow, fast = opened(session), opened(session)
        slow["slow"], fast["fast"] = "x" * 60, "x" * 60
        fast.save()

        shown = error_pages(SessionTooLarge, slow.save)

        assert_hidden(shown, session)

    def test_in_an_event_loop(self, session):
        request = opened(session)
        request["cart"]["toppings"] = {"ham"}

        shown = error_pages(UnstorableValue, async_to_sync(request.asave))

        assert "toppings" in shown
        assert_hidden(shown, session)

    def test_of_an_outage(self, session, proxy):
        session = SessionStore()
        session["tokens"] = {"access_token": ACCESS, "refresh_token": REFRESH}
        session.save()
        session["tokens"]["access_token"] = f"{ACCESS}-2"
        proxy.mode = HANG

        for attempt in (session.save, lambda: opened(session).load()):
            shown = error_pages(StorageUnavailable, attempt)
            assert "Redis cannot be reached" in shown
            assert_hidden(shown, session)


class TestWhatIsShown:
    def test_a_session_shows_nothing_of_itself(self, session):
        for shown in (repr(session), str(session), f"{session}"):
            assert_hidden(shown, session)

    def test_no_command_shows_a_secret(self, session, capsys):
        failover.store().put(names.record_key("a-damaged-session"), b"{", 100)
        handle = names.handle_of(session.session_key)
        for words in (
            ["list"],
            ["list", "--json"],
            ["show", handle],
            ["stats"],
            ["repair"],
            ["ping"],
            ["reseal"],
            ["revoke", handle],
        ):
            # One record cannot be read, and reseal says so.
            with suppress(CommandError):
                call_command("sessions", *words)

        shown = capsys.readouterr()
        assert f"Session {handle} has ended." in shown.out
        assert_hidden(f"engine {shown.out}{shown.err}", session)

    def test_no_log_line_shows_a_secret(self, session, caplog, redis_client):
        caplog.set_level(logging.DEBUG)
        with override_settings(SESSION_SEALING_KEYS=["A" * 43]):
            held = {"tokens": "sealed.1.broken", "note": ACCESS}
            key = names.record_key(session.session_key)
            failover.store().put(key, json.dumps(held).encode(), 100)
            opened(session).load()
        redis_client.delete(key)
        redis_client.lpush(key, ACCESS)
        opened(session).load()

        assert "damaged" in caplog.text
        assert "cannot be read" in caplog.text
        assert_hidden(f"engine {caplog.text}", session)


def test_a_receiver_that_fails_is_not_told_more_than_it_was_sent(session, caplog):
    def fail(sender, **_):
        raise RuntimeError("a receiver of somebody else")

    session_ended.connect(fail)
    try:
        session.delete()
    finally:
        session_ended.disconnect(fail)

    assert ACCESS not in caplog.text
