"""The smallest project that has sessions, as its environment wants it."""

import json
import os
from pathlib import Path

_STATE = Path(os.environ["FAULTS_STATE"])

SECRET_KEY = "only-for-tests-" * 5
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "tests.faults.project.urls"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "sessions_backend",
]
MIDDLEWARE = [
    "tests.faults.project.measuring.measure",
    "sessions_backend.middleware.SessionMiddleware",
    "tests.faults.project.measuring.note_budget",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": _STATE / "project.sqlite3",
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;",
        },
    }
}

SESSION_ENGINE = "sessions_backend.engine"
SESSION_CACHE_ALIAS = "sessions"
SESSION_REDIS_BUDGET_MS = int(os.environ.get("FAULTS_BUDGET_MS", "250"))
SESSION_STRICT = os.environ.get("FAULTS_STRICT") == "true"
SESSION_ROTATION_GRACE = int(os.environ.get("FAULTS_GRACE", "3"))
if "FAULTS_ABSOLUTE_AGE" in os.environ:
    SESSION_ABSOLUTE_AGE = int(os.environ["FAULTS_ABSOLUTE_AGE"])
SESSION_FALLBACK_CACHE_ALIAS = os.environ.get("FAULTS_FALLBACK") or None
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    "sessions": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": os.environ["FAULTS_REDIS_URL"],
        "OPTIONS": json.loads(os.environ.get("FAULTS_REDIS_OPTIONS", "{}")),
    },
    "files": {
        "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
        "LOCATION": str(_STATE / "fallback"),
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    },
    "table": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "fallback",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    },
    "another": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": os.environ.get("FAULTS_ANOTHER_URL", "redis://127.0.0.1:1/0"),
    },
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(process)d %(levelname)s %(message)s"}},
    "handlers": {
        "file": {
            "class": "logging.FileHandler",
            "filename": str(_STATE / "sessions.log"),
            "formatter": "line",
        }
    },
    "loggers": {"sessions_backend": {"handlers": ["file"], "level": "INFO"}},
}
