import pytest
from django.conf import settings
from django.test import override_settings

from sessions_backend.checks import check_sessions
from sessions_backend.engine import SessionStore

MEMORY = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
REDIS = {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": "redis://redis"}


def found(**changes):
    with override_settings(**changes):
        return [message.id for message in check_sessions()]


def test_good_settings_pass():
    assert found() == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"CACHES": {"default": MEMORY}}, ["sessions_backend.E001"]),
        ({"CACHES": {"sessions": MEMORY}}, ["sessions_backend.E002"]),
        (
            {"CACHES": {"sessions": {**REDIS, "OPTIONS": {"IGNORE_EXCEPTIONS": True}}}},
            ["sessions_backend.W001"],
        ),
        ({"DJANGO_REDIS_IGNORE_EXCEPTIONS": True}, ["sessions_backend.W001"]),
        ({"SESSION_FALLBACK_CACHE_ALIAS": "nowhere"}, ["sessions_backend.E003"]),
        ({"SESSION_REDIS_KEY_PREFIX": ""}, ["sessions_backend.E004"]),
        ({"SESSION_REDIS_KEY_PREFIX": "sess"}, ["sessions_backend.E004"]),
        ({"SESSION_REDIS_BUDGET_MS": 0}, ["sessions_backend.E005"]),
        (
            {"MIDDLEWARE": ["django.contrib.sessions.middleware.SessionMiddleware"]},
            ["sessions_backend.W002"],
        ),
        ({"SESSION_ENGINE": "django.contrib.sessions.backends.db"}, []),
    ],
    ids=str,
)
def test_weak_settings_are_named(changes, expected):
    assert found(**changes) == expected


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
