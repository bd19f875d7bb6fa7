"""The one session: where it is kept, how long it lives."""

from typing import Literal

from mario.settings.base import env

SESSION_ENGINE = "sessions_backend.engine"
SESSION_CACHE_ALIAS = "sessions"
SESSION_REDIS_ENABLED = env.redis_enabled
SESSION_REDIS_KEY_PREFIX = env.redis_key_prefix
SESSION_REDIS_BUDGET_MS = env.session_redis_budget_ms
SESSION_KEY_SECRET = (
    env.session_key_secret.get_secret_value() if env.session_key_secret else None
)
SESSION_SEALING_KEYS = env.sealing_keys
SESSION_COOKIE_AGE = round(env.session_timeout_hours * 3600)
SESSION_ABSOLUTE_AGE = round(env.session_absolute_hours * 3600)
# `__Host-`: no neighbouring host can set it, and no plain connection.
SESSION_COOKIE_NAME = "__Host-mario_session" if env.is_secure else "mario_session"
SESSION_COOKIE_SECURE = env.is_secure
SESSION_COOKIE_HTTPONLY = True
# The callback from Keycloak is a cross-site navigation: Strict would lose it.
SESSION_COOKIE_SAMESITE: Literal["Lax"] = "Lax"

CACHES = {
    # Locks, counters and other small things that may be lost.
    "default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "LOCATION": "mario",
    },
    "sessions": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": env.redis_url,
        "OPTIONS": {
            # redis-py's own 5 s and 10 retries add up to a minute of waiting.
            "SOCKET_CONNECT_TIMEOUT": 1,
            "SOCKET_TIMEOUT": max(1, env.session_redis_budget_ms / 1000),
            "CONNECTION_POOL_KWARGS": {"max_connections": 96},
        },
    },
}
