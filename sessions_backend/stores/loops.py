"""
The asyncio transport: connections for each event loop, no thread per call.

redis.asyncio opens them as the alias of django-redis says; then hiredis packs and
parses on the stream itself, as wire.py does on the socket.
"""

import asyncio
import time
import weakref
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import hiredis
from redis.asyncio import connection as asynchronous
from redis.connection import ConnectionPool, SSLConnection, UnixDomainSocketConnection
from redis.exceptions import RedisError
from redis.sentinel import SentinelConnectionPool

from sessions_backend.stores.opening import sentinel_address
from sessions_backend.stores.transport import (
    Command,
    Preamble,
    is_refusal,
    note_broken,
    too_many,
)
from sessions_backend.stores.wire import ClosedBeforeReply

_CHUNK = 65536
_NOTHING_YET = object()
# Made for redis-py's blocking classes, or more than sessions need (see opening.py).
_NOT_FOR_ASYNCIO = {
    "connection_pool",
    "event_dispatcher",
    "himport_registry",
    "maint_notifications_config",
    "maint_notifications_pool_handler",
    "oss_cluster_maint_notifications_handler",
    "parser_class",
    "retry",
    "socket_read_size",
}


class LoopTransport:
    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self.breaks = 0
        self._loops: dict[asyncio.AbstractEventLoop, _Wires] = {}

    async def exchange(
        self,
        commands: tuple[Command, ...],
        deadline: float,
        is_repeatable: bool,
        preamble: Preamble | None = None,
    ) -> list[Any]:
        wires = await self._wires_of_this_loop()
        request = b"".join([packed for _, packed in commands])
        try:
            async with asyncio.timeout(max(deadline - time.monotonic(), 0)):
                return await wires.exchange(
                    _Request(request, len(commands), preamble),
                    deadline,
                    is_repeatable=is_repeatable,
                )
        except (OSError, RedisError):
            self.breaks += 1
            raise
        finally:
            self.breaks += wires.taken_breaks()

    def close(self) -> None:
        """Forget the connections; each is closed with its loop."""
        for wires in self._loops.values():
            wires.forget_idle()

    async def _wires_of_this_loop(self) -> "_Wires":
        loop = asyncio.get_running_loop()
        wires = self._loops.get(loop)
        if wires is None:
            wires = self._loops[loop] = _Wires(self._pool)
            # asyncio.run closes generators that have begun: a loop tells its end
            # in no other way.
            wires.end = self._at_the_end_of(loop)
            await anext(wires.end)
        return wires

    async def _at_the_end_of(
        self, loop: asyncio.AbstractEventLoop
    ) -> AsyncIterator[None]:
        try:
            yield
        finally:
            self._loops.pop(loop).close()


class _Wires:
    """The connections of one event loop: those that lie idle, and a bound for all."""

    end: AsyncIterator[None]

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self._idle: list[_LoopWire] = []
        self._all: weakref.WeakSet[_LoopWire] = weakref.WeakSet()
        self._is_closed = False
        self._breaks = 0

    def taken_breaks(self) -> int:
        """Return how many idle connections turned out closed, and count anew."""
        breaks, self._breaks = self._breaks, 0
        return breaks

    async def exchange(
        self, request: "_Request", deadline: float, *, is_repeatable: bool
    ) -> list[Any]:
        while self._idle:
            wire = self._idle.pop()
            try:
                return await self._ask(wire, request)
            except ConnectionError as error:
                self._breaks += 1
                note_broken(error)
                if not is_repeatable:
                    raise
                # As it lay idle, most likely, and the others with it.
                self.forget_idle()
        return await self._ask(await self._connected(deadline), request)

    def forget_idle(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def close(self) -> None:
        self._is_closed = True
        for wire in list(self._all):
            wire.close()
        self._idle.clear()

    async def _ask(self, wire: "_LoopWire", request: "_Request") -> list[Any]:
        replies = await wire.exchange_after(request)
        if self._is_closed or any(is_refusal(reply) for reply in replies):
            wire.close()
        else:
            self._idle.append(wire)
        return replies

    async def _connected(self, deadline: float) -> "_LoopWire":
        limit = self._pool.max_connections
        if sum(wire.is_open for wire in self._all) >= limit:
            raise too_many(limit)
        wire = await _open(self._pool, deadline)
        self._all.add(wire)
        return wire


class _Request(NamedTuple):
    packed: bytes
    replies: int
    preamble: Preamble | None


class _LoopWire:
    """A stream that is closed after any failure, and never used again then."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._incoming, self._writer = reader, writer
        self._reader = hiredis.Reader(notEnoughData=_NOTHING_YET)
        self.is_open = True
        self._told: str | None = None

    async def exchange_after(self, request: _Request) -> list[Any]:
        """Exchange, after telling the connection what it was not told yet."""
        packed, count, preamble = request
        if preamble is None or preamble.name == self._told:
            return await self.exchange(packed, count)
        replies = await self.exchange(
            preamble.packed + packed, preamble.replies + count
        )
        if not any(isinstance(reply, Exception) for reply in replies):
            self._told = preamble.name
        return replies[preamble.replies :]

    async def exchange(self, request: bytes, count: int) -> list[Any]:
        replies: list[Any] = []
        has_begun = False
        try:
            self._writer.write(request)
            while len(replies) < count:
                chunk = await self._incoming.read(_CHUNK)
                has_begun = has_begun or bool(chunk)
                self._feed(chunk)
                while (reply := self._reader.gets()) is not _NOTHING_YET:
                    replies.append(reply)
        except ConnectionError as error:
            self.close()
            if has_begun:
                raise
            raise ClosedBeforeReply(str(error)) from error
        except BaseException:
            # A cancelled request's reply would be taken for the next one's.
            self.close()
            raise
        return replies

    def close(self) -> None:
        if self.is_open:
            self.is_open = False
            # Not close(): over TLS that waits for a farewell, and a loop that is at
            # its end does not.
            self._writer.transport.abort()

    def _feed(self, chunk: bytes) -> None:
        if not chunk:
            raise ConnectionError("Connection closed by server.")
        self._reader.feed(chunk)


async def _open(pool: ConnectionPool, deadline: float) -> _LoopWire:
    kind, settings = _as_configured(pool)
    if isinstance(pool, SentinelConnectionPool):
        ask = asyncio.to_thread(sentinel_address, pool, deadline)
        settings["host"], settings["port"] = await ask
    connection = kind(**settings)
    try:
        await connection.connect_check_health(
            check_health=False, retry_socket_connect=False
        )
        reader, writer = connection._reader, connection._writer  # noqa: SLF001  # no public name
        # redis-py would close what it thinks is abandoned.
        connection._reader = connection._writer = None  # noqa: SLF001
    except BaseException:
        connection._close()  # noqa: SLF001  # the one that waits for nothing
        raise
    return _LoopWire(reader, writer)


def _as_configured(pool: ConnectionPool) -> tuple[Any, dict[str, Any]]:
    kind: Any = asynchronous.Connection
    if issubclass(pool.connection_class, SSLConnection):
        kind = asynchronous.SSLConnection
    elif issubclass(pool.connection_class, UnixDomainSocketConnection):
        kind = asynchronous.UnixDomainSocketConnection
    settings = {
        name: value
        for name, value in pool.connection_kwargs.items()
        if name not in _NOT_FOR_ASYNCIO
    }
    # The deadline of the exchange rules, and nothing is asked beside it.
    settings |= {
        "socket_timeout": None,
        "socket_connect_timeout": None,
        "driver_info": None,
        "protocol": 2,
        "health_check_interval": 0,
    }
    return kind, settings
