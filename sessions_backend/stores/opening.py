"""
How a connection is opened: by redis-py, as the alias of django-redis says.

TLS, authentication, the database and Sentinel stay configured there. One deadline
holds for all of it: looking the name up, connecting, and each step of the handshake.
"""

import ipaddress
import socket
import time
from collections.abc import Callable
from typing import Any

from django.core.cache import caches
from django.core.exceptions import ImproperlyConfigured
from redis.connection import Connection, ConnectionPool
from redis.sentinel import SentinelManagedConnection

from sessions_backend.stores.lookups import lookups
from sessions_backend.stores.wire import Wire

# Called in a request when Sentinel names another server than before; not to wait.
on_move: Callable[[], None] | None = None
_servers: dict[str, tuple[str, int]] = {}


def pool_of(cache_alias: str) -> ConnectionPool:
    """
    Return django-redis's own pool for an alias: it holds how to connect.

    :raises ImproperlyConfigured: if the alias is not a cache of django-redis
    """
    client: Any = getattr(caches[cache_alias], "client", None)
    if not hasattr(client, "get_client"):
        raise ImproperlyConfigured(
            f"SESSION_CACHE_ALIAS is {cache_alias!r}, which is not a cache of "
            "django-redis: set its BACKEND to 'django_redis.cache.RedisCache'."
        )
    pool: ConnectionPool = client.get_client(write=True).connection_pool
    return pool


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
        found = sentinel_address(connection.connection_pool, deadline)
        connection.host, connection.port = found
    try:
        connection.connect_check_health(check_health=False, retry_socket_connect=False)
    except BaseException:
        connection.disconnect()
        raise
    return Wire(connection, connection._sock.sock)  # noqa: SLF001  # has no public name


def sentinel_address(pool: Any, deadline: float) -> tuple[str, int]:
    """
    Ask the Sentinels of a pool where its server is now.

    :raises OSError: if none answers before `deadline`, and none has before
    """

    def ask() -> Any:
        return (
            pool.get_master_address() if pool.is_master else next(pool.rotate_slaves())
        )

    address: tuple[str, int] = lookups.find(
        ("sentinel", pool.service_name, pool.is_master), ask, deadline=deadline
    )
    former = _servers.get(pool.service_name)
    _servers[pool.service_name] = address
    if former not in {None, address} and on_move is not None:
        on_move()
    return address


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
