"""
The streams under /live/, as an ASGI application in front of Django's.

Who may have one is asked of Django (`gate`), when it begins and again while it lasts;
what it brings comes from the process's one reader (`hub`).
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

from django.conf import settings
from django.http import HttpResponse, HttpResponseBase

from pizzeria.live.gate import Gate, Scope
from pizzeria.live.hub import Client, Hub
from pizzeria.live.views import StreamGranted

logger = logging.getLogger(__name__)

type Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
type Send = Callable[[dict[str, Any]], Awaitable[None]]
type Application = Callable[..., Awaitable[None]]

PREFIX = "/live/"
_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    # nginx passes it on as it comes.
    "X-Accel-Buffering": "no",
}
_REFUSALS = {401, 403, 404}
_SEND_SECONDS = 30.0


class LiveApplication:
    """Streams for /live/; everything else is the other application's."""

    def __init__(self, otherwise: Application) -> None:
        self._otherwise = otherwise
        self._gate = Gate()
        self._hub: Hub | None = None
        self._scopes: dict[Client, Scope] = {}
        self._rechecking: asyncio.Task[None] | None = None
        self._is_ending = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(PREFIX):
            await self._serve(scope, receive, send)
        else:
            await self._otherwise(scope, receive, send)

    def say_goodbye(self) -> None:
        """
        Tell every page to come back, to the process that follows this one.

        Each after a moment of its own: a thousand at once would be a stampede.
        """
        self._is_ending = True
        for client in self._hub.clients if self._hub else []:
            client.close(
                reason="restart",
                retry_ms=random.randint(500, 3000),  # noqa: S311  # no secret
            )

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._is_ending or len(self._scopes) >= settings.LIVE_MAX_STREAMS:
            await _send_response(_busy(), [], send)
            return
        try:
            answer = await self._gate.ask(scope)
        except TimeoutError:
            answer = _busy()
        origin = _allowed_origin(scope)
        if not isinstance(answer, StreamGranted) or not settings.LIVE_REDIS_URL:
            await _send_response(answer, origin, send)
            return
        client = Client(topics=answer.topics, session=answer.session)
        # What the shop's middleware says of every answer holds for this one.
        for name, value in _HEADERS.items():
            answer[name] = value
        del answer["Content-Length"]
        answer.cookies.clear()
        await self._stream(client, scope, receive, send, _headers(answer) + origin)

    async def _stream(
        self,
        client: Client,
        scope: Scope,
        receive: Receive,
        send: Send,
        headers: list[tuple[bytes, bytes]],
    ) -> None:
        if self._hub is None:
            self._hub = Hub(settings.LIVE_REDIS_URL, settings.LIVE_STREAM_KEY)
        self._scopes[client] = scope
        if self._rechecking is None:
            self._rechecking = asyncio.create_task(self._recheck_for_ever())
        try:
            await send(
                {"type": "http.response.start", "status": 200, "headers": headers}
            )
            await self._hub.join(client, _last_event_id(scope))
            writing = asyncio.create_task(_write(client, send))
            leaving = asyncio.create_task(_until_gone(receive))
            _, pending = await asyncio.wait(
                {writing, leaving}, return_when=asyncio.FIRST_COMPLETED
            )
            for task in pending:
                task.cancel()
            await asyncio.gather(writing, leaving, return_exceptions=True)
        finally:
            del self._scopes[client]
            await self._hub.leave(client)
        if not leaving.done() or leaving.cancelled():
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _recheck_for_ever(self) -> None:
        while True:
            begun = asyncio.get_running_loop().time()
            for client, scope in list(self._scopes.items()):
                await self._recheck(client, scope)
            took = asyncio.get_running_loop().time() - begun
            await asyncio.sleep(max(settings.LIVE_RECHECK_SECONDS - took, 0.1))

    async def _recheck(self, client: Client, scope: Scope) -> None:
        try:
            answer = await self._gate.ask(scope)
        except TimeoutError:
            return
        except Exception:  # the edge of a task that nobody waits for
            logger.exception("A stream's permission could not be checked")
            return
        # While sessions or the database are away nobody is sent away.
        is_other = isinstance(answer, StreamGranted) and answer.topics != client.topics
        if client in self._scopes and (answer.status_code in _REFUSALS or is_other):
            client.close(reason="session-ended")


async def _write(client: Client, send: Send) -> None:
    while True:
        try:
            async with asyncio.timeout(settings.LIVE_HEARTBEAT_SECONDS):
                frame = await client.queue.get()
        except TimeoutError:
            frame = b": still here\n\n"
        if frame is None:
            return
        # A page that reads nothing for so long is gone.
        async with asyncio.timeout(_SEND_SECONDS):
            await send({"type": "http.response.body", "body": frame, "more_body": True})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _busy() -> HttpResponse:
    return HttpResponse(status=503, headers={"Retry-After": "10"})


async def _send_response(
    response: HttpResponseBase, more: list[tuple[bytes, bytes]], send: Send
) -> None:
    body = response.content if isinstance(response, HttpResponse) else b""
    await send(
        {
            "type": "http.response.start",
            "status": response.status_code,
            "headers": _headers(response) + more,
        }
    )
    await send({"type": "http.response.body", "body": body})


def _headers(response: HttpResponseBase) -> list[tuple[bytes, bytes]]:
    headers = [
        (name.lower().encode("latin-1"), value.encode("latin-1"))
        for name, value in response.items()
    ]
    return headers + [
        (b"set-cookie", cookie.OutputString().encode("latin-1"))
        for cookie in response.cookies.values()
    ]


def _header(scope: Scope, name: bytes) -> str:
    return next(
        (value.decode("latin-1") for key, value in scope["headers"] if key == name), ""
    )


def _last_event_id(scope: Scope) -> str | None:
    asked = parse_qs(scope["query_string"].decode("latin-1"))
    return _header(scope, b"last-event-id") or next(iter(asked.get("after", [])), None)


def _allowed_origin(scope: Scope) -> list[tuple[bytes, bytes]]:
    """Let the shop's own pages read a stream that another port serves."""
    origin = _header(scope, b"origin")
    if origin not in settings.LIVE_ORIGINS:
        return []
    return [
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-allow-credentials", b"true"),
        (b"vary", b"Origin"),
    ]
