import json
import pickle
import subprocess
import sys

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.sessions.backends.file import SessionStore as FileSession
from django.core.management import CommandError, call_command
from django.test import override_settings

from sessions_backend import failover, importing, names, operators
from sessions_backend.engine import SessionStore
from sessions_backend.importing import Former
from sessions_backend.operators import handle_of, masked
from sessions_backend.signals import session_revoked
from sessions_backend.stores.threads import BlockingTransport
from tests.sessions_backend.misbehaving import HANG

PREFIX = settings.SESSION_REDIS_KEY_PREFIX

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
        redis_client.set(f"{PREFIX}{session.session_key}", "{", ex=60)

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
        redis_client.set(f"{PREFIX}{session.session_key}", "[]", ex=60)

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


class PickleSerializer:
    """As older projects have it."""

    def dumps(self, held):
        return pickle.dumps(held)

    def loads(self, raw):
        return pickle.loads(raw)  # noqa: S301  # as its name says


def of_user(user_id, **data):
    session = SessionStore()
    session.update({"_auth_user_id": str(user_id), **data})
    session.save()
    return session


def is_live(session):
    return SessionStore().exists(session.session_key)


class TestOfAUser:
    def test_list_names_only_theirs(self, capsys, session):
        other = of_user(8)

        out = run(capsys, "list", "--user", "7")

        assert handle_of(session.session_key) in out
        assert handle_of(other.session_key) not in out

    @pytest.mark.django_db
    def test_they_may_be_named(self, capsys):
        luigi = get_user_model().objects.create_user("luigi")
        of_user(luigi.pk)

        assert "1 sessions" in run(capsys, "list", "--user", "luigi")
        with pytest.raises(CommandError, match="no user 'waluigi'"):
            call_command("sessions", "list", "--user", "waluigi")

    def test_revoke_user_ends_all_but_one(self, capsys, session):
        others, stranger = [of_user(7), of_user(7)], of_user(8)
        kept = handle_of(session.session_key)

        out = run(capsys, "revoke-user", "7", "--except", kept)

        assert "2 sessions have ended." in out
        assert is_live(session)
        assert is_live(stranger)
        assert not any(map(is_live, others))
        assert "1 sessions have ended." in run(capsys, "revoke-user", "7")
        assert not is_live(session)

    def test_revoking_takes_few_round_trips_for_ten_thousand(self, redis_client):
        with redis_client.pipeline(transaction=False) as pipeline:
            for number in range(10_000):
                name = f"session-{number:05}"
                pipeline.set(f"{PREFIX}{name}", '{"_auth_user_id": "7"}', ex=900)
                pipeline.zadd(names.user_list_key("7"), {name: 2**40})
            pipeline.execute()
        failover.configure(announce=False)
        sent = []
        exchange = BlockingTransport.exchange

        def counted(self, commands, *arguments, **options):
            sent.append(len(commands))
            return exchange(self, commands, *arguments, **options)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(BlockingTransport, "exchange", counted)
            assert operators.revoke_all("7") == 10_000

        # The list; then records, removals and the list's entries, a thousand each.
        assert len(sent) <= 1 + 3 * 10
        assert redis_client.keys(f"{PREFIX}*") == []

    def test_what_a_list_names_in_vain_is_taken_off(self, capsys, session):
        run(capsys, "list", "--user", "7")
        failover.store().remove(names.record_key(session.session_key))

        assert "0 sessions" in run(capsys, "list", "--user", "7")
        assert failover.store().listed(names.user_list_key("7")) == []

    def test_repair_makes_an_evicted_list_anew(self, capsys, session, redis_client):
        redis_client.delete(names.user_list_key("7"))
        assert "0 sessions" in run(capsys, "list", "--user", "7")

        assert "1 sessions are on" in run(capsys, "repair")

        assert "1 sessions" in run(capsys, "list", "--user", "7")
        assert 0 < redis_client.ttl(f"{PREFIX}{session.session_key}") <= 86400


class TestStats:
    def test_counts_what_is_stored(self, capsys, session, redis_client):
        of_user(8)
        SessionStore().create()
        redis_client.set(f"{PREFIX}broken-session", "{", ex=60)

        figures = json.loads(run(capsys, "stats", "--json"))

        assert figures["sessions"] == 4
        assert figures["users"] == 2
        assert figures["damaged"] == 1
        assert figures["bytes"] > 100
        assert figures["serving_store"] == "redis"
        assert figures["degraded"] is False

    def test_is_readable(self, capsys, session):
        assert "serving store" in run(capsys, "stats")


