import base64
import sys

import pytest
from django.apps import apps
from django.conf import settings
from django.core.checks import Tags, run_checks
from django.test import override_settings

from sessions_backend import checks, conf
from sessions_backend.checks import check_deployment, check_sessions
from sessions_backend.engine import SessionStore

MEMORY = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
REDIS = {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": "redis://redis"}
KEY = base64.urlsafe_b64encode(b"k" * 32).decode()
CLUSTER = "sessions_backend.cluster.ConnectionFactory"
NEAR_CLUSTER = {
    "SESSION_NEAR_CACHE": True,
    "CACHES": {"sessions": {**REDIS, "OPTIONS": {"CONNECTION_FACTORY": CLUSTER}}},
}


def found(check=check_sessions, **changes):
    with override_settings(**changes):
        return [
            message.id.removeprefix("sessions_backend.")
            for message in check(app_configs=None)
        ]


def with_redis(location, **options):
    return {"sessions": {**REDIS, "LOCATION": location, "OPTIONS": options}}


def test_good_settings_pass():
    assert found() == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"CACHES": {"default": MEMORY}}, ["E001"]),
        ({"CACHES": {"sessions": MEMORY}}, ["E002"]),
        (
            {"CACHES": {"sessions": {**REDIS, "OPTIONS": {"IGNORE_EXCEPTIONS": True}}}},
            ["W001"],
        ),
        ({"DJANGO_REDIS_IGNORE_EXCEPTIONS": True}, ["W001"]),
        ({"SESSION_FALLBACK_CACHE_ALIAS": "nowhere"}, ["E003"]),
        ({"SESSION_REDIS_KEY_PREFIX": ""}, ["E004"]),
        ({"SESSION_REDIS_KEY_PREFIX": "sess"}, ["E004"]),
        ({"SESSION_REDIS_KEY_PREFIX": "sessions:label:"}, ["E004"]),
        ({"SESSION_REDIS_BUDGET_MS": 0}, ["E005"]),
        (
            {"MIDDLEWARE": ["django.contrib.sessions.middleware.SessionMiddleware"]},
            ["W002"],
        ),
        ({"SESSION_ENGINE": "django.contrib.sessions.backends.db"}, []),
        ({"SESSION_KEY_SECRET": "short"}, ["E007"]),
        ({"SESSION_KEY_SECRET": "s" * 32}, []),
        ({"SESSION_KEY_SECRET": ""}, []),
        ({"SESSION_SEALING_KEYS": [KEY, "short"]}, ["E008"]),
        ({"SESSION_SEALING_KEYS": [KEY], "SESSION_SEALED_MEMBERS": ["cart"]}, []),
        ({"SESSION_SEALED_MEMBERS": ["cart"]}, ["W009"]),
        ({"SESSION_SEALED_MEMBERS": []}, []),
        ({"SESSION_REDIS_URL": "redis://redis"}, ["W003"]),
        ({"SESSION_ABSOLUT_AGE": 3600}, ["W003"]),
        ({"SESSIONS_NEAR_CACHE": True}, ["W003"]),
        ({"SESSION_OF_THE_PROJECT": True}, []),
        ({"SESSION_SERIALIZER": "project.serializers.PickleSerializer"}, ["W007"]),
        (NEAR_CLUSTER, ["W008"]),
        ({"CACHES": with_redis("redis://redis", SOCKET_TIMEOUT=0.1)}, ["W005"]),
        ({"CACHES": with_redis("redis://redis", SOCKET_TIMEOUT=5)}, []),
        (
            {
                "CACHES": {
                    **with_redis("redis://redis/0", SOCKET_TIMEOUT=5),
                    "default": {**REDIS, "LOCATION": "redis://redis/0"},
                }
            },
            ["W004"],
        ),
        (
            {
                "CACHES": {
                    **with_redis("redis://redis/0", SOCKET_TIMEOUT=5),
                    "default": {**REDIS, "LOCATION": "redis://redis/1"},
                }
            },
            [],
        ),
    ],
    ids=str,
)
def test_weak_settings_are_named(changes, expected):
    assert found(**changes) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SESSION_CACHE_ALIAS", None),
        ("SESSION_FALLBACK_CACHE_ALIAS", 7),
        ("SESSION_REDIS_KEY_PREFIX", b"bytes"),
        ("SESSION_REDIS_BUDGET_MS", "250"),
        ("SESSION_REDIS_ENABLED", "false"),
        ("SESSION_COOKIE_AGE", "1209600"),
        ("SESSION_ABSOLUTE_AGE", 0),
        ("SESSION_ABSOLUTE_AGE", "604800"),
        ("SESSION_ROTATION_GRACE", -1),
        ("SESSION_STRICT", 1),
        ("SESSION_NEAR_CACHE", "yes"),
        ("SESSION_COPIES", 10.5),
        ("SESSION_COPIES_BYTES", True),
        ("SESSION_COPIES_AGE", "1h"),
        ("SESSION_MOST_BYTES", "1 MB"),
        ("SESSION_KEY_SECRET", b"x" * 40),
        ("SESSION_SEALING_KEYS", KEY),
        ("SESSION_SEALED_MEMBERS", "tokens"),
    ],
    ids=str,
)
def test_a_setting_of_the_wrong_type_is_named(name, value):
    with override_settings(**{name: value}):
        (message,) = check_sessions()
        assert check_deployment() == []

    assert message.id == "sessions_backend.E006"
    assert message.msg.startswith(f"{name} must be ")
    assert KEY not in message.msg


