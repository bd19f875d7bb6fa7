"""Misbehaving on request: slow or failing endpoints, for tests."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse

LONGEST_DELAY_SECONDS = 60.0


@dataclass
class Fault:
    """What an endpoint does instead of, or before, answering."""

    delay: float = 0.0
    status: int | None = None
    body: str = ""
    content_type: str = "text/plain"
    # How many more requests meet it; None for all.
    times: int | None = None


_lock = threading.Lock()
# By URL name: auth, token, certs, userinfo, revoke, logout, discovery, ...
_faults: dict[str, Fault] = {}


def arrange(endpoint: str, fault: Fault) -> None:
    with _lock:
        _faults[endpoint] = fault


def clear() -> None:
    with _lock:
        _faults.clear()


def _next_for(endpoint: str | None) -> Fault | None:
    with _lock:
        fault = _faults.get(endpoint or "")
        if fault is None or fault.times is None:
            return fault
        if fault.times <= 0:
            return None
        fault.times -= 1
        return fault


class FaultsMiddleware:
    """Let an arranged fault happen where its endpoint is asked."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._get_response(request)

    def process_view(
        self, request: HttpRequest, view: object, args: Any, kwargs: Any
    ) -> HttpResponse | None:
        del view, args, kwargs
        match = request.resolver_match
        fault = _next_for(match.url_name if match else None)
        if fault is None:
            return None
        time.sleep(min(fault.delay, LONGEST_DELAY_SECONDS))
        if fault.status is None:
            return None
        return HttpResponse(
            fault.body, status=fault.status, content_type=fault.content_type
        )
