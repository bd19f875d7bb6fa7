"""
One connection to Redis, spoken to directly.

redis-py opens it (see opening.py). Then hiredis packs and parses on the socket itself:
redis-py's pool, retry and connection layers cost more than half of a call.
"""

import select
import socket
import ssl
import struct
from time import monotonic
from typing import Any

import hiredis
from redis.connection import AbstractConnection

from sessions_backend import conf
from sessions_backend.stores.transport import Preamble

_CHUNK = 16384
_NOTHING_YET = object()
# The kernel's own time-out saves two system calls each time. It is armed once, for
# this share of the budget, and used while at least so much is left.
_STANDING_SHARE = 0.9


class ClosedBeforeReply(ConnectionError):
    """The other side had closed the connection before it began to answer."""


def _closed() -> bytes:
    raise ClosedBeforeReply("Connection closed by server.")


class Wire:
    """A socket that is closed after any failure, and never used again then."""

    def __init__(self, connection: AbstractConnection, sock: Any) -> None:
        self._connection = connection
        self._sock = sock
        self._standing = self._arm_kernel_timeout()
        self._reader = hiredis.Reader(notEnoughData=_NOTHING_YET)
        self.is_open = True
        # The name of the last preamble that this connection was told.
        self._told: str | None = None

    def unblock(self) -> None:
        """Make a connection that is listened to from now on, with `drain`."""
        self._sock.setblocking(False)
        self._watch = select.poll()
        self._watch.register(self._sock, select.POLLIN)

    def drain(self) -> list[Any]:
        """
        Return what the other side has said unasked, without waiting for more.

        :raises OSError: if the connection has ended
        """
        said: list[Any] = []
        # Nearly always there is nothing, and to be told so by an exception costs three
        # times as much. TLS holds nothing back: a chunk is as long as its records.
        if not self._watch.poll(0):
            return said
        while True:
            try:
                chunk = self._sock.recv(_CHUNK)
            except (BlockingIOError, ssl.SSLWantReadError):
                return said
            if not chunk:
                raise ConnectionError("Connection closed by server.")
            said += self._replies_of(chunk)

    def send_now(self, request: bytes) -> None:
        """Send what is short enough not to wait, after `unblock`."""
        self._sock.sendall(request)

    def exchange(
        self,
        request: bytes,
        count: int,
        deadline: float,
        preamble: Preamble | None = None,
    ) -> list[Any]:
        """
        Send commands and return their `count` replies, errors among them.

        The connection is told the preamble first, unless it was told already.

        :raises ConnectionError: if the other side has closed it
        :raises OSError: if the connection fails, or the deadline passes
        """
        if preamble is not None and preamble.name != self._told:
            return self._tell_and_exchange(preamble, request, count, deadline)
        reader, sock = self._reader, self._sock
        take = reader.gets
        try:
            # Here and not in a method: each call of one counts, for all that is asked.
            if deadline - monotonic() < self._standing:
                chunk = self._first_chunk_within(request, deadline)
            else:
                sock.sendall(request)
                chunk = sock.recv(_CHUNK)
            reader.feed(chunk or _closed())
            replies = [take() for _ in range(count)]
        except BlockingIOError:
            # By the kernel's own time-out; some more is left.
            replies = [_NOTHING_YET] * count
        except ssl.SSLEOFError as error:
            self.close()
            raise ClosedBeforeReply(str(error)) from error
        except BaseException:
            # What is still on its way would be taken for the next call's reply.
            self.close()
            raise
        if replies[-1] is _NOTHING_YET:
            replies = self._completed(replies, deadline)
        if reader.has_data():
            self.close()
            raise ConnectionError("Redis has said more than it was asked.")
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

    def _tell_and_exchange(
        self, preamble: Preamble, request: bytes, count: int, deadline: float
    ) -> list[Any]:
        replies = self.exchange(
            preamble.packed + request, preamble.replies + count, deadline
        )
        if not any(isinstance(reply, Exception) for reply in replies):
            self._told = preamble.name
        return replies[preamble.replies :]

    def _first_chunk_within(self, request: bytes, deadline: float) -> bytes:
        left = deadline - monotonic()
        if left <= 0:
            raise TimeoutError("The request's time for its session is used up.")
        self._sock.settimeout(left)
        try:
            self._sock.sendall(request)
            chunk: bytes = self._sock.recv(_CHUNK)
        finally:
            if self._standing != float("inf"):
                self._sock.settimeout(None)
        return chunk

    def _completed(self, replies: list[Any], deadline: float) -> list[Any]:
        """Wait for the replies that had not come with the first chunk."""
        take = self._reader.gets
        try:
            while replies[-1] is _NOTHING_YET:
                self._reader.feed(self._receive_until(deadline))
                replies = [
                    take() if reply is _NOTHING_YET else reply for reply in replies
                ]
        except BaseException:
            self.close()
            raise
        return replies

    def _receive_until(self, deadline: float) -> bytes:
        left = deadline - monotonic()
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
        take = self._reader.gets
        replies = []
        while (reply := take()) is not _NOTHING_YET:
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
