"""What every benchmark says of itself: versions, machine, day."""

import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import redis

from tests.servers import Valkey

_PACKAGES = ("Django", "django-redis", "redis", "hiredis", "orjson", "gunicorn")


def say(line: str = "") -> None:
    print(line, flush=True)  # noqa: T201  # what a benchmark is for


def versions(*servers: str) -> str:
    """Return in one line what was measured, where, and when."""
    packages = [f"{name} {version(name)}" for name in _PACKAGES]
    day = datetime.now(UTC).date().isoformat()
    return ", ".join(
        [
            day,
            f"{os.cpu_count()} x {_processor()}",
            f"Python {platform.python_version()}",
            *packages,
            *servers,
        ]
    )


def server_version(server: Valkey) -> str:
    """Say what a running server is."""
    with redis.Redis(port=server.port) as client:
        told = client.info("server")
    name = "Valkey" if "valkey_version" in told else "Redis"
    return f"{name} {told.get('valkey_version', told['redis_version'])}"


def stay_on_one_cpu() -> None:
    """
    Keep this process, and the servers that it starts, on one processor.

    On two, each call waits until the other wakes from its sleep. On virtual machines
    that is as long as the call itself, the same for all, and never twice alike.
    """
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def chosen_rounds(default: int) -> int:
    """Return the first argument, or a tenth of the default where QUICK is set."""
    if len(sys.argv) > 1:
        return int(sys.argv[1])
    return max(default // 10, 1) if os.environ.get("QUICK") else default


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
