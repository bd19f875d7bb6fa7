"""
How much a request may bring: DATA_UPLOAD_MAX_MEMORY_SIZE, whatever it is for.

Django's own limit is for forms alone, and is asked when the body is read; JSON has
none. Here a body that is too large, or of a length that is not told, is read by nobody,
and one that ends before its end is what somebody meant to nobody.
"""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase, UnreadablePostError

from mario.errors import bad_request, too_large, without_length

type Application = Callable[..., Awaitable[None]]


class BoundedBodyMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        refusal = _refusal(
            request.headers.get("Content-Length"),
            request.headers.get("Transfer-Encoding"),
        )
        if refusal == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return too_large(request)
        if refusal == HTTPStatus.LENGTH_REQUIRED:
            # Under WSGI a body of unknown length would look like an empty one.
            return without_length(request)
        if not _is_whole(request):
            return bad_request(request, UnreadablePostError())
        return self.get_response(request)


def bounded(application: Application) -> Application:
    """Refuse the same under ASGI, where Django reads a body before any middleware."""

    async def refuse_or_pass(scope: dict[str, Any], receive: Any, send: Any) -> None:
        headers = dict(scope.get("headers", ()))
        refusal = _refusal(
            headers.get(b"content-length", b"").decode("latin-1") or None,
            headers.get(b"transfer-encoding", b"").decode("latin-1"),
        )
        if refusal is None:
            await application(scope, receive, send)
            return
        start = {"status": refusal.value, "headers": [(b"connection", b"close")]}
        await send({"type": "http.response.start", **start})
        await send({"type": "http.response.body", "body": b""})

    return refuse_or_pass


def _is_whole(request: HttpRequest) -> bool:
    # gunicorn passes on what arrived before the client went away: half a form would
    # be taken for a whole one.
    length = int(request.headers.get("Content-Length") or 0)
    try:
        return length == 0 or len(request.body) == length
    except UnreadablePostError:
        return False


def _refusal(length: str | None, coding: str | None) -> HTTPStatus | None:
    if coding:
        return HTTPStatus.LENGTH_REQUIRED
    if length and not length.isdecimal():
        return HTTPStatus.LENGTH_REQUIRED
    if length and int(length) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    return None
