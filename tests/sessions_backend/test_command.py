import json

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from sessions_backend.engine import SessionStore
from sessions_backend.operators import handle_of, masked
from sessions_backend.signals import session_revoked

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


@pytest.fixture
def session():
    session = SessionStore()
    session["_auth_user_id"] = "7"
    session["_auth_user_hash"] = "hash-of-luigi"
    session["tokens"] = {"access_token": JWT, "opaque": "abc", "expires_at": 17}
    session["user_info"] = {"name": "Luigi", "nested": [{"refresh_token": "r"}]}
    session["note"] = f"Bearer {JWT}"
    session.save()
    return session


def run(capsys, *arguments):
    call_command("sessions", *arguments)
    return capsys.readouterr().out


class TestList:
    def test_names_sessions_by_their_handles(self, capsys, session):
        out = run(capsys, "list")

        assert handle_of(session.session_key) in out
        assert session.session_key not in out
        assert "user 7" in out
        assert "1 sessions" in out

    def test_as_json_says_the_same(self, capsys, session):
        (row,) = json.loads(run(capsys, "list", "--json"))

        assert row["handle"] == handle_of(session.session_key)
        assert row["user"] == "7"
        assert 0 < row["seconds_left"] <= 86400
        assert not row["is_damaged"]
        assert session.session_key not in json.dumps(row)

    def test_stops_at_its_limit_and_says_so(self, capsys):
        for _ in range(5):
            SessionStore().create()

        assert "or more: --limit is 3" in run(capsys, "list", "--limit", "3")

    def test_shows_damaged_records(self, capsys, session, redis_client):
        redis_client.set(f"mario_session:{session.session_key}", "{", ex=60)

        assert "damaged" in run(capsys, "list")

    def test_leaves_the_engines_other_keys_out(self, capsys, session, redis_client):
        redis_client.set("sessions:label:abc", "x")
        redis_client.set("unrelated", "x")

        assert len(json.loads(run(capsys, "list", "--json"))) == 1


class TestShow:
    @pytest.mark.parametrize("by", ["id", "handle"])
    def test_masks_everything_that_opens_a_door(self, capsys, session, by):
        name = session.session_key
        out = run(capsys, "show", name if by == "id" else handle_of(name))

        shown = json.loads(out)
        assert shown["user_info"]["name"] == "Luigi"
        assert shown["tokens"]["expires_at"] == 17
        for secret in (JWT, "hash-of-luigi", "abc", '"r"'):
            assert secret not in out

    def test_of_an_unknown_session_fails(self, session):
        with pytest.raises(CommandError, match="no session"):
            call_command("sessions", "show", "0123456789abcdef")

    def test_of_a_damaged_record_says_so(self, session, redis_client):
        redis_client.set(f"mario_session:{session.session_key}", "[]", ex=60)

        with pytest.raises(CommandError, match="damaged"):
            call_command("sessions", "show", session.session_key)


class TestRevoke:
    def test_ends_the_session_and_tells_the_project(self, capsys, session):
        told = []

        def note(sender, **facts):
            told.append(facts)

        session_revoked.connect(note)
        try:
            run(capsys, "revoke", handle_of(session.session_key))
        finally:
            session_revoked.disconnect(note)

        assert not SessionStore().exists(session.session_key)
        assert told[0]["session_key"] == session.session_key
        assert told[0]["record"]["user_info"]["name"] == "Luigi"

    def test_of_an_unknown_session_fails(self):
        with pytest.raises(CommandError, match="no session"):
            call_command("sessions", "revoke", "unknown-session")


class TestPing:
    def test_says_that_redis_serves(self, capsys):
        assert "Redis is serving sessions." in run(capsys, "ping")

    @override_settings(SESSION_REDIS_ENABLED=False)
    @pytest.mark.parametrize("action", [["ping"], ["list"], ["show", "some-session"]])
    def test_fails_where_memory_serves(self, action):
        with pytest.raises(CommandError, match="not kept in Redis"):
            call_command("sessions", *action)

    def test_fails_where_nobody_listens(self, refusing_redis, caplog):
        with pytest.raises(CommandError, match="not kept in Redis"):
            call_command("sessions", "ping")
        assert caplog.records == []


def test_masking_changes_nothing_it_was_given():
    value = {"tokens": {"a": "b"}, "list": [JWT, 1, None]}

    assert masked(value) == {"tokens": {"a": "***"}, "list": ["***", 1, None]}
    assert value["tokens"] == {"a": "b"}
