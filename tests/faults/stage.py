"""A site, the network before its Redis, and the Redis itself."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import redis

from tests.faults.history import Person
from tests.faults.load import PEOPLE, Load
from tests.faults.network import Proxy
from tests.faults.project.names import NAME
from tests.faults.site import THREADS, WORKERS, Metrics, Site
from tests.servers import Valkey

RECOVERY_SECONDS = 2.0
# What a worker needs besides: one connection for each thread, one for the news of
# ended sessions, one for the probe.
MOST_CONNECTIONS = WORKERS * (THREADS + 2)
# Never to be seen in a log.
PASSWORD = "spaghetti-al-pomodoro"
# Written at once, and left to the kernel, which outlives a killed server. One that
# synchronises waits for a disk that other tests keep busy, or loses what it has
# acknowledged.
_KEPT = (
    *("--appendonly", "yes", "--appendfsync", "no"),
    *("--enable-debug-command", "yes"),
)
_SECURED = ("--requirepass", PASSWORD)


@dataclass
class Stage:
    site: Site
    proxy: Proxy
    server: Valkey

    @contextmanager
    def redis(self) -> Iterator[Any]:
        """Yield a client that does not go through the proxy."""
        with redis.Redis(
            port=self.server.port,
            password=PASSWORD,
            decode_responses=True,
            single_connection_client=True,
            socket_timeout=10,
        ) as client:
            yield client

    def people(self, number: int = PEOPLE, *, padding: int = 200) -> list[Person]:
        return [Person.arriving_at(self.site, padding=padding) for _ in range(number)]

    def serving(self) -> dict[int, str]:
        """Return which store each worker says it serves from."""
        return {
            pid: self.site.get("/store", pid=pid).body["store"]
            for pid in self.site.pids
        }

    def serves_from(self, store: str) -> bool:
        return set(self.serving().values()) == {store}

    def _is_whole(self) -> bool:
        told = [self.site.get("/store", pid=pid).body for pid in self.site.pids]
        return all(body["store"] == "redis" and not body["degraded"] for body in told)

    def connections(self) -> int:
        with self.redis() as client:
            return sum(
                info["id"] != str(client.client_id())
                for info in client.client_list()
                if info["cmd"] != "replconf"
            )

    def check_recovered(self, healed: float) -> None:
        """
        Every worker is back on Redis, soon, and without a restart.

        Nothing waits in a journal then: Redis has heard of every change.
        """
        # On a busy machine the question itself takes its time: what counts is when a
        # worker was last heard to be without Redis.
        last_away = healed
        give_up = healed + RECOVERY_SECONDS + 10
        while not self._is_whole():
            last_away = time.monotonic()
            assert last_away < give_up, "no recovery"
        took = last_away - healed
        assert took < RECOVERY_SECONDS + SLACK, f"{took:.2f} s"

    def check_nothing_was_lost(self, people: list[Person]) -> None:
        """Each acknowledged write is there, whichever worker is asked."""
        for person in people:
            for pid in self.site.pids:
                answer = self.site.get("/read", person.cookie, pid=pid)
                assert answer.status == 200, answer
                assert answer.body["owner"] == person.name
                assert answer.body["user"] == person.user
                lost = person.entries - set(answer.body["entries"])
                assert not lost, f"{len(lost)} of {len(person.entries)} at {pid}"

    def check_ended(self, cookie: str) -> None:
        """Nobody takes the cookie for a session any more, and Redis has no record."""
        for pid in self.site.pids:
            # For its first seconds after an outage a worker does not know (503).
            wait_until(partial(self._is_ended, cookie, pid), seconds=5)
        with self.redis() as client:
            assert not client.exists(f"session:{cookie}")

    def _is_ended(self, cookie: str, pid: int) -> bool:
        answer = self.site.get("/read", cookie, pid=pid)
        assert answer.status in {403, 503}, answer
        return answer.status == 403

    def check_connections(self) -> None:
        wait_until(lambda: self.connections() <= MOST_CONNECTIONS, seconds=5)

    def check_told(self, since: Metrics, **least: float) -> None:
        """
        Metrics say what happened, and that it is over.

        `least` names the events, and how many must have been counted since.
        """
        wait_until(lambda: self._is_over(self.site.metrics()), seconds=5)
        now = self.site.metrics()
        counted = {event: now.count(event) - since.count(event) for event in least}
        assert all(counted[event] >= least[event] for event in least), counted

    def _is_over(self, now: Metrics) -> bool:
        names = ("degraded", "journal_changes", "journal_bytes")
        return not any(now.gauge(name) for name in names)

    def check_load(self, load: Load, *, budget: float) -> None:
        assert load.rate >= 50
        load.history.check_nobody_was_failed()
        load.history.check_cookies()
        load.history.check_whose()
        load.history.check_times(budget, slack=SLACK)


# What a machine of two busy cores may add to a time that somebody else measures.
SLACK = 1.0


@contextmanager
def raised(
    folder: Path,
    *,
    is_away: bool = False,
    program: Path | str = Valkey.program,
    server_environment: dict[str, str] | None = None,
    **environment: str,
) -> Iterator[Stage]:
    """
    Yield a whole stage that keeps its data over a restart of Redis.

    With `is_away` Redis is not there when the workers start.
    """
    server = Valkey(folder / "server", *_KEPT, *_SECURED)
    server.program = program
    server.environment = server_environment or {}
    try:
        if not is_away:
            server.start()
        with (
            Proxy(server.port) as proxy,
            Site(folder / "site", url_of(proxy.port), **environment) as site,
        ):
            stage = Stage(site, proxy, server)
            if not is_away:
                wait_until(lambda: stage.serves_from("redis"), seconds=10)
            yield stage
    finally:
        server.stop()


def url_of(port: int) -> str:
    return f"redis://:{PASSWORD}@{NAME}:{port}/0"


def wait_until(is_true: Callable[[], bool], *, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)