class TestImport:
    @pytest.fixture
    def former(self, tmp_path, monkeypatch):
        # Django keeps SESSION_FILE_PATH there for the life of the process.
        monkeypatch.setattr(FileSession, "_storage_path", str(tmp_path), raising=False)
        former = FileSession()
        former.update({"cart": {"margherita": 2}, "_auth_user_id": "7"})
        former.set_expiry(600)
        former.save()
        return former

    FROM = ("import", "--from", "django.contrib.sessions.backends.file")

    def test_keeps_ids_lists_and_what_is_left_of_their_lives(self, capsys, former):
        assert "1 of 1 sessions were taken along" in run(capsys, *self.FROM)

        session = SessionStore(former.session_key)
        assert session["cart"] == {"margherita": 2}
        taken = operators.read(former.session_key)
        assert taken is not None
        assert 0 < taken.seconds_left <= 600
        assert "1 sessions" in run(capsys, "list", "--user", "7")

    def test_can_be_repeated_and_overwrites_nothing(self, capsys, former):
        run(capsys, *self.FROM)
        session = SessionStore(former.session_key)
        session["cart"]["diavola"] = 1
        session.save()

        assert "0 of 1 sessions" in run(capsys, *self.FROM)

        assert "diavola" in SessionStore(former.session_key)["cart"]

    def test_what_holds_nothing_or_has_ended_is_left_behind(self, capsys, former):
        FileSession().create()
        ended = FileSession()
        ended["cart"] = {"old": 1}
        ended.set_expiry(0)
        ended.save()
        with override_settings(SESSION_COOKIE_AGE=0):
            out = run(capsys, *self.FROM)

        assert "1 of 1 sessions were taken along" in out
        assert is_live(former)
        assert not is_live(ended)

    def test_a_dry_run_stores_nothing(self, capsys, former):
        out = run(capsys, *self.FROM, "--dry-run")

        assert "1 of 1 sessions would be taken along" in out
        assert not is_live(former)

    def test_what_json_cannot_hold_is_named_and_refused(self, capsys, former):
        with override_settings(SESSION_SERIALIZER=f"{__name__}.PickleSerializer"):
            former = FileSession(former.session_key)
            former["when"] = {1, 2}
            former.save()
            with pytest.raises(CommandError, match="cannot be stored"):
                run(capsys, *self.FROM)

        said = capsys.readouterr()
        assert "0 of 1 sessions were taken along, 1 refused." in said.out
        assert "when" in said.err
        assert former.session_key not in said.err

    def test_an_absolute_age_begins(self, capsys, former):
        with override_settings(SESSION_ABSOLUTE_AGE=3600):
            run(capsys, *self.FROM)
            session = SessionStore(former.session_key)
            session.load()
            assert session.expires_at is not None

    def test_a_table_needs_its_application(self, capsys):
        with pytest.raises(CommandError, match=r"django\.contrib\.sessions into"):
            run(capsys, "import", "--from", "django.contrib.sessions.backends.db")

    def test_an_engine_that_cannot_name_its_sessions_is_refused(self):
        with pytest.raises(CommandError, match="cannot name its sessions"):
            call_command(
                "sessions",
                *("import", "--from", "django.contrib.sessions.backends.cache"),
            )


def test_masking_changes_nothing_it_was_given():
    value = {"tokens": {"a": "b"}, "list": [JWT, 1, None]}

    assert masked(value) == {"tokens": {"a": "***"}, "list": ["***", 1, None]}
    assert value["tokens"] == {"a": "b"}


def test_masking_hides_what_a_list_of_secrets_holds():
    assert masked({"tokens": ["a", 17]}) == {"tokens": ["***", 17]}


class TestOperators:
    def make(self, user_id="7"):
        session = SessionStore()
        session["_auth_user_id"] = user_id
        session.save()
        return session

    def test_what_ends_while_it_is_listed_is_left_out(self, monkeypatch):
        session = self.make()
        listed = [names.record_name("it-ended-a-moment-ago"), session.record_name]
        monkeypatch.setattr(operators, "_names", lambda limit: iter(listed))

        (found,) = operators.all_sessions(limit=10)

        assert found.name == session.record_name

    def test_several_handles_are_found_in_one_look(self, redis_client):
        sessions = [self.make() for _ in range(5)]
        handles = {handle_of(one.session_key) for one in sessions[:3]}

        found = operators.find_by_handles({*handles, "not-a-handle"})

        assert {one.handle for one in found} == handles

    def test_without_accounts_a_person_is_named_by_id(self, monkeypatch):
        monkeypatch.setattr(apps, "is_installed", lambda name: False)

        assert operators.users_named("7") == ["7"]

    def test_what_has_ended_is_not_told_of_again(self):
        session, told = self.make(), []
        found = operators.read(session.session_key)
        assert found is not None
        session.delete()
        session_revoked.connect(hear := lambda **_: told.append(1))

        assert not operators.revoke(found)

        session_revoked.disconnect(hear)
        assert told == []

    def test_repair_counts_all_and_writes_what_is_missing(
        self, redis_client, monkeypatch
    ):
        monkeypatch.setattr(operators, "_PROGRESS_EVERY", 2)
        sessions = [self.make() for _ in range(4)]
        SessionStore().create()
        luigis = names.user_list_key("7")
        redis_client.zrem(luigis, sessions[0].record_name)
        redis_client.config_resetstat()
        seen: list[int] = []

        assert operators.repair_lists(on_progress=seen.append) == 4

        assert redis_client.zcard(luigis) == 4
        assert redis_client.info("commandstats")["cmdstat_zadd"]["calls"] == 1
        assert seen == [2, 4]


class TestAnOutage:
    def test_is_told_of_in_a_sentence(self, proxy, session):
        proxy.mode = HANG

        with pytest.raises(CommandError, match="Redis cannot be reached"):
            call_command("sessions", "show", session.session_key)
        with pytest.raises(CommandError, match="does not answer"):
            call_command("sessions", "ping")


def test_import_from_a_table_takes_along_what_lives_and_holds_something(valkey):
    done = subprocess.run(
        [sys.executable, "-m", "tests.sessions_backend.from_a_table", valkey.url],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["said"] == "1 of 1 sessions were taken along, 0 refused."
    assert answer["record"]["cart"] == {"a": 1}
    assert 0 < answer["seconds_left"] <= 600
    assert answer["others"] == [None, None]


def test_import_tells_how_far_it_is(capsys, monkeypatch):
    monkeypatch.setattr(
        "sessions_backend.management.commands.sessions._PROGRESS_EVERY", 2
    )
    former = [Former(f"former-session-{number}", {"a": 1}, 60) for number in range(5)]
    monkeypatch.setattr(importing, "sessions_of", lambda engine: iter(former))

    call_command("sessions", "import", "--from", "theirs")

    assert capsys.readouterr().err.splitlines() == ["2 …", "4 …"]
