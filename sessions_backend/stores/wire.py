"""
One connection to Redis, spoken to directly.

redis-py opens it, so TLS, authentication and the database are configured in one
place, the alias of django-redis. Then hiredis packs and parses on the socket itself:
redis-py's pool, retry and connection layers cost more than half of a call.
"""

import ipaddress
import os
import socket
import ssl
import struct
import time
from typing import Any

import hiredis
from redis.connection import AbstractConnection, Connection, ConnectionPool
from redis.sentinel import SentinelManagedConnection

from sessions_backend import conf
from sessions_backend.stores.lookups import lookups

_CHUNK = 65536
_NOTHING_YET = object()
# The kernel's own time-out saves two system calls each time. It is armed once, for
# this share of the budget, and used while at least so much is left.
_STANDING_SHARE = 0.9


class ClosedBeforeReply(ConnectionError):
    """The other side had closed the connection before it began to answer."""


class Wire:
    """A socket that is closed after any failure, and never used again then."""

    def __init__(self, connection: AbstractConnection, sock: Any) -> None:
        self._connection = connection
        self._sock = sock
        self._pid = os.getpid()
        self._standing = self._arm_kernel_timeout()
        self._reader = hiredis.Reader(notEnoughData=_NOTHING_YET)
        self.is_open = True

    def exchange(self, request: bytes, count: int, deadline: float) -> list[Any]:
        """
        Send commands and return their `count` replies, errors among them.

        :raises ClosedBeforeReply: if nothing of a reply came, and nothing will
        :raises OSError: if the connection fails, or the deadline passes
        """
        try:
            replies = self._replies_at_once(request, count, deadline)
            while len(replies) < count:
                replies += self._replies_of(self._receive_until(deadline))
        except BaseException:
            # What is still on its way would be taken for the next call's reply.
            self.close()
            raise
        return replies

    def close(self) -> None:
        if self.is_open:
            self.is_open = False
            # redis-py shuts the socket down, unless it is the parent's.
            self._connection.disconnect()  # type: ignore[no-untyped-call]  # redis-py

    def __del__(self) -> None:
        # The thread that owned it has ended.
        if getattr(self, "is_open", False):
            self.close()

    def _replies_at_once(
        self, request: bytes, count: int, deadline: float
    ) -> list[Any]:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("The request's time for its session is used up.")
        if left < self._standing:
            self._sock.settimeout(left)
        try:
            self._sock.sendall(request)
            chunk = self._sock.recv(_CHUNK)
        except BlockingIOError:
            return []
        except (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError) as error:
            raise ClosedBeforeReply(str(error)) from error
        finally:
            if left < self._standing and self._standing != float("inf"):
                self._sock.settimeout(None)
        if not chunk:
            raise ClosedBeforeReply("Connection closed by server.")
        return self._replies_of(chunk)

    def _receive_until(self, deadline: float) -> bytes:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("Redis did not answer in time.")
        self._sock.settimeout(left)
        chunk: bytes = self._sock.recv(_CHUNK)
        if not chunk:
            raise ConnectionError("Connection closed by server in mid-reply.")
        self._sock.settimeout(None)
        return chunk

    def _replies_of(self, chunk: bytes) -> list[Any]:
        self._reader.feed(chunk)
        replies = []
        while (reply := self._reader.gets()) is not _NOTHING_YET:
            replies.append(reply)
        return replies

    def _arm_kernel_timeout(self) -> float:
        if isinstance(self._sock, ssl.SSLSocket):
            # OpenSSL takes a kernel time-out for the end of the stream.
            return float("inf")
        standing = conf.load().budget_seconds * _STANDING_SHARE
        seconds, fraction = divmod(standing, 1)
        timeval = struct.pack("@ll", int(seconds), int(fraction * 1_000_000))
        self._sock.settimeout(None)
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            self._sock.setsockopt(socket.SOL_SOCKET, option, timeval)
        return standing


