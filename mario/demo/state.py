"""What runs in this checkout, noted in `var/run` for `--status` and `--copy`."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from mario.demo.folders import Folders

DEMO = "demo"


@dataclass(frozen=True)
class Running:
    """One supervisor and the servers it started: name -> (process id, port)."""

    supervisor: int
    started_at: float
    shop_url: str
    copy_port: int
    servers: dict[str, tuple[int, int]]

    @property
    def is_alive(self) -> bool:
        # A process id is given again after a while; the time of its start is not.
        try:
            process = psutil.Process(self.supervisor)
            return abs(process.create_time() - self.started_at) < 1
        except psutil.NoSuchProcess:
            return False


def note(
    folders: Folders,
    name: str,
    *,
    shop_url: str,
    copy_port: int,
    servers: dict[str, tuple[int, int]],
) -> None:
    own = psutil.Process()
    running = Running(os.getpid(), own.create_time(), shop_url, copy_port, servers)
    _file(folders, name).write_text(json.dumps(asdict(running), indent=2))


def forget(folders: Folders, name: str) -> None:
    _file(folders, name).unlink(missing_ok=True)


def find(folders: Folders, name: str = DEMO) -> Running | None:
    """Look up a supervisor that lives; the note of one that was killed is no news."""
    try:
        running = Running(**json.loads(_file(folders, name).read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None
    return running if running.is_alive else None


def find_all(folders: Folders) -> dict[str, Running]:
    names = sorted(
        (file.stem for file in folders.running.glob("*.json")),
        key=lambda name: (name != DEMO, name),
    )
    found = {name: find(folders, name) for name in names}
    return {name: running for name, running in found.items() if running}


def _file(folders: Folders, name: str) -> Path:
    return folders.running / f"{name}.json"
