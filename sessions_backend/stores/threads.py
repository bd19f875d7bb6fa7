"""The blocking transport: one connection for each thread of each process."""

import os
import threading
import weakref
from typing import Any

from hiredis import ReplyError
from redis.connection import ConnectionPool

from sessions_backend.stores.opening import open_wire
from sessions_backend.stores.transport import Command, Preamble, is_refusal, too_many
from sessions_backend.stores.wire import ClosedBeforeReply, Wire


class BlockingTransport:
    """
    Connections are made as the alias of django-redis says, and end with their thread.

    A forked child makes its own.
    """

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self.breaks = 0
        self.start_anew()
        _transports.add(self)

    async def exchange(
        self,
        commands: tuple[Command, ...],
        deadline: float,
        *,
        is_repeatable: bool,
        preamble: Preamble | None = None,
    ) -> list[Any]:
        request = b"".join([command.packed for command in commands])
        try:
            replies = self._exchange(
                request, len(commands), deadline, is_repeatable, preamble
            )
        except BaseException:
            self.breaks += 1
            raise
        for reply in replies:
            if type(reply) is ReplyError and is_refusal(reply):
                self._local.wire.close()
        return replies

    def close(self) -> None:
        with self._lock:
            wires = list(self._wires)
        for wire in wires:
            wire.close()

    def start_anew(self) -> None:
        """Forget all connections without closing them: they are the parent's."""
        self._local = threading.local()
        self._wires: weakref.WeakSet[Wire] = weakref.WeakSet()
        self._lock = threading.Lock()

    def _exchange(
        self,
        request: bytes,
        count: int,
        deadline: float,
        is_repeatable: bool,  # every caller names it
        preamble: Preamble | None,
    ) -> list[Any]:
        wire: Wire | None = getattr(self._local, "wire", None)
        if wire is not None and wire.is_open:
            try:
                return wire.exchange_after(preamble, request, count, deadline)
            except ClosedBeforeReply:
                # Closed while it lay idle, most likely: by Redis's own time-out, a
                # restart, a failover. Worth one new connection, not more.
                self.breaks += 1
                if not is_repeatable:
                    raise
        wire = self._connected(deadline)
        return wire.exchange_after(preamble, request, count, deadline)

    def _connected(self, deadline: float) -> Wire:
        limit = self._pool.max_connections
        with self._lock:
            if sum(wire.is_open for wire in self._wires) >= limit:
                raise too_many(limit)
        wire = open_wire(self._pool, deadline=deadline)
        self._local.wire = wire
        with self._lock:
            self._wires.add(wire)
        return wire


_transports: weakref.WeakSet[BlockingTransport] = weakref.WeakSet()


def _leave_the_parent_its_connections() -> None:
    for transport in _transports:
        transport.start_anew()


os.register_at_fork(after_in_child=_leave_the_parent_its_connections)
