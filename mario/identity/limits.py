"""
How often one client may ask for something, counted for all processes.

A limit is a number of requests in a window of time, by the client's address and, for
who is logged in, by the person. The counters live in the sessions' Redis, each for two
windows; while that is away every process counts by itself.
"""

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, wraps
from hashlib import sha256
from http import HTTPStatus
from typing import Any, Concatenate

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template import loader

from mario.identity import login_session
from mario.identity.addresses import client_address, network_of
from sessions_backend import budget, failover
from sessions_backend.exceptions import StorageUnavailable
from sessions_backend.stores.base import Blocking, Replacement
from sessions_backend.stores.cluster import redis_store
from sessions_backend.stores.threads import BlockingTransport

MESSAGE = "Too many requests. Please wait a moment, then try again."
# What counting may take of a request's time.
_SECONDS = 0.1
# After Redis has failed to count, it is left alone for so long.
_PAUSE_SECONDS = 5.0
# Of one counter at once; more are counted in this process.
_MOST_WRITERS = 64
_MOST_LOCAL = 20_000

_local: OrderedDict[str, int] = OrderedDict()
_lock = threading.Lock()
_paused_until = 0.0


@dataclass(frozen=True)
class Limit:
    requests: int
    seconds: int = 60


type View[**P] = Callable[Concatenate[HttpRequest, P], HttpResponse]


def limited[**P](scope: str) -> Callable[[View[P]], View[P]]:
    """Answer 429 with Retry-After to who asks more often than RATE_LIMITS says."""

    def decorate(view: View[P]) -> View[P]:
        @wraps(view)
        def counted(
            request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs
        ) -> HttpResponse:
            seconds = seconds_to_wait(request, scope)
            if seconds:
                return too_many_requests(request, seconds)
            return view(request, *args, **kwargs)

        return counted

    return decorate


def seconds_to_wait(request: HttpRequest, scope: str) -> int:
    """Count this request; return 0, or after how many seconds to come back."""
    limit = Limit(*settings.RATE_LIMITS[scope])
    now = time.time()
    window = int(now // limit.seconds)
    for who in _who(request):
        name = sha256(f"{scope}|{who}|{window}".encode()).hexdigest()
        if _count(f"mario_identity:limit:{name[:40]}", limit) > limit.requests:
            return max(1, round((window + 1) * limit.seconds - now))
    return 0


def too_many_requests(request: HttpRequest, seconds: int) -> HttpResponse:
    """Say when to come back: a page for people, JSON for programs."""
    response: HttpResponse
    if request.path.startswith("/api/"):
        body: dict[str, Any] = {
            "code": "too_many_requests",
            "message": MESSAGE,
            "extra": {"retry_after_seconds": seconds},
        }
        response = JsonResponse(body, status=HTTPStatus.TOO_MANY_REQUESTS)
    else:
        page = loader.render_to_string("429.html", {"seconds": seconds})
        response = HttpResponse(page, status=HTTPStatus.TOO_MANY_REQUESTS)
    response["Retry-After"] = str(seconds)
    response["Cache-Control"] = "no-store"
    return response


def forget() -> None:
    """Start again as a new process does."""
    global _paused_until  # noqa: PLW0603  # one pause for the process
    with _lock:
        _local.clear()
        _paused_until = 0.0
    _redis.cache_clear()


def _who(request: HttpRequest) -> list[str]:
    found = [f"address {network_of(client_address(request))}"]
    # A session that cannot be reached is no reason to keep anybody from the login.
    session = request.session
    if session.session_key and login_session.is_available(session):
        user = getattr(request, "user", None)
        if user is not None and user.is_authenticated:
            found.append(f"user {user.pk}")
    return found


def _count(name: str, limit: Limit) -> int:
    global _paused_until  # noqa: PLW0603  # see forget
    if settings.SESSION_REDIS_ENABLED and time.monotonic() >= _paused_until:
        try:
            return _count_in_redis(name, limit)
        except StorageUnavailable:
            _paused_until = time.monotonic() + _PAUSE_SECONDS
    return _count_here(name)


def _count_in_redis(name: str, limit: Limit) -> int:
    """
    Count for all processes and lose none: what was read is compared as it is set.

    :raises StorageUnavailable: if Redis is away
    """
    if failover.is_degraded():
        raise StorageUnavailable
    ttl = limit.seconds * 2
    with budget.of_seconds(_SECONDS):
        store = _redis()
        present = store.claim(name, b"0", ttl)
        for _ in range(_MOST_WRITERS):
            count = int(present.partition(b":")[0]) + 1
            if count > limit.requests:
                # Too many already: nothing needs to be written to know that.
                return count
            # No two writers store the same bytes, which would count as one.
            raw = f"{count}:{secrets.token_hex(4)}".encode()
            outcome = store.replace(name, present, raw, ttl)
            if isinstance(outcome, Replacement):
                return count
            present = outcome
    return _count_here(name)


def _count_here(name: str) -> int:
    with _lock:
        count = _local.pop(name, 0) + 1
        _local[name] = count
        while len(_local) > _MOST_LOCAL:
            _local.popitem(last=False)
    return count


@cache
def _redis() -> Blocking:
    # Beside the failing-over store: counters are neither copied nor journalled.
    return Blocking(redis_store(settings.SESSION_CACHE_ALIAS, BlockingTransport))
