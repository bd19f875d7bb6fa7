"""The engine's settings, read from Django's and typed."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

DEFAULT_COPIES = 10_000
DEFAULT_COPIES_BYTES = 64 * 1024 * 1024
DEFAULT_COPIES_AGE_SECONDS = 3600
DEFAULT_ROTATION_GRACE_SECONDS = 10
DEFAULT_MOST_BYTES = 1024 * 1024
DEFAULT_SEALED_MEMBERS = ("tokens",)
SHORTEST_KEY_SECRET = 32
_SEALING_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class EngineSettings:
    cache_alias: str
    fallback_cache_alias: str | None
    key_prefix: str
    budget_seconds: float
    is_redis_enabled: bool
    saves_every_request: bool
    age_seconds: int
    absolute_age_seconds: int | None
    is_strict: bool
    has_near_cache: bool
    rotation_grace_seconds: int
    copies: int
    copies_bytes: int
    copies_age_seconds: int
    most_bytes: int
    key_secret: bytes | None
    sealing_keys: tuple[bytes, ...]
    sealed_members: tuple[str, ...]
    # Two writers may have changed a session while Redis was away, each within the
    # limit, and neither is refused when the two are merged.
    longest_read: int


@lru_cache(maxsize=1)
def load() -> EngineSettings:
    absolute_age = getattr(settings, "SESSION_ABSOLUTE_AGE", None)
    most_bytes = getattr(settings, "SESSION_MOST_BYTES", DEFAULT_MOST_BYTES)
    return EngineSettings(
        cache_alias=settings.SESSION_CACHE_ALIAS,
        fallback_cache_alias=getattr(settings, "SESSION_FALLBACK_CACHE_ALIAS", None),
        key_prefix=getattr(settings, "SESSION_REDIS_KEY_PREFIX", "session:"),
        budget_seconds=getattr(settings, "SESSION_REDIS_BUDGET_MS", 250) / 1000,
        is_redis_enabled=getattr(settings, "SESSION_REDIS_ENABLED", True),
        saves_every_request=settings.SESSION_SAVE_EVERY_REQUEST,
        age_seconds=settings.SESSION_COOKIE_AGE,
        absolute_age_seconds=None if absolute_age is None else int(absolute_age),
        is_strict=getattr(settings, "SESSION_STRICT", False),
        has_near_cache=getattr(settings, "SESSION_NEAR_CACHE", False),
        rotation_grace_seconds=getattr(
            settings, "SESSION_ROTATION_GRACE", DEFAULT_ROTATION_GRACE_SECONDS
        ),
        copies=getattr(settings, "SESSION_COPIES", DEFAULT_COPIES),
        copies_bytes=getattr(settings, "SESSION_COPIES_BYTES", DEFAULT_COPIES_BYTES),
        copies_age_seconds=getattr(
            settings, "SESSION_COPIES_AGE", DEFAULT_COPIES_AGE_SECONDS
        ),
        most_bytes=most_bytes,
        longest_read=2 * most_bytes,
        key_secret=_key_secret(getattr(settings, "SESSION_KEY_SECRET", None)),
        sealing_keys=_sealing_keys(getattr(settings, "SESSION_SEALING_KEYS", ())),
        sealed_members=tuple(
            getattr(settings, "SESSION_SEALED_MEMBERS", DEFAULT_SEALED_MEMBERS)
        ),
    )


def sealing_key(text: str) -> bytes:
    """
    Return the key that a text stands for: 32 bytes in base64, as secrets makes it.

    :raises ValueError: if it is anything else
    """
    key = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if len(key) != _SEALING_KEY_BYTES:
        raise ValueError(f"{len(key)} bytes instead of {_SEALING_KEY_BYTES}")
    return key


def cache_entry(alias: str) -> dict[str, Any] | None:
    """Return what CACHES says of an alias."""
    entries: Any = settings.CACHES
    entry: dict[str, Any] | None = entries.get(alias)
    return entry


def locations(alias: str) -> list[str]:
    """Return the URLs that a cache names, in one string or in several."""
    location = (cache_entry(alias) or {}).get("LOCATION", "")
    return location.split(",") if isinstance(location, str) else list(location)


def _key_secret(secret: str | None) -> bytes | None:
    if not secret:
        return None
    if len(secret) < SHORTEST_KEY_SECRET:
        raise ImproperlyConfigured(
            f"SESSION_KEY_SECRET must have {SHORTEST_KEY_SECRET} characters or more."
        )
    return secret.encode()


def _sealing_keys(texts: Sequence[str]) -> tuple[bytes, ...]:
    try:
        return tuple(sealing_key(text) for text in texts)
    except ValueError:
        # Not from the error: it may hold a part of the key.
        raise ImproperlyConfigured(
            "SESSION_SEALING_KEYS must be a list of keys as `python -c 'import "
            "secrets; print(secrets.token_urlsafe(32))'` makes them."
        ) from None
