"""
What a session costs a page: wrk with 32 connections before gunicorn.

    python -m tests.performance.bench_pages [rounds]

The menu of the shop with its session read and written, and without; and a view that
does nothing else, on this engine and on Django's cache engine. The contenders take
turns, a few seconds each; the ratio of medians counts, or of the best rounds where the
machine is noisy. Needs `wrk` (Debian and Ubuntu: apt-get install wrk).
"""

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import httpx

from tests.performance.report import chosen_rounds, say, server_version, versions
from tests.servers import Valkey, free_port, wait_until
from tests.shop import ROOT, Shop

ROUNDS = 10
SECONDS = 3
CONNECTIONS = 32
SESSIONS = 64
PROJECT = "tests.performance.project"
OURS, DJANGOS = "this engine", "Django's cache engine"


class Server:
    """gunicorn with two workers of four threads, and the sessions of its visitors."""

    def __init__(self, folder: Path, path: str, environment: dict[str, str]) -> None:
        self._folder = folder
        folder.mkdir(exist_ok=True)
        self._environment = {**environment, "PATH": os.environ["PATH"]}
        self._address = f"127.0.0.1:{free_port()}"
        self._url = f"http://{self._address}{path}"
        self._cookies = folder / "cookies.txt"

    def __enter__(self) -> Self:
        config = ROOT / "tests" / "performance" / "project" / "serving.py"
        with (self._folder / "gunicorn.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "gunicorn", "--config", str(config)),
                    *("--bind", self._address),
                ],
                cwd=ROOT,
                env=self._environment,
                stdout=log,
                stderr=log,
            )
        wait_until(self._answers, seconds=40)
        cookies = [self._begun() for _ in range(SESSIONS)]
        self._cookies.write_text("\n".join(cookies))
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(timeout=15)

    def requests_per_second(self, *, with_sessions: bool) -> float:
        environment = {"PATH": os.environ["PATH"]}
        if with_sessions:
            environment["BENCH_COOKIES"] = str(self._cookies)
        script = ROOT / "tests" / "performance" / "cookies.lua"
        told = subprocess.run(
            [
                *("wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s"),
                *("-s", str(script), self._url),
            ],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout
        assert "Non-2xx" not in told, told
        found = re.search(r"Requests/sec:\s+([\d.]+)", told)
        assert found, told
        return float(found[1])

    def _answers(self) -> bool:
        assert self._process.poll() is None, (self._folder / "gunicorn.log").read_text()
        try:
            return httpx.get(self._url, timeout=2).is_success
        except httpx.HTTPError:
            return False

    def _begun(self) -> str:
        answer = httpx.get(self._url, params={"begin": ""}).raise_for_status()
        return "; ".join(f"{name}={value}" for name, value in answer.cookies.items())


def compare(
    one: tuple[str, Server, bool], other: tuple[str, Server, bool], rounds: int
) -> None:
    """Let two contenders take turns; print both, and the first's part of the second."""
    rates: dict[str, list[float]] = {one[0]: [], other[0]: []}
    for turn in range(-1, rounds):
        pair = (one, other) if turn % 2 else (other, one)
        for name, server, with_sessions in pair:
            rate = server.requests_per_second(with_sessions=with_sessions)
            # The first round warms up.
            if turn >= 0:
                rates[name].append(rate)
    for name, of_each in rates.items():
        say(f"{name:45} {statistics.median(of_each):7.0f} {max(of_each):7.0f}")
    mine, theirs = rates.values()
    medians = statistics.median(mine) / statistics.median(theirs)
    say(f"{'ratio':45} {medians:7.2f} {max(mine) / max(theirs):7.2f}")


def main() -> None:
    if shutil.which("wrk") is None:
        say("bench_pages is left out: it needs wrk (apt-get install wrk).")
        return
    rounds = chosen_rounds(ROUNDS)
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        valkey = running.enter_context(Valkey(folder / "valkey"))

        def served(name: str, path: str, environment: dict[str, str]) -> Server:
            return running.enter_context(Server(folder / name, path, environment))

        say(versions(server_version(valkey)))
        say(f"{rounds} rounds of {SECONDS} s, {CONNECTIONS} connections")
        say(f"{'requests a second':45} {'median':>7} {'best':>7}")
        of_the_shop = Shop(free_port(), folder, REDIS_URL=valkey.url).prepare()
        module = {"DJANGO_SETTINGS_MODULE": f"{PROJECT}.shop"}
        shop = served("shop", "/menu/", {**of_the_shop.environment, **module})
        compare(
            ("the menu, session read and written", shop, True),
            ("the menu, no session", shop, False),
            rounds,
        )
        trivial = [
            served(
                name,
                "/",
                {
                    "DJANGO_SETTINGS_MODULE": f"{PROJECT}.settings",
                    "BENCH_ENGINE": name,
                    "BENCH_REDIS_URL": valkey.url,
                },
            )
            for name in (OURS, DJANGOS)
        ]
        compare(
            (f"a view, session read and written, {OURS}", trivial[0], True),
            (f"the same, {DJANGOS}", trivial[1], True),
            rounds,
        )
        compare(
            (f"the same, {OURS}", trivial[0], True),
            ("the view, no session", trivial[0], False),
            rounds,
        )


if __name__ == "__main__":
    main()
