"""The blocking transport: one connection for each thread of each process."""

import os
import threading
import time
import weakref
from typing import Any

from hiredis import ReplyError
from redis.connection import ConnectionPool

from sessions_backend import health
from sessions_backend.stores.opening import open_wire
from sessions_backend.stores.transport import (
    Command,
    Preamble,
    is_refusal,
    note_broken,
    too_many,
)
from sessions_backend.stores.wire import Wire


class BlockingTransport:
    """
    Connections are made as the alias of django-redis says, and end with their thread.

    Of as many as the alias allows (`max_connections`) the last is for the threads that
    find no other: one after the other, each for one call, none beyond its deadline. A
    forked child makes its own.
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
        is_repeatable: bool,
        preamble: Preamble | None = None,
    ) -> list[Any]:
        request, count = b"".join([packed for _, packed in commands]), len(commands)
        wire = self.own_wire
        try:
            if wire is None:
                replies = self._exchange_anew(request, count, deadline, preamble)
            else:
                try:
                    replies = wire.exchange(request, count, deadline, preamble)
                except ConnectionError as error:
                    # Closed while it lay idle, most likely: by Redis's own time-out, a
                    # restart, a failover. Worth one new connection, not more.
                    self.breaks += 1
                    note_broken(error)
                    if not is_repeatable:
                        raise
                    replies = self._exchange_anew(request, count, deadline, preamble)
        except BaseException:
            self.breaks += 1
            raise
        for reply in replies:
            if type(reply) is ReplyError and is_refusal(reply):
                self._close_own()
        return replies

    @property
    def own_wire(self) -> Wire | None:
        """Return the connection that this thread has open, if it has one."""
        wire: Wire | None = getattr(self._local, "wire", None)
        return wire if wire is not None and wire.is_open else None

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
        self._turn = threading.Lock()

    def _exchange_anew(
        self, request: bytes, count: int, deadline: float, preamble: Preamble | None
    ) -> list[Any]:
        if not self._may_open_another():
            return self._exchange_in_turn(request, count, deadline, preamble)
        wire = self._local.wire = self._opened(deadline)
        return wire.exchange(request, count, deadline, preamble)

    def _may_open_another(self) -> bool:
        with self._lock:
            is_open = sum(wire.is_open for wire in self._wires)
        return is_open < self._pool.max_connections - 1

    def _exchange_in_turn(
        self, request: bytes, count: int, deadline: float, preamble: Preamble | None
    ) -> list[Any]:
        """Do it on the shared connection, when those before have done theirs."""
        if not self._turn.acquire(timeout=max(deadline - time.monotonic(), 0)):
            health.count("exhausted_pools")
            raise too_many(self._pool.max_connections)
        # Not kept open for the next one: whether it still is could not be known.
        wire = None
        try:
            wire = self._opened(deadline)
            return wire.exchange(request, count, deadline, preamble)
        finally:
            if wire is not None:
                wire.close()
            self._turn.release()

    def _close_own(self) -> None:
        if wire := self.own_wire:
            wire.close()

    def _opened(self, deadline: float) -> Wire:
        wire = open_wire(self._pool, deadline=deadline)
        with self._lock:
            self._wires.add(wire)
        return wire


_transports: weakref.WeakSet[BlockingTransport] = weakref.WeakSet()


def _leave_the_parent_its_connections() -> None:
    for transport in _transports:
        transport.start_anew()


os.register_at_fork(after_in_child=_leave_the_parent_its_connections)
