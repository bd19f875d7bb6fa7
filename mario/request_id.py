"""
A name for each request: on the page that says what went wrong, in the answer's
X-Request-Id, and in front of every line that is logged meanwhile.

It is made here and never taken from who asks, so nobody can write into another's.
"""

import logging
import secrets
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django import template
from django.http import HttpRequest, HttpResponseBase

register = template.Library()

_current: ContextVar[str] = ContextVar("request_id", default="")


@register.simple_tag
def request_id() -> str:
    """Return the name of the request that is answered now; empty beside requests."""
    return _current.get()


class RequestIdMiddleware:
    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(
        self, request: HttpRequest
    ) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.is_async:
            return self._in_an_event_loop(request)
        with _named() as name:
            response: HttpResponseBase = self.get_response(request)
        response["X-Request-Id"] = name
        return response

    async def _in_an_event_loop(self, request: HttpRequest) -> HttpResponseBase:
        with _named() as name:
            response: HttpResponseBase = await self.get_response(request)
        response["X-Request-Id"] = name
        return response


@contextmanager
def _named() -> Iterator[str]:
    name = secrets.token_hex(6)
    token = _current.set(name)
    try:
        yield name
    finally:
        _current.reset(token)


class NamedLines(logging.Filter):
    """Put the request's name where the format of a log line has `request_name`."""

    def filter(self, record: logging.LogRecord) -> bool:
        name = _current.get()
        record.request_name = f"[{name}] " if name else ""
        return True