def test_every_setting_has_a_type():
    read = set(conf.load.__wrapped__.__code__.co_consts)
    ours = {name for name in read if str(name).startswith("SESSION_")}

    assert ours
    assert ours <= checks._KINDS.keys()


def test_a_typing_error_is_told_with_what_is_meant():
    with override_settings(SESSION_REDIS_BUDGET=250):
        (message,) = check_sessions()

    assert "SESSION_REDIS_BUDGET_MS" in str(message.hint)


@pytest.mark.parametrize(
    ("variables", "changes", "expected"),
    [
        ({"WEB_CONCURRENCY": "4"}, {}, ["W006"]),
        ({"GUNICORN_CMD_ARGS": "--bind :80 --workers=3"}, {}, ["W006"]),
        ({"GUNICORN_CMD_ARGS": "-w 2"}, {}, ["W006"]),
        ({"GUNICORN_CMD_ARGS": "-w 1", "WEB_CONCURRENCY": "4"}, {}, []),
        ({"WEB_CONCURRENCY": "1"}, {}, []),
        ({"WEB_CONCURRENCY": "many"}, {}, []),
        ({"WEB_CONCURRENCY": "4"}, {"SESSION_STRICT": True}, []),
        (
            {"WEB_CONCURRENCY": "4"},
            {"SESSION_FALLBACK_CACHE_ALIAS": "memory"},
            ["W006"],
        ),
        ({"WEB_CONCURRENCY": "4"}, {"SESSION_FALLBACK_CACHE_ALIAS": "table"}, []),
    ],
    ids=str,
)
def test_memory_of_several_workers_is_named(monkeypatch, variables, changes, expected):
    for name in ("WEB_CONCURRENCY", "GUNICORN_CMD_ARGS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    table = {"BACKEND": "django.core.cache.backends.db.DatabaseCache"}

    caches = {**settings.CACHES, "memory": MEMORY, "table": table}
    assert found(CACHES=caches, **changes) == expected


def test_sealing_without_its_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography", None)
    monkeypatch.setattr(checks, "find_spec", lambda name: None)

    assert found(SESSION_SEALING_KEYS=[KEY]) == ["E009"]


@pytest.mark.parametrize(
    ("location", "options", "expected"),
    [
        ("redis://redis:6379/0", {}, ["W010", "W011"]),
        ("rediss://redis:6379/0", {}, ["W011"]),
        ("redis://:secret@redis:6379/0", {}, ["W010"]),
        ("rediss://mario:secret@redis:6379/0", {}, []),
        ("rediss://redis:6379/0?password=secret", {}, []),
        ("rediss://redis:6379/0", {"PASSWORD": "secret"}, []),
        ("rediss://redis", {"CONNECTION_POOL_KWARGS": {"password": "secret"}}, []),
        ("redis://localhost:6379/0", {}, []),
        ("redis://127.0.0.1:6379/0", {}, []),
        ("redis://[::1]:6379/0", {}, []),
        ("unix:///run/redis.sock", {}, []),
        (["redis://localhost", "redis://redis"], {}, ["W010", "W011"]),
        ("redis://localhost,redis://redis", {}, ["W010", "W011"]),
        ("redis://primary/0", {"SENTINELS": [("localhost", 26379)]}, []),
        ("redis://primary/0", {"SENTINELS": [("s1", 26379)]}, ["W010", "W011"]),
    ],
    ids=str,
)
def test_a_weak_way_to_redis_is_named_where_it_is_deployed(location, options, expected):
    with override_settings(SESSION_COOKIE_SECURE=True):
        caches = with_redis(location, **options)
        assert found(check_deployment, CACHES=caches) == expected
        without = {"CACHES": caches, "SESSION_REDIS_ENABLED": False}
        assert found(check_deployment, **without) == []


def test_a_weak_cookie_is_named_where_it_is_deployed():
    weak = {"SESSION_COOKIE_SECURE": False, "SESSION_COOKIE_HTTPONLY": False}

    assert found(check_deployment, **weak) == ["W012", "W013"]
    ours = {
        message.id
        for message in run_checks(tags=[Tags.security])
        if str(message.id).startswith("sessions_backend")
    }
    assert ours == set()


def test_another_engine_is_not_looked_at():
    other = "django.contrib.sessions.backends.db"

    assert found(check_deployment, SESSION_ENGINE=other) == []


def test_every_finding_says_what_to_do():
    with override_settings(
        CACHES={"sessions": {"OPTIONS": {"IGNORE_EXCEPTIONS": True}}},
        SESSION_FALLBACK_CACHE_ALIAS="nowhere",
        SESSION_REDIS_KEY_PREFIX="",
        SESSION_REDIS_BUDGET_MS=0,
    ):
        messages = check_sessions()

    assert len(messages) == 5
    assert all(message.hint for message in messages)


def test_the_alias_may_have_any_name():
    caches = {"default": MEMORY, "here": settings.CACHES["sessions"]}
    with override_settings(CACHES=caches, SESSION_CACHE_ALIAS="here"):
        assert check_sessions() == []
        session = SessionStore()
        session.save()
        assert session.exists(session.session_key)


def test_metrics_are_for_who_has_prometheus_client(monkeypatch):
    ours = apps.get_app_config("sessions_backend")
    monkeypatch.setattr("sessions_backend.apps.find_spec", lambda name: None)
    monkeypatch.delitem(sys.modules, "sessions_backend.metrics")
    # Imported a second time they would be registered twice, which is an error.
    monkeypatch.delattr("sessions_backend.metrics")

    ours.ready()

    assert "sessions_backend.metrics" not in sys.modules
