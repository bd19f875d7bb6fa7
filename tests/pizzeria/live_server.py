"""The server of the streams as a process, and a page that listens to one."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import httpx

from tests.servers import free_port, wait_until
from tests.shop import ROOT


class LiveServer:
    """`python -m mario.live` beside the tests' database and Valkey."""

    def __init__(self, database: str, folder: Path, **environment: str) -> None:
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"
        self.log_file = folder / f"live-{self.port}.log"
        self.environment = {
            **os.environ,
            "DATABASE_URL": f"sqlite:///{database}",
            **environment,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mario.live", "--port", str(self.port)],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        wait_until(self._answers, seconds=60)
        return self

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log_file.read_text()
        try:
            return httpx.get(f"{self.url}/live/orders/", timeout=5).status_code == 401
        except httpx.TransportError:
            return False

    def terminate(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(timeout=10)


class Page:
    """A browser's EventSource: collects what a stream brings."""

    def __init__(self, url: str, cookie: str, *, after: str | None = None) -> None:
        self.frames: list[dict[str, Any]] = []
        self.comments = 0
        self.status: int | None = None
        self.headers: httpx.Headers | None = None
        self.is_over = threading.Event()
        self._response: httpx.Response | None = None
        headers = {"Cookie": f"mario_session={cookie}", "Accept": "text/event-stream"}
        if after:
            headers["Last-Event-ID"] = after
        self._client = httpx.Client(timeout=60)
        self._request = self._client.build_request("GET", url, headers=headers)
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        try:
            response = self._client.send(self._request, stream=True)
            self._response = response
            self.headers = response.headers
            self.status = response.status_code
            for frame in _frames(response.iter_lines()):
                if frame is None:
                    self.comments += 1
                else:
                    self.frames.append(frame)
        except (httpx.HTTPError, OSError):
            pass
        finally:
            self.is_over.set()

    @property
    def events(self) -> list[str]:
        return [frame["event"] for frame in self.frames]

    @property
    def changes(self) -> list[dict[str, Any]]:
        return [f["data"] for f in self.frames if f["event"] == "change"]

    def wait_for(self, event: str, *, seconds: float = 15) -> dict[str, Any]:
        wait_until(
            lambda: event in self.events or self.is_over.is_set(), seconds=seconds
        )
        return next(frame for frame in self.frames if frame["event"] == event)

    def close(self) -> None:
        if self._response is not None:
            # The other thread waits for it: closing alone would leave it open.
            stream = self._response.extensions["network_stream"]
            with suppress(OSError):
                stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
        self.is_over.wait(5)
        self._client.close()


def _frames(lines: Iterator[str]) -> Iterator[dict[str, Any] | None]:
    frame: dict[str, Any] = {}
    for line in lines:
        if not line:
            if "event" in frame:
                yield frame
            frame = {}
        elif line.startswith(":"):
            yield None
        else:
            name, _, value = line.partition(": ")
            frame[name] = json.loads(value) if name == "data" else value
