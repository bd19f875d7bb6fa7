"""Stores, engines and outages for the tests of the session engine."""

from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
from django.conf import settings
from django.test import override_settings

from sessions_backend import failover
from sessions_backend.signals import session_revoked
from tests.servers import Valkey, free_port
from tests.sessions_backend.misbehaving import Proxy

# A shared machine pauses; how long an example takes says nothing.
hypothesis.settings.register_profile("engine", deadline=None, max_examples=60)
hypothesis.settings.load_profile("engine")

# Twice what is shipped: a busy machine may pause a test for longer than 250 ms.
BUDGET_MS = 500


def caches_with(url: str | list[str], **options: Any) -> dict[str, Any]:
    """Return a CACHES setting whose alias of the sessions is at `url`."""
    return {
        **settings.CACHES,
        settings.SESSION_CACHE_ALIAS: {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": url,
            "OPTIONS": {"SOCKET_CONNECT_TIMEOUT": 5, "SOCKET_TIMEOUT": 5, **options},
        },
    }


@pytest.fixture(autouse=True)
def _fresh_choice() -> Iterator[None]:
    """Let each test choose its store anew, and leave no outage behind."""
    failover.reset()
    yield
    failover.reset()


@pytest.fixture(autouse=True)
def _nobody_else_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the project out: what it does when a session ends is tested there."""
    monkeypatch.setattr(session_revoked, "receivers", [])


@pytest.fixture(params=["redis", "local"])
def any_store(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run a test on each store that can serve."""
    with override_settings(SESSION_REDIS_ENABLED=request.param == "redis"):
        yield request.param


@pytest.fixture
def proxy(valkey: Valkey) -> Iterator[Proxy]:
    """Put a proxy between Redis and an engine that serves nothing without it."""
    with (
        Proxy(valkey.port) as proxy,
        override_settings(
            CACHES=caches_with(proxy.url),
            SESSION_REDIS_BUDGET_MS=BUDGET_MS,
            SESSION_STRICT=True,
        ),
    ):
        yield proxy


@pytest.fixture
def refusing_redis() -> Iterator[str]:
    """Point the alias at a port where nobody listens; return its URL."""
    url = f"redis://127.0.0.1:{free_port()}/0"
    with override_settings(CACHES=caches_with(url), SESSION_REDIS_BUDGET_MS=BUDGET_MS):
        yield url
