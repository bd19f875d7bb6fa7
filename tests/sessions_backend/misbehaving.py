"""A TCP proxy before the real server: counts round trips, and misbehaves when told."""

import contextlib
import select
import socket
import struct
import threading
import time
from types import TracebackType
from typing import Self

PASS = "pass"
HANG = "hang"
TRICKLE = "trickle"
RESET = "reset"
CLOSE = "close"
TRUNCATE = "truncate"
# Once: the command reaches the server, its reply does not reach the client.
SWALLOW = "swallow"
# Once: half of the reply arrives, and then a reset.
RESET_ONCE = "reset-once"
MODES = (HANG, TRICKLE, RESET, CLOSE, TRUNCATE)


class Proxy:
    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self.mode = PASS
        self.round_trips = 0
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._is_open = True
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_open = False
        # Wakes the thread that accepts; closing alone would not.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(timeout=5)

    def _start(self, target, *arguments) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while self._is_open:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        server = socket.create_connection(("127.0.0.1", self.target_port))
        with client, server, contextlib.suppress(OSError):
            client_spoke_last = False
            while self._is_open:
                readable, _, _ = select.select([client, server], [], [], 0.05)
                if client in readable:
                    request = client.recv(1 << 20)
                    if not request:
                        return
                    self.round_trips += not client_spoke_last
                    client_spoke_last = True
                    if not self._forward(request, client, server):
                        return
                if server in readable:
                    reply = server.recv(1 << 20)
                    if not reply:
                        return
                    client_spoke_last = False
                    client.sendall(reply)

    def _forward(
        self, request: bytes, client: socket.socket, server: socket.socket
    ) -> bool:
        """Misbehave as told; say whether the connection goes on."""
        if self.mode == PASS:
            server.sendall(request)
        elif self.mode == HANG:
            pass
        elif self.mode == TRICKLE:
            self._trickle(client)
            return False
        elif self.mode == RESET:
            _reset(client)
            return False
        elif self.mode == CLOSE:
            return False
        elif self.mode in {TRUNCATE, SWALLOW, RESET_ONCE}:
            self._cut_short(request, client, server)
            return False
        return True

    def _cut_short(
        self, request: bytes, client: socket.socket, server: socket.socket
    ) -> None:
        server.sendall(request)
        reply = server.recv(1 << 20)
        if self.mode in {TRUNCATE, RESET_ONCE}:
            client.sendall(reply[: max(1, len(reply) // 2)])
        if self.mode == RESET_ONCE:
            # The client reads the half before it hears of the end.
            time.sleep(0.05)
            _reset(client)
        if self.mode != TRUNCATE:
            self.mode = PASS

    def _trickle(self, client: socket.socket) -> None:
        client.sendall(b"$1000000\r\n")
        while self._is_open:
            client.sendall(b"x")
            time.sleep(0.02)


def _reset(client: socket.socket) -> None:
    """Let the connection end with RST in the place of FIN."""
    linger = struct.pack("ii", 1, 0)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
