"""The engine's settings, read from Django's and typed."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.conf import settings

DEFAULT_COPIES = 10_000
DEFAULT_COPIES_BYTES = 64 * 1024 * 1024
DEFAULT_COPIES_AGE_SECONDS = 3600
DEFAULT_ROTATION_GRACE_SECONDS = 10


@dataclass(frozen=True, slots=True)
class EngineSettings:
    cache_alias: str
    fallback_cache_alias: str | None
    key_prefix: str
    budget_seconds: float
    is_redis_enabled: bool
    absolute_age_seconds: int | None
    is_strict: bool
    has_near_cache: bool
    rotation_grace_seconds: int
    copies: int
    copies_bytes: int
    copies_age_seconds: int


@lru_cache(maxsize=1)
def load() -> EngineSettings:
    absolute_age = getattr(settings, "SESSION_ABSOLUTE_AGE", None)
    return EngineSettings(
        cache_alias=settings.SESSION_CACHE_ALIAS,
        fallback_cache_alias=getattr(settings, "SESSION_FALLBACK_CACHE_ALIAS", None),
        key_prefix=getattr(settings, "SESSION_REDIS_KEY_PREFIX", "session:"),
        budget_seconds=getattr(settings, "SESSION_REDIS_BUDGET_MS", 250) / 1000,
        is_redis_enabled=getattr(settings, "SESSION_REDIS_ENABLED", True),
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
    )


def cache_entry(alias: str) -> dict[str, Any] | None:
    """Return what CACHES says of an alias."""
    entries: Any = settings.CACHES
    entry: dict[str, Any] | None = entries.get(alias)
    return entry


def locations(alias: str) -> list[str]:
    """Return the URLs that a cache names, in one string or in several."""
    location = (cache_entry(alias) or {}).get("LOCATION", "")
    return location.split(",") if isinstance(location, str) else list(location)
