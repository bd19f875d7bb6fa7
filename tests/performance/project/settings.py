"""The smallest project that has sessions, on this engine or on Django's own."""

import os

IS_OURS = os.environ["BENCH_ENGINE"] == "this engine"

SECRET_KEY = "only-for-benchmarks-" * 3
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "tests.performance.project.urls"
USE_TZ = True
INSTALLED_APPS = ["sessions_backend"] if IS_OURS else []
MIDDLEWARE = [
    "sessions_backend.middleware.SessionMiddleware"
    if IS_OURS
    else "django.contrib.sessions.middleware.SessionMiddleware",
    "tests.performance.project.visits.count",
]
SESSION_ENGINE = (
    "sessions_backend.engine" if IS_OURS else "django.contrib.sessions.backends.cache"
)
SESSION_REDIS_BUDGET_MS = 2000
CACHES = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": os.environ["BENCH_REDIS_URL"],
        "OPTIONS": {"SERIALIZER": "django_redis.serializers.json.JSONSerializer"},
    },
}
