"""System checks: what in the settings would make sessions weak, with the remedy."""

from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, register

from sessions_backend import conf, names

_ENGINE = "sessions_backend.engine"
_DJANGOS = "django.contrib.sessions.middleware.SessionMiddleware"


@register(Tags.security)
def check_sessions(**kwargs: Any) -> list[CheckMessage]:
    if settings.SESSION_ENGINE != _ENGINE:
        return []
    return [*_check_alias(), *_check_fallback(), *_check_names(), *_check_middleware()]


def _check_alias() -> list[CheckMessage]:
    alias = conf.load().cache_alias
    cache = conf.cache_entry(alias)
    if cache is None:
        return [
            Error(
                f"SESSION_CACHE_ALIAS names {alias!r}, and CACHES has no such entry.",
                hint="Add it to CACHES, as a cache of django-redis.",
                id="sessions_backend.E001",
            )
        ]
    found: list[CheckMessage] = []
    if conf.load().is_redis_enabled and "LOCATION" not in cache:
        found.append(
            Error(
                f"The cache {alias!r} has no LOCATION, so it is no Redis.",
                hint='Set BACKEND to "django_redis.cache.RedisCache" and LOCATION '
                "to the address of Redis.",
                id="sessions_backend.E002",
            )
        )
    if _ignores_errors(cache):
        found.append(
            checks.Warning(
                f"The cache {alias!r} ignores errors of Redis.",
                hint="Remove IGNORE_EXCEPTIONS: an outage would look like a logout "
                "to everything else that uses this cache.",
                id="sessions_backend.W001",
            )
        )
    return found


def _ignores_errors(cache: dict[str, Any]) -> bool:
    default = getattr(settings, "DJANGO_REDIS_IGNORE_EXCEPTIONS", False)
    return bool(cache.get("OPTIONS", {}).get("IGNORE_EXCEPTIONS", default))


def _check_fallback() -> list[CheckMessage]:
    alias = conf.load().fallback_cache_alias
    if alias is None or alias in settings.CACHES:
        return []
    return [
        Error(
            f"SESSION_FALLBACK_CACHE_ALIAS names {alias!r}, and CACHES has no such "
            "entry.",
            hint="Add it to CACHES, or remove the setting to fall back to memory.",
            id="sessions_backend.E003",
        )
    ]


def _check_names() -> list[CheckMessage]:
    prefix = conf.load().key_prefix
    found: list[CheckMessage] = []
    if not prefix or names.AUXILIARY_PREFIX.startswith(prefix):
        found.append(
            Error(
                f"SESSION_REDIS_KEY_PREFIX {prefix!r} also matches the engine's other "
                f"keys, which begin with {names.AUXILIARY_PREFIX!r}.",
                hint='Choose another one, such as "session:".',
                id="sessions_backend.E004",
            )
        )
    if conf.load().budget_seconds <= 0:
        found.append(
            Error(
                "SESSION_REDIS_BUDGET_MS must be above zero.",
                hint="250 is a good start.",
                id="sessions_backend.E005",
            )
        )
    return found


def _check_middleware() -> list[CheckMessage]:
    if _DJANGOS not in settings.MIDDLEWARE:
        return []
    return [
        checks.Warning(
            "Django's own SessionMiddleware is in use: during an outage of Redis it "
            "answers 500, and it knows nothing of sessions attached by a token.",
            hint='Put "sessions_backend.middleware.SessionMiddleware" in its place.',
            id="sessions_backend.W002",
        )
    ]
