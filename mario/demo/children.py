import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from mario.demo.folders import ROOT

_LEASH = Path(__file__).with_name("leash.py")
_TAIL_BYTES = 4000
_KILL_SECONDS = 5.0


class Child:
    """A server in a process group of its own, whose output goes to a log file."""

    def __init__(
        self, name: str, command: Sequence[str], environ: Mapping[str, str], log: Path
    ) -> None:
        self.name = name
        self.log = log
        if log.exists():
            log.replace(log.with_suffix(".log.1"))
        self._reader = _LogReader(log)
        with log.open("wb") as output:
            # Isolated (-I, -S): the leash needs no package and starts in 10 ms.
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", _LEASH, str(os.getpid()), *command],
                cwd=ROOT,
                env=dict(environ),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        return self._process.poll()

    def new_lines(self) -> list[str]:
        """Read what the child wrote since the last call, whole lines only."""
        return self._reader.new_lines()

    def tail(self) -> str:
        """Read the end of the log, for the person who asks why it died."""
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - _TAIL_BYTES))
            lines = log.read().decode(errors="replace").splitlines()
        return "\n".join(f"    {line}" for line in lines[-20:])

    def stop(self, seconds: float) -> None:
        """
        Ask it to end, then end whatever is left of it by force.

        That is its group, and grandchildren that lead groups of their own, as
        Keycloak's Java does.
        """
        family = self._descendants()
        self._signal_group(signal.SIGTERM)
        deadline = time.monotonic() + seconds
        while self._lives(family) and time.monotonic() < deadline:
            time.sleep(0.05)
        self._signal_group(signal.SIGKILL)
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait(timeout=_KILL_SECONDS)

    def _descendants(self) -> list[psutil.Process]:
        try:
            return psutil.Process(self.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def _lives(self, family: list[psutil.Process]) -> bool:
        return self.exit_code is None or any(_is_running(each) for each in family)

    def _signal_group(self, number: int) -> None:
        # macOS answers "not permitted" for a group that holds only zombies.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)


class _LogReader:
    def __init__(self, log: Path) -> None:
        self._log = log
        self._position = 0

    def new_lines(self) -> list[str]:
        with self._log.open("rb") as log:
            log.seek(self._position)
            whole, newline, _ = log.read().rpartition(b"\n")
        self._position += len(whole) + len(newline)
        return whole.decode(errors="replace").splitlines() if newline else []


def _is_running(process: psutil.Process) -> bool:
    # A zombie waits for its parent, not for its own end.
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
