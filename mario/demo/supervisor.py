import signal
import subprocess
import sys
import time
from types import FrameType, TracebackType
from typing import Self

from mario.demo import console, environment
from mario.demo.children import Child
from mario.demo.errors import DemoFailed, StopRequested
from mario.demo.folders import ROOT, Folders
from mario.demo.readiness import Probe
from mario.demo.services import Service

_POLL_SECONDS = 0.1
_PROGRESS_SECONDS = 5


class Supervisor:
    """
    Start servers in order, watch them, and end them in the opposite order.

    A signal only sets a mark that every wait looks at: raised anywhere, it could
    come between starting a server and remembering it.
    """

    def __init__(self, folders: Folders) -> None:
        self._folders = folders
        self._started: list[tuple[Service, Child, float]] = []
        self._signals = 0

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._remember_signal)
        # `nohup` asks to outlive the terminal.
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, self._remember_signal)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop_all()

    def _remember_signal(self, number: int, frame: FrameType | None) -> None:
        self._signals += 1

    @property
    def servers(self) -> dict[str, tuple[int, int]]:
        return {s.name: (child.pid, s.port) for s, child, _ in self._started}

    def start(self, service: Service) -> None:
        child = Child(
            service.name,
            service.command,
            environment.of_children(service.environ),
            self._folders.logs / f"{service.name}.log",
        )
        self._started.append((service, child, time.monotonic()))

    def wait_until_ready(self, name: str) -> None:
        """
        Wait for a started server, showing that it is being waited for.

        :raises DemoFailed: if it ends, or is not ready in its time
        :raises StopRequested: if a signal came
        """
        service, child, begun = next(s for s in self._started if s[0].name == name)
        told = begun
        while not service.is_ready():
            self._pause()
            waited = time.monotonic() - begun
            if waited > service.starts_within:
                raise DemoFailed(
                    f"{name} is not ready after {waited:.0f} s. The end of "
                    f"{child.log}:\n{child.tail()}"
                )
            if time.monotonic() - told > _PROGRESS_SECONDS:
                told = time.monotonic()
                console.report(name, f"still starting, {waited:.0f} s")
        # Somebody else may have answered at its address.
        self._check_children()
        console.report(
            name, f"{service.url:<32} ready after {time.monotonic() - begun:.1f} s"
        )

    def wait_for(self, is_ready: Probe, seconds: float) -> bool:
        """
        Give a server that somebody else started some time to answer.

        :raises StopRequested: if a signal came
        """
        deadline = time.monotonic() + seconds
        while not (answered := is_ready()) and time.monotonic() < deadline:
            self._pause()
        return answered

    def run(self, name: str, arguments: list[str], environ: dict[str, str]) -> None:
        """
        Run a management command to its end.

        :raises DemoFailed: if it fails; with what it printed
        :raises StopRequested: if a signal came
        """
        command = [sys.executable, str(ROOT / "manage.py"), *arguments]
        log = self._folders.logs / f"{name}.log"
        child = Child(name, command, environment.of_children(environ), log)
        try:
            while child.exit_code is None:
                self._pause()
        finally:
            child.stop(seconds=2)
        if child.exit_code:
            raise DemoFailed(f"`manage.py {name}` failed:\n{child.tail()}")

    def relay(self, name: str) -> None:
        """Print all that one server said while it started, and skip the others."""
        for service, child, _ in self._started:
            lines = child.new_lines()
            if service.name == name:
                console.say("\n".join(f"    {line}" for line in lines))

    def watch(self) -> None:
        """
        Show what the servers warn about, until a signal comes.

        :raises DemoFailed: if one of them ends
        :raises StopRequested: if a signal came
        """
        while True:
            for service, child, _ in self._started:
                for line in console.noteworthy(child.new_lines()):
                    console.say(f"{service.name}: {line}")
            self._pause()

    def _pause(self) -> None:
        if self._signals:
            raise StopRequested
        self._check_children()
        time.sleep(_POLL_SECONDS)

    def _check_children(self) -> None:
        for service, child, _ in self._started:
            if child.exit_code is not None:
                raise DemoFailed(
                    f"{service.name} ended with {child.exit_code}. The end of "
                    f"{child.log}:\n{child.tail()}"
                )

    def _stop_all(self) -> None:
        # The shop first: its last answers may still write sessions.
        for service, child, _ in reversed(self._started):
            try:
                child.stop(0 if self._signals > 1 else service.stops_within)
            except subprocess.TimeoutExpired:
                console.complain(f"{service.name} ({child.pid}) could not be ended.")
