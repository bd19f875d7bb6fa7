"""A PostgreSQL of one's own, on loopback, for as long as it is needed."""

import os
import shutil
import socket
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

_BINARIES = Path("/usr/lib/postgresql")


class PostgreSQL:
    """
    Debian's server over a new cluster, which may be slower but is never shared.

    :raises FileNotFoundError: if no server is installed (Debian: postgresql)
    """

    def __init__(self, folder: Path) -> None:
        versions = sorted(_BINARIES.glob("*/bin"), key=lambda path: int(path.parts[-2]))
        if not versions:
            raise FileNotFoundError("No PostgreSQL: apt-get install postgresql")
        self._bin = versions[-1]
        self._data = folder / "data"
        self._folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.url = f"postgresql://postgres@127.0.0.1:{self._port}/postgres"

    def __enter__(self) -> Self:
        if os.geteuid() == 0:
            # The server refuses to run as root.
            self._folder.chmod(0o755)
            self._data.mkdir()
            shutil.chown(self._data, "postgres", "postgres")
        self._run("initdb", "-D", self._data, "-A", "trust", "-U", "postgres", "-N")
        options = f"-p {self._port} -c listen_addresses=127.0.0.1 -k {self._data}"
        self._run("pg_ctl", "-D", self._data, "-w", "-t", "60", "-o", options, "start")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._run("pg_ctl", "-D", self._data, "-m", "immediate", "-t", "60", "stop")

    def _run(self, name: str, *arguments: object) -> None:
        command = [str(self._bin / name), *map(str, arguments)]
        if os.geteuid() == 0:
            drop = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
            command = [*drop, *command]
        subprocess.run(  # what stands above
            command,
            check=True,
            timeout=120,
            cwd="/",
            stdout=subprocess.DEVNULL,
        )
