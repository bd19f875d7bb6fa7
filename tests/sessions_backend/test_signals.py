"""What a process is told of sessions that end, here and elsewhere."""

import pytest

from sessions_backend import failover, index, operators
from sessions_backend.engine import SessionStore
from sessions_backend.signals import session_ended
from tests.servers import wait_until
from tests.sessions_backend.engine_process import EngineProcess


@pytest.fixture
def ended():
    heard: list[str] = []

    def note(session_key, **_):
        heard.append(session_key)

    session_ended.connect(note)
    yield heard
    session_ended.disconnect(note)


@pytest.fixture
def session():
    session = SessionStore()
    session["cart"] = {}
    session["_auth_user_id"] = "1"
    session.save()
    return session


@pytest.mark.usefixtures("any_store")
class TestHere:
    def test_a_logout_is_told_at_once(self, session, ended):
        key = session.session_key

        session.flush()

        assert key in ended

    def test_a_revoked_label_tells_of_its_session(self, session, ended):
        index.link("issuer|sid", session.session_key, ttl=60)

        index.revoke("issuer|sid", ttl=60)

        # The label's own key is no session, and is not told.
        assert set(ended) == {session.session_key}

    def test_a_broken_receiver_breaks_no_logout(self, session):
        def break_(**_):
            raise ValueError

        session_ended.connect(break_)
        try:
            session.flush()
        finally:
            session_ended.disconnect(break_)

        assert session.session_key is None


def test_an_operators_revocation_is_told(session, ended):
    (found,) = operators.of_user("1")

    operators.revoke(found)

    assert session.session_key in ended


def test_a_serving_process_hears_what_another_ended(valkey, ended, session):
    failover.reset()
    failover.configure(announce=True)
    try:
        options = {"SESSION_REDIS_KEY_PREFIX": "mario_session:"}
        with EngineProcess(valkey.url, **options) as other:
            theirs = other.ask("create")
            wait_until(lambda: _ends_there(other, theirs, ended))
    finally:
        failover.reset()

    assert theirs in ended


def _ends_there(other: EngineProcess, key: str, ended: list[str]) -> bool:
    # Ended again until the listener has begun to listen.
    other.ask("end", key)
    return key in ended


def test_what_is_known_here_is_read_without_redis(session, redis_client):
    SessionStore(session.session_key).load()

    redis_client.flushall()

    assert [found.name for found in operators.known_here()] == [session.session_key]
