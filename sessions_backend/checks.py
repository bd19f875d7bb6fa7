"""System checks: what in the settings would make sessions weak, with the remedy."""

import difflib
import ipaddress
import os
import re
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any, NamedTuple, TypeGuard
from urllib.parse import parse_qs, urlsplit

from django.conf import global_settings, settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, register

from sessions_backend import conf, names

_ENGINE = "sessions_backend.engine"
_DJANGOS = "django.contrib.sessions.middleware.SessionMiddleware"
_JSON = "django.contrib.sessions.serializers.JSONSerializer"
_MAKE_A_KEY = (
    "`python -c 'import secrets; print(secrets.token_urlsafe(32))'` makes one."
)
# What several worker processes are asked for by: gunicorn's and uvicorn's variables.
_WORKERS = re.compile(r"(?:-w|--workers)[ =]?(\d+)")


class _Kind(NamedTuple):
    description: str
    fits: Callable[[Any], bool]


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    return type(value) is int and value >= 0


def _are_texts(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(
        isinstance(text, str) for text in value
    )


_TEXT = _Kind("a text", lambda value: isinstance(value, str))
_TEXT_OR_NONE = _Kind("a text or None", lambda v: v is None or isinstance(v, str))
_TEXTS = _Kind("a list of texts", _are_texts)
_SWITCH = _Kind("True or False", lambda value: isinstance(value, bool))
_NUMBER = _Kind("a number", _is_number)
_WHOLE = _Kind("a whole number, not below zero", _is_whole)
_WHOLE_OR_NONE = _Kind(
    "a number of seconds above zero, or None",
    lambda value: value is None or (_is_number(value) and value > 0),
)
_KINDS = {
    "SESSION_CACHE_ALIAS": _TEXT,
    "SESSION_FALLBACK_CACHE_ALIAS": _TEXT_OR_NONE,
    "SESSION_REDIS_KEY_PREFIX": _TEXT,
    "SESSION_REDIS_BUDGET_MS": _NUMBER,
    "SESSION_REDIS_ENABLED": _SWITCH,
    "SESSION_COOKIE_AGE": _NUMBER,
    "SESSION_ABSOLUTE_AGE": _WHOLE_OR_NONE,
    "SESSION_ROTATION_GRACE": _WHOLE,
    "SESSION_STRICT": _SWITCH,
    "SESSION_NEAR_CACHE": _SWITCH,
    "SESSION_COPIES": _WHOLE,
    "SESSION_COPIES_BYTES": _WHOLE,
    "SESSION_COPIES_AGE": _NUMBER,
    "SESSION_MOST_BYTES": _WHOLE,
    "SESSION_KEY_SECRET": _TEXT_OR_NONE,
    "SESSION_SEALING_KEYS": _TEXTS,
    "SESSION_SEALED_MEMBERS": _TEXTS,
}


@register(Tags.security)
def check_sessions(**kwargs: Any) -> list[CheckMessage]:
    if settings.SESSION_ENGINE != _ENGINE:
        return []
    if unusable := [*_check_kinds(), *_check_keys()]:
        # What is looked at below is read as if it were right.
        return unusable
    return [
        *_check_alias(),
        *_check_pool(),
        *_check_fallback(),
        *_check_names(),
        *_check_budget(),
        *_check_near_cache(),
        *_check_spelling(),
        *_check_serializer(),
        *_check_middleware(),
    ]


@register(Tags.security, deploy=True)
def check_deployment(**kwargs: Any) -> list[CheckMessage]:
    if settings.SESSION_ENGINE != _ENGINE or _check_kinds():
        return []
    return [*_check_way_to_redis(), *_check_cookie()]


def _check_kinds() -> list[CheckMessage]:
    return [
        Error(
            f"{name} must be {kind.description}, and is of type "
            f"{type(getattr(settings, name)).__name__}.",
            hint="The package's README has a table of all settings.",
            id="sessions_backend.E006",
        )
        for name, kind in _KINDS.items()
        if hasattr(settings, name) and not kind.fits(getattr(settings, name))
    ]


def _check_keys() -> Iterator[CheckMessage]:
    secret = getattr(settings, "SESSION_KEY_SECRET", None)
    if isinstance(secret, str) and 0 < len(secret) < conf.SHORTEST_KEY_SECRET:
        yield Error(
            f"SESSION_KEY_SECRET has less than {conf.SHORTEST_KEY_SECRET} characters: "
            "ids could be found by trying.",
            hint=_MAKE_A_KEY,
            id="sessions_backend.E007",
        )
    texts = getattr(settings, "SESSION_SEALING_KEYS", ())
    if not texts or not _are_texts(texts):
        return
    if wrong := [place for place, text in enumerate(texts, 1) if not _is_key(text)]:
        yield Error(
            f"Of SESSION_SEALING_KEYS number {', '.join(map(str, wrong))} is no key "
            "of 32 bytes in base64.",
            hint=_MAKE_A_KEY,
            id="sessions_backend.E008",
        )
    if find_spec("cryptography") is None:
        yield Error(
            "SESSION_SEALING_KEYS needs the package cryptography.",
            hint="Install sessions-backend[sealing].",
            id="sessions_backend.E009",
        )


def _is_key(text: str) -> bool:
    try:
        conf.sealing_key(text)
    except ValueError:
        return False
    return True


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
    return bool(_options(cache).get("IGNORE_EXCEPTIONS", default))


def _check_pool() -> Iterator[CheckMessage]:
    alias = conf.load().cache_alias
    cache, locations = conf.cache_entry(alias) or {}, set(conf.locations(alias))
    for other in settings.CACHES:
        entry = conf.cache_entry(other) or {}
        if (
            other != alias
            and str(entry.get("BACKEND", "")).startswith("django_redis.")
            and locations & set(conf.locations(other))
            and _options(entry) != _options(cache)
        ):
            yield checks.Warning(
                f"The caches {alias!r} and {other!r} have one LOCATION and different "
                "OPTIONS: django-redis gives both the pool of whichever is used first.",
                hint="Give both the same OPTIONS, or tell the addresses apart, as by "
                "another database.",
                id="sessions_backend.W004",
            )


def _check_fallback() -> Iterator[CheckMessage]:
    alias = conf.load().fallback_cache_alias
    if alias is not None and alias not in settings.CACHES:
        yield Error(
            f"SESSION_FALLBACK_CACHE_ALIAS names {alias!r}, and CACHES has no such "
            "entry.",
            hint="Add it to CACHES, or remove the setting to fall back to memory.",
            id="sessions_backend.E003",
        )
        return
    entry = conf.cache_entry(alias) if alias else None
    is_memory = entry is None or "locmem" in str(entry.get("BACKEND"))
    if is_memory and not conf.load().is_strict and (workers := _workers()) > 1:
        yield checks.Warning(
            f"There are {workers} worker processes, and each keeps its sessions in a "
            "memory of its own while Redis is away.",
            hint="Let SESSION_FALLBACK_CACHE_ALIAS name a cache that they share, such "
            "as the database's.",
            id="sessions_backend.W006",
        )


def _workers() -> int:
    asked = _WORKERS.findall(os.environ.get("GUNICORN_CMD_ARGS", ""))
    number = asked[-1] if asked else os.environ.get("WEB_CONCURRENCY", "1")
    return int(number) if number.isdecimal() else 1


def _check_names() -> Iterator[CheckMessage]:
    prefix = conf.load().key_prefix
    if not prefix or names.AUXILIARY_PREFIX.startswith(prefix):
        yield Error(
            f"SESSION_REDIS_KEY_PREFIX {prefix!r} also matches the engine's other "
            f"keys, which begin with {names.AUXILIARY_PREFIX!r}.",
            hint='Choose another one, such as "session:".',
            id="sessions_backend.E004",
        )
    elif prefix.startswith(names.AUXILIARY_PREFIX):
        yield Error(
            f"SESSION_REDIS_KEY_PREFIX {prefix!r} lies among the engine's other keys, "
            f"which begin with {names.AUXILIARY_PREFIX!r}.",
            hint='Choose another one, such as "session:".',
            id="sessions_backend.E004",
        )


def _check_budget() -> Iterator[CheckMessage]:
    budget = conf.load().budget_seconds
    if budget <= 0:
        yield Error(
            "SESSION_REDIS_BUDGET_MS must be above zero.",
            hint="250 is a good start.",
            id="sessions_backend.E005",
        )
    cache = conf.cache_entry(conf.load().cache_alias) or {}
    timeout = _options(cache).get("SOCKET_TIMEOUT")
    if _is_number(timeout) and budget > timeout:
        yield checks.Warning(
            f"SESSION_REDIS_BUDGET_MS lets a request wait for {budget:g} s, and the "
            f"alias's SOCKET_TIMEOUT is {timeout:g} s: for sessions the budget wins.",
            hint="Lower the budget.",
            id="sessions_backend.W005",
        )


def _check_near_cache() -> Iterator[CheckMessage]:
    cache = conf.cache_entry(conf.load().cache_alias) or {}
    factory = _options(cache).get("CONNECTION_FACTORY")
    if conf.load().has_near_cache and factory == (
        "sessions_backend.cluster.ConnectionFactory"
    ):
        yield checks.Warning(
            "SESSION_NEAR_CACHE does nothing over a Redis Cluster: a node tells only "
            "of its own keys.",
            hint="Remove the setting.",
            id="sessions_backend.W008",
        )


def _check_spelling() -> Iterator[CheckMessage]:
    if (
        hasattr(settings, "SESSION_SEALED_MEMBERS")
        and conf.load().sealed_members
        and not conf.load().sealing_keys
    ):
        yield checks.Warning(
            "SESSION_SEALED_MEMBERS names members, and without SESSION_SEALING_KEYS "
            "nothing is sealed.",
            hint=f"Set SESSION_SEALING_KEYS. {_MAKE_A_KEY}",
            id="sessions_backend.W009",
        )
    unknown = {
        name
        for name in dir(settings)
        if re.match(r"SESSIONS?_", name)
        and name not in _KINDS
        and not hasattr(global_settings, name)
    }
    for name in sorted(unknown):
        close = difflib.get_close_matches(name, _KINDS, n=1, cutoff=0.85)
        if close or name.startswith("SESSION_REDIS_"):
            yield checks.Warning(
                f"{name} is no setting of the session engine, and changes nothing.",
                hint=f"Is {close[0]} meant?" if close else "Remove it.",
                id="sessions_backend.W003",
            )


def _check_serializer() -> Iterator[CheckMessage]:
    if settings.SESSION_SERIALIZER != _JSON:
        yield checks.Warning(
            f"SESSION_SERIALIZER is {settings.SESSION_SERIALIZER!r}, and not used: "
            "records are JSON, whoever wrote them. What only another serializer can "
            "hold is refused when the session is saved.",
            hint="Remove the setting, and store dates and the like as text.",
            id="sessions_backend.W007",
        )


def _check_middleware() -> Iterator[CheckMessage]:
    if _DJANGOS in settings.MIDDLEWARE:
        yield checks.Warning(
            "Django's own SessionMiddleware is in use: during an outage of Redis it "
            "answers 500, and it knows nothing of sessions attached by a token.",
            hint='Put "sessions_backend.middleware.SessionMiddleware" in its place.',
            id="sessions_backend.W002",
        )


def _check_way_to_redis() -> Iterator[CheckMessage]:
    if not conf.load().is_redis_enabled:
        return
    alias = conf.load().cache_alias
    options = _options(conf.cache_entry(alias) or {})
    for location in conf.locations(alias):
        url = urlsplit(location)
        hosts = [host for host, _ in options.get("SENTINELS", ())] or [url.hostname]
        if url.scheme not in {"redis", "rediss"} or all(map(_is_loopback, hosts)):
            continue
        if url.scheme == "redis":
            yield checks.Warning(
                f"Sessions travel to {url.hostname} unencrypted, with the tokens and "
                "ids that they hold.",
                hint='Let LOCATION begin with "rediss://", or keep the way within a '
                "private network and silence this check.",
                id="sessions_backend.W010",
            )
        if not _has_password(url.password, url.query, options):
            yield checks.Warning(
                f"Redis at {url.hostname} is reached without a password.",
                hint="Give Redis a user for the sessions, and LOCATION its name and "
                "password.",
                id="sessions_backend.W011",
            )


def _is_loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def _has_password(password: str | None, query: str, options: dict[str, Any]) -> bool:
    pool = options.get("CONNECTION_POOL_KWARGS") or {}
    return bool(
        password
        or "password" in parse_qs(query)
        or options.get("PASSWORD")
        # An own provider of credentials, as clouds have them, is a password, too.
        or pool.keys() & {"password", "credential_provider"}
    )


def _check_cookie() -> Iterator[CheckMessage]:
    # Django looks only where its own application or middleware is installed.
    if not settings.SESSION_COOKIE_SECURE:
        yield checks.Warning(
            "SESSION_COOKIE_SECURE is off: the cookie is sent over plain HTTP, too, "
            "and whoever listens is logged in.",
            hint="Set SESSION_COOKIE_SECURE = True.",
            id="sessions_backend.W012",
        )
    if not settings.SESSION_COOKIE_HTTPONLY:
        yield checks.Warning(
            "SESSION_COOKIE_HTTPONLY is off: any script in a page can read the cookie.",
            hint="Set SESSION_COOKIE_HTTPONLY = True.",
            id="sessions_backend.W013",
        )


def _options(cache: dict[str, Any]) -> dict[str, Any]:
    options: dict[str, Any] = cache.get("OPTIONS") or {}
    return options