def open_wire(pool: ConnectionPool, *, deadline: float) -> Wire:
    """
    Connect, authenticate and select the database, all of it before `deadline`.

    :raises redis.exceptions.RedisError: if the server refuses, with its reason
    :raises OSError: if the time is over
    """
    connection = pool.connection_class(**pool.connection_kwargs)
    _leave_out_what_sessions_do_not_need(connection)
    _connect_before(connection, deadline)
    if isinstance(connection, SentinelManagedConnection):
        connection.host, connection.port = _address_from_sentinel(connection, deadline)
    try:
        connection.connect_check_health(check_health=False, retry_socket_connect=False)
    except BaseException:
        connection.disconnect()
        raise
    return Wire(connection, connection._sock.sock)  # noqa: SLF001  # has no public name


def _leave_out_what_sessions_do_not_need(connection: Any) -> None:
    # Two round trips that tell Redis the driver's name, one that asks for notices of
    # maintenance, and one that changes to RESP3.
    connection.driver_info = None
    connection.maint_notifications_config = None
    connection.protocol = 2
    connection.health_check_interval = 0


def _connect_before(connection: Any, deadline: float) -> None:
    """Make redis-py's own steps obey one deadline, the handshake included."""
    connect = connection._connect  # noqa: SLF001  # redis-py has no hook for this
    name = getattr(connection, "host", None)

    def connect_in_time() -> _DeadlineSocket:
        if not isinstance(connection, Connection):
            _allow_what_is_left(connection, deadline)
            return _DeadlineSocket(connect(), deadline)
        error: OSError = TimeoutError("no address")
        host = connection.host
        for address in _addresses(host, connection.port, deadline):
            try:
                connection.host = address
                _allow_what_is_left(connection, deadline)
                return _DeadlineSocket(connect(), deadline)
            except OSError as failure:
                error = failure
            finally:
                connection.host = host
        raise error

    connection._connect = connect_in_time  # noqa: SLF001
    if name is not None and hasattr(connection, "_wrap_socket_with_ssl"):
        _wrap_under_its_name(connection, deadline)


def _wrap_under_its_name(connection: Any, deadline: float) -> None:
    # The certificate names the host, not the address that was connected to.
    wrap = connection._wrap_socket_with_ssl  # noqa: SLF001
    name = connection.host

    def wrap_in_time(sock: socket.socket) -> Any:
        connection.host = name
        sock.settimeout(_left(deadline))
        return wrap(sock)

    connection._wrap_socket_with_ssl = wrap_in_time  # noqa: SLF001


def _addresses(host: str, port: int, deadline: float) -> list[str]:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        return [host]

    def look_up() -> list[str]:
        found = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))

    addresses: list[str] = lookups.find((host, port), look_up, deadline=deadline)
    return addresses


def _address_from_sentinel(connection: Any, deadline: float) -> tuple[str, int]:
    pool = connection.connection_pool

    def ask() -> Any:
        return (
            pool.get_master_address() if pool.is_master else next(pool.rotate_slaves())
        )

    address: tuple[str, int] = lookups.find(
        ("sentinel", pool.service_name, pool.is_master), ask, deadline=deadline
    )
    return address


def _allow_what_is_left(connection: Any, deadline: float) -> None:
    left = _left(deadline)
    connection.socket_connect_timeout = left
    connection.socket_timeout = left


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


class _DeadlineSocket:
    """A socket whose every wait ends at the same moment, however it is fed."""

    def __init__(self, sock: Any, deadline: float) -> None:
        self.sock = sock
        self._deadline = deadline

    def recv_into(self, *arguments: Any) -> int:
        self.sock.settimeout(_left(self._deadline))
        received: int = self.sock.recv_into(*arguments)
        return received

    def recv(self, *arguments: Any) -> bytes:
        self.sock.settimeout(_left(self._deadline))
        received: bytes = self.sock.recv(*arguments)
        return received

    def sendall(self, *arguments: Any) -> None:
        self.sock.settimeout(_left(self._deadline))
        self.sock.sendall(*arguments)

    def settimeout(self, value: float | None) -> None:
        """Ignore redis-py's own: the deadline rules."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sock, name)
