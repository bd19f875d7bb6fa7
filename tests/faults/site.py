"""The project on gunicorn: several workers, each spoken to by its process id."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from http.cookies import Morsel, SimpleCookie
from pathlib import Path
from typing import Any, Self

from prometheus_client.parser import text_string_to_metric_families

from tests.servers import free_port

ROOT = Path(__file__).parents[2]
WORKERS = 3
THREADS = 4
BUDGET = 0.25
# A client waits longer than any server may: what it meets is the server's own end.
_PATIENCE = 15


@dataclass(frozen=True, slots=True)
class Answer:
    """What a worker answered; times in seconds of the machine's monotonic clock."""

    pid: int
    status: int
    body: dict[str, Any]
    cookie: Morsel[str] | None
    began: float
    spent: float
    waited: float
    retry_after: str | None

    @property
    def deletes_cookie(self) -> bool:
        return self.cookie is not None and not self.cookie.value


class Metrics(dict[tuple[str, str], float]):
    """What all workers show together, by name and event."""

    def count(self, event: str) -> float:
        return self.get(("sessions_events_total", event), 0)

    def gauge(self, name: str) -> float:
        return self.get((f"sessions_{name}", ""), 0)


class Line:
    """One kept-alive connection; gunicorn answers all of it in one worker."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection(
            "127.0.0.1", port, timeout=_PATIENCE
        )

    def get(self, path: str, cookie: str | None = None) -> Answer:
        headers = {"Cookie": f"sessionid={cookie}"} if cookie else {}
        self._connection.request("GET", path, headers=headers)
        response = self._connection.getresponse()
        body = response.read()
        cookies = SimpleCookie(response.headers.get("Set-Cookie", ""))
        return Answer(
            pid=int(response.headers["X-Pid"]),
            status=response.status,
            body=json.loads(body),
            cookie=cookies.get("sessionid"),
            began=float(response.headers["X-Began"]),
            spent=float(response.headers["X-Spent-Ms"]) / 1000,
            waited=float(response.headers["X-Waited-Ms"]) / 1000,
            retry_after=response.headers.get("Retry-After"),
        )

    def close(self) -> None:
        self._connection.close()


class Site:
    """A running gunicorn with its log; `start` returns when all workers answer."""

    def __init__(self, folder: Path, redis_url: str, **environment: str) -> None:
        self.folder = folder
        self.port = free_port()
        self._environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.faults.project.settings",
            "FAULTS_STATE": str(folder),
            "FAULTS_REDIS_URL": redis_url,
            "FAULTS_BUDGET_MS": str(round(BUDGET * 1000)),
            "PROMETHEUS_MULTIPROC_DIR": str(folder / "metrics"),
            **environment,
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._own = threading.local()
        self._lines: list[Line] = []
        self.pids: list[int] = []

    def __enter__(self) -> Self:
        (self.folder / "metrics").mkdir(parents=True, exist_ok=True)
        for command in ("migrate", "createcachetable"):
            subprocess.run(
                [sys.executable, "-m", "django", command, "-v0"],
                env=self._environment,
                cwd=ROOT,
                check=True,
                timeout=60,
            )
        with (self.folder / "gunicorn.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "gunicorn"),
                    *("--config", "python:tests.faults.project.serving"),
                    *("--workers", str(WORKERS), "--threads", str(THREADS)),
                    *("--bind", f"127.0.0.1:{self.port}"),
                ],
                env=self._environment,
                cwd=ROOT,
                stdout=log,
                stderr=log,
            )
        self.pids = sorted(self._meet_all_workers())
        return self

    def __exit__(self, *_: object) -> None:
        for line in self._lines:
            line.close()
        assert self._process is not None
        self._process.send_signal(signal.SIGQUIT)
        try:
            self._process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(timeout=10)

    def get(self, path: str, cookie: str | None = None, *, pid: int) -> Answer:
        """Ask the worker `pid`; each thread has a connection to each worker."""
        lines = self._meet_all_workers()
        try:
            return lines[pid].get(path, cookie)
        except (http.client.HTTPException, OSError):
            lines.pop(pid).close()
            raise

    def metrics(self) -> "Metrics":
        text = self.get("/metrics", pid=self.pids[0]).body["text"]
        return Metrics(
            {
                (sample.name, sample.labels.get("event", "")): sample.value
                for family in text_string_to_metric_families(text)
                for sample in family.samples
            }
        )

    def resolver(self, how: str) -> None:
        """Let the name of Redis be answered so from now on."""
        self._tell("resolver", how)

    def show_clock(self, seconds: int) -> None:
        """Let the workers' clock be ahead by so much, or behind."""
        self._tell("clock", str(seconds))

    def _tell(self, file: str, text: str) -> None:
        fresh = self.folder / f"{file}.new"
        fresh.write_text(text)
        fresh.rename(self.folder / file)

    def log(self, *, since: int = 0) -> list[tuple[int, str, str]]:
        """Return (process id, level, message) of each line from position `since`."""
        path = self.folder / "sessions.log"
        if not path.exists():
            return []
        text = path.read_bytes()[since:].decode()
        found = re.findall(r"^(\d+) ([A-Z]+) (.*)$", text, re.MULTILINE)
        return [(int(pid), level, message) for pid, level, message in found]

    def log_position(self) -> int:
        path = self.folder / "sessions.log"
        return path.stat().st_size if path.exists() else 0

    def _meet_all_workers(self) -> dict[int, Line]:
        lines: dict[int, Line] | None = getattr(self._own, "lines", None)
        if lines is None:
            lines = self._own.lines = {}
        deadline = time.monotonic() + 30
        spare: list[Line] = []
        while len(lines) < WORKERS:
            if time.monotonic() > deadline:
                raise RuntimeError((self.folder / "gunicorn.log").read_text()[-3000:])
            line = Line(self.port)
            try:
                pid = line.get("/plain").pid
            except (http.client.HTTPException, OSError):
                line.close()
                time.sleep(0.05)
                continue
            if pid in lines:
                spare.append(line)
            else:
                lines[pid] = line
                self._lines.append(line)
        for line in spare:
            line.close()
        return lines
