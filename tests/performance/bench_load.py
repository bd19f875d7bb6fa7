"""
What many sessions and many writers cost, in Redis and in memory.

    python -m tests.performance.bench_load [changes a writer makes]

First 10,000 live sessions and 1 to 64 threads of one process, each of which loads,
changes and saves one of them after the other; the same in the process's own memory;
and 64 writers in four processes. One process has one core: what is above a core's
worth waits for it, and p99 shows that. Then what a load, a save and the list of a
user's sessions cost beside 1,000 to 1,000,000 other records.
"""

import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import redis
from django.conf import settings

from sessions_backend.stores.redis import pack
from tests.performance.bench_engine import AGE, configure
from tests.performance.records import sample_record
from tests.performance.report import chosen_rounds, say, server_version, versions
from tests.servers import Valkey

SESSIONS = 10_000
WRITERS = (1, 4, 16, 64)
CHANGES = 100
PROCESSES = 4
SIZES = (1_000, 100_000, 1_000_000)
CALLS = 1_000
BATCH = 1_000
SMALL = b'{"_auth_user_id":"%d","cart":{}}'


def filled(count: int) -> list[str]:
    """Make sessions of 3.6 KB, and return their ids."""
    from sessions_backend.engine import SessionStore  # noqa: PLC0415

    data, ids = sample_record(), []
    for number in range(count):
        session = SessionStore()
        session.update({**data, "_auth_user_id": str(number)})
        session.save()
        ids.append(str(session.session_key))
    return ids


def change(ids: Sequence[str], times: int) -> list[float]:
    """Load, change and save sessions at random; return how long each took."""
    from sessions_backend.engine import SessionStore  # noqa: PLC0415

    pick, took = random.Random(), []  # noqa: S311  # which session is no secret
    for _ in range(times):
        started = time.perf_counter()
        session = SessionStore(pick.choice(ids))
        session["cart"]["line"] = {"quantity": time.perf_counter_ns()}
        session.save()
        took.append(time.perf_counter() - started)
    return took


def report(name: str, writers: int, took: list[float], seconds: float) -> None:
    took.sort()
    p50, p99 = (took[int(len(took) * share)] * 1000 for share in (0.5, 0.99))
    rate = len(took) / seconds
    say(f"{name:20} {writers:7} {rate:9.0f} {p50:8.2f} {p99:8.2f}")


def load_test(name: str, ids: Sequence[str], changes: int) -> None:
    for writers in WRITERS:
        with ThreadPoolExecutor(writers) as threads:
            started = time.perf_counter()
            each = [threads.submit(change, ids, changes) for _ in range(writers)]
            took = [seconds for one in each for seconds in one.result()]
            report(name, writers, took, time.perf_counter() - started)


def several_processes(url: str, ids: Sequence[str], changes: int) -> None:
    """Let processes of their own write, as the workers of a server do."""
    writers = max(WRITERS)
    module = "tests.performance.bench_load"
    told_to = ("--writer", url, str(writers // PROCESSES), str(changes))
    running = [
        subprocess.Popen(
            [sys.executable, "-m", module, *told_to],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(PROCESSES)
    ]
    for process in running:
        # Each says when it is ready, and begins when it is told whose sessions.
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    started = time.perf_counter()
    for process in running:
        assert process.stdin is not None
        process.stdin.write("\n".join(ids))
        process.stdin.close()
        process.stdin = None
    told = [process.communicate(timeout=120)[0] for process in running]
    spent = time.perf_counter() - started
    took = [float(line) for text in told for line in text.split()]
    report(f"Redis, {PROCESSES} processes", writers, took, spent)


def write_as_told(url: str, writers: int, changes: int) -> None:
    configure(url, {})
    say("ready")
    ids = sys.stdin.read().split()
    with ThreadPoolExecutor(writers) as threads:
        each = [threads.submit(change, ids, changes) for _ in range(writers)]
        for one in each:
            for seconds in one.result():
                say(repr(seconds))


def flatness(server: Valkey) -> None:
    """Measure three calls while Redis holds more and more other records."""
    from sessions_backend import failover, operators  # noqa: PLC0415
    from sessions_backend.engine import SessionStore  # noqa: PLC0415

    with redis.Redis(port=server.port) as client:
        client.flushdb()
    failover.reset()
    own = [SessionStore() for _ in range(3)]
    for session in own:
        session.update({**sample_record(), "_auth_user_id": "peach"})
        session.save()
    known = own[0].session_key

    def save() -> Callable[[], Any]:
        session = SessionStore(known)
        session["cart"]["line"] = {"quantity": time.perf_counter_ns()}
        return session.save

    present = 0
    for size in SIZES:
        add_others(server, present, size)
        present = size
        load = median_of(lambda: lambda: SessionStore(known)["cart"])
        listed = median_of(lambda: lambda: operators.of_user("peach"))
        say(f"{size:9} {load:8.0f} {median_of(save):8.0f} {listed:12.0f}")


def add_others(server: Valkey, present: int, wanted: int) -> None:
    """Fill Redis up to a number of small records, a thousand at a time."""
    with socket.create_connection(("127.0.0.1", server.port)) as sock:
        for begin in range(present, wanted, BATCH):
            numbers = range(begin, min(begin + BATCH, wanted))
            sock.sendall(b"".join(map(_setting, numbers)))
            left = len(numbers) * len(b"+OK\r\n")
            while left:
                left -= len(sock.recv(left))


def _setting(number: int) -> bytes:
    key = f"session:other{number:020}"
    command: bytes = pack(("SET", key, SMALL % number, "EX", AGE))
    return command


def median_of(prepare: Callable[[], Callable[[], Any]]) -> float:
    took = []
    for _ in range(CALLS):
        step = prepare()
        started = time.perf_counter()
        step()
        took.append(time.perf_counter() - started)
    return statistics.median(took) * 1e6


def main() -> None:
    if sys.argv[1:2] == ["--writer"]:
        url, writers, times = sys.argv[2:]
        write_as_told(url, int(writers), int(times))
        return
    changes = chosen_rounds(CHANGES)
    with tempfile.TemporaryDirectory() as folder, Valkey(Path(folder)) as server:
        configure(server.url, {})
        from sessions_backend import failover  # noqa: PLC0415

        say(versions(server_version(server)))
        say(f"{SESSIONS} sessions, {changes} changes a writer")
        say(f"{'':20} {'writers':>7} {'changes/s':>9} {'p50 ms':>8} {'p99 ms':>8}")
        ids = filled(SESSIONS)
        load_test("Redis", ids, changes)
        several_processes(server.url, ids, changes)
        settings.SESSION_REDIS_ENABLED = False
        failover.reset()
        load_test("memory", filled(SESSIONS), changes)
        settings.SESSION_REDIS_ENABLED = True
        say(f"{'records':>9} {'load us':>8} {'save us':>8} {'user list us':>12}")
        flatness(server)
        failover.reset()


if __name__ == "__main__":
    main()
