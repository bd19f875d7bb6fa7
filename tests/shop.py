"""The shop as a real server process on a port of its own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

import httpx

ROOT = Path(__file__).resolve().parent.parent
SECRET_KEY = "a-secret-key-that-only-journeys-have-" * 2


class Shop:
    """gunicorn with one worker, as `make run` starts it."""

    def __init__(self, port: int, folder: Path, **environment: str) -> None:
        self.port = port
        self.folder = folder
        self.url = f"http://localhost:{port}"
        self.log_file = folder / f"shop-{port}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.database = folder / "pizzeria.sqlite3"
        self.environment = {
            "PATH": os.environ["PATH"],
            "DJANGO_SETTINGS_MODULE": "mario.settings",
            "SECRET_KEY": SECRET_KEY,
            "DATABASE_URL": f"sqlite:///{self.database}",
            "APP_URL": self.url,
            "DEV_REALM": "true",
            # Two busy cores are slower than a restaurant's server.
            "SESSION_REDIS_BUDGET_MS": "2000",
            **environment,
        }

    @property
    def log(self) -> str:
        return self.log_file.read_text() if self.log_file.exists() else ""

    def manage(self, *arguments: str, check: bool = True) -> str:
        """Run a management command beside the running shop."""
        result = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert not check or result.returncode == 0, result.stderr
        return result.stdout + result.stderr

    def prepare(self) -> Self:
        self.manage("migrate", "--verbosity=0")
        self.manage("seed_menu")
        return self

    def start(self) -> Self:
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "gunicorn"),
                    *("--bind", f"127.0.0.1:{self.port}", "--graceful-timeout", "3"),
                ],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait_until_it_answers()
        return self

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + 40
        assert self.process is not None
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if httpx.get(f"{self.url}/health", timeout=2).is_success:
                    return
            except httpx.HTTPError:
                time.sleep(0.05)
        raise RuntimeError(f"The shop did not start:\n{self.log[-3000:]}")

    def kill(self) -> None:
        """End the server at once, as a crash does."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self.process is None:
            return
        if self.process.poll() is None:
            if number is signal.SIGKILL:
                os.killpg(self.process.pid, number)
            else:
                self.process.send_signal(number)
        try:
            self.process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(timeout=5)
        self.process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
