"""Django's own tests of an engine and a middleware, over each of ours."""

import pytest
from django.contrib.sessions.middleware import SessionMiddleware as DjangoMiddleware
from django.test import SimpleTestCase, override_settings

from sessions_backend.engine import SessionStore
from sessions_backend.middleware import SessionMiddleware
from tests.sessions_backend.django_suite import (
    SessionMiddlewareTestsMixin,
    SessionTestsMixin,
)


class OnRedisTests(SessionTestsMixin, SimpleTestCase):
    backend = SessionStore


@override_settings(SESSION_ABSOLUTE_AGE=None)
class OnRedisWithoutAbsoluteLifeTests(OnRedisTests):
    pass


@override_settings(SESSION_REDIS_ENABLED=False)
class OnLocalMemoryTests(OnRedisTests):
    pass


@override_settings(
    SESSION_REDIS_ENABLED=False,
    SESSION_FALLBACK_CACHE_ALIAS="elsewhere",
    CACHES={
        "elsewhere": {
            "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
            "LOCATION": "elsewhere",
        }
    },
)
class OnAnotherCacheTests(OnRedisTests):
    pass


class OurMiddlewareOnRedisTests(SessionMiddlewareTestsMixin, SimpleTestCase):
    backend = SessionStore
    middleware = SessionMiddleware

    def test_session_update_error_redirect(self):
        """Ours ends quietly where Django's answers 400: see test_middleware.py."""
        with pytest.raises(AssertionError, match="SessionInterrupted not raised"):
            super().test_session_update_error_redirect()


@override_settings(SESSION_REDIS_ENABLED=False)
class OurMiddlewareOnLocalMemoryTests(OurMiddlewareOnRedisTests):
    pass


class DjangosMiddlewareOnRedisTests(SessionMiddlewareTestsMixin, SimpleTestCase):
    backend = SessionStore
    middleware = DjangoMiddleware


@override_settings(SESSION_REDIS_ENABLED=False)
class DjangosMiddlewareOnLocalMemoryTests(DjangosMiddlewareOnRedisTests):
    pass
