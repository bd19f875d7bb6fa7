"""One line an event on standard error."""

from typing import Any

from mario.settings.base import env

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": "mario.log_lines.UtcFormatter",
            "format": "{asctime} {levelname} {request_name}{message}",
            "style": "{",
        },
    },
    "filters": {
        "expected": {"()": "mario.log_lines.WithoutExpectedTracebacks"},
        "named": {"()": "mario.request_id.NamedLines"},
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "line",
            "filters": ["expected", "named"],
        },
    },
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        name: {"level": env.log_level}
        for name in ("mario", "pizzeria", "sessions_backend")
    }
    | {
        # Django's own handlers would print each line twice.
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        "django.server": {"handlers": [], "level": "INFO", "propagate": True},
        # The library's debug lines name people and states.
        "mozilla_django_oidc": {"level": "WARNING"},
    },
}
