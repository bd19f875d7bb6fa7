"""
What a session costs: this engine, Django's cache engine, and plain redis-py.

    python -m tests.performance.bench_engine [rounds [server]]

Each engine and redis-py take turns operation by operation, in one process, over one
real server on loopback: the tests' Valkey, or the program that is named. They do so in
pairs: Django's engine is built on redis-py, and would keep its code warm for it. Ratios
repeat, microseconds do not; on a noisy machine the ratio of minima decides. Round trips
are counted on the wire, commands by the server.
"""

import json
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import django
import redis
from django.conf import settings
from django_redis import get_redis_connection

from tests.performance.records import sample_record
from tests.performance.report import (
    chosen_rounds,
    say,
    server_version,
    stay_on_one_cpu,
    versions,
)
from tests.servers import Valkey
from tests.sessions_backend.misbehaving import Proxy
from tests.sessions_backend.servers.kinds import RedisServer

AGE = 86400
ROUNDS = 2000
COUNTED = 20
SERVER_ARGUMENT = 2
Step = Callable[[], Any]


OPERATIONS = (
    *("load", "save", "load_change_save", "create", "create_listed", "renew"),
    *("delete", "rotate"),
)


class Contender(Protocol):
    """Each operation is a method that makes ready one call, untimed, and returns it."""

    name: str


def prepared(contender: Contender, operation: str) -> Step:
    is_renewing = operation == "renew"
    if is_renewing is not settings.SESSION_SAVE_EVERY_REQUEST:
        from sessions_backend import conf  # noqa: PLC0415

        settings.SESSION_SAVE_EVERY_REQUEST = is_renewing
        conf.load.cache_clear()
    step: Step = getattr(contender, operation)()
    return step


def configure(url: str, aliases: dict[str, str]) -> None:
    options = {"SERIALIZER": "django_redis.serializers.json.JSONSerializer"}
    settings.configure(
        INSTALLED_APPS=["sessions_backend"],
        SECRET_KEY="benchmark",
        SESSION_ENGINE="sessions_backend.engine",
        SESSION_CACHE_ALIAS="default",
        SESSION_REDIS_BUDGET_MS=2000,
        SESSION_COOKIE_AGE=AGE,
        USE_TZ=True,
        CACHES={
            name: {
                "BACKEND": "django_redis.cache.RedisCache",
                "LOCATION": address,
                "OPTIONS": options,
            }
            for name, address in {"default": url, **aliases}.items()
        },
    )
    django.setup()


class AnEngine:
    """Any session engine of Django's."""

    def __init__(self, name: str, store: Any) -> None:
        self.name = name
        self._store = store
        self._known = self._ready().session_key
        self._renews_at_once = hasattr(store, "is_renewal_due")

    def _ready(self) -> Any:
        session = self._store()
        session.update(sample_record())
        session.save()
        return session

    def load(self) -> Step:
        return lambda: self._store(self._known)["cart"]

    def save(self) -> Step:
        session = self._changed()
        step: Step = session.save
        return step

    def load_change_save(self) -> Step:
        return lambda: self._changed().save()

    def _changed(self) -> Any:
        session = self._store(self._known)
        session["cart"]["line"] = {"quantity": time.perf_counter_ns()}
        return session

    def create(self) -> Step:
        """Begin a visitor's session: nobody is logged in, so it is in nobody's list."""
        visitor = sample_record()
        visitor["_visitor"] = visitor.pop("_auth_user_id")
        return self._created(visitor)

    def create_listed(self) -> Step:
        """Begin somebody's, which this engine also names in the list of theirs."""
        return self._created(sample_record())

    def _created(self, record: dict[str, Any]) -> Step:
        session = self._store()
        session.update(record)
        step: Step = session.save
        return step

    def renew(self) -> Step:
        """
        Load with SESSION_SAVE_EVERY_REQUEST, which moves the end as well.

        Where the load does not, the save at the request's end does.
        """

        def run() -> None:
            session = self._store(self._known)
            assert session["cart"]
            if not self._renews_at_once:
                session.save()

        return run

    def delete(self) -> Step:
        session = self._ready()
        step: Step = session.delete
        return step

    def rotate(self) -> Step:
        session = self._store(self._ready().session_key)
        assert session["cart"]
        step: Step = session.cycle_key
        return step


class PlainRedisPy:
    """The same bytes, by the calls one would write by hand, on django-redis's pool."""

    name = "redis-py"

    def __init__(self, alias: str) -> None:
        self._client = get_redis_connection(alias)
        self._raw = json.dumps(sample_record(), separators=(",", ":")).encode()
        self._known = self._ready()

    def _ready(self) -> str:
        key = f"plain:{secrets.token_hex(16)}"
        self._client.set(key, self._raw, ex=AGE)
        return key

    def load(self) -> Step:
        return lambda: self._client.get(self._known)

    def save(self) -> Step:
        return lambda: self._client.set(self._known, self._raw, ex=AGE)

    def load_change_save(self) -> Step:
        def run() -> None:
            self._client.get(self._known)
            self._client.set(self._known, self._raw, ex=AGE)

        return run

    def create(self) -> Step:
        key = f"plain:{secrets.token_hex(16)}"
        return lambda: self._client.set(key, self._raw, ex=AGE, nx=True)

    create_listed = create

    def renew(self) -> Step:
        return lambda: self._client.getex(self._known, ex=AGE)

    def delete(self) -> Step:
        key = self._ready()
        return lambda: self._client.delete(key)

    def rotate(self) -> Step:
        former, key = self._ready(), f"plain:{secrets.token_hex(16)}"

        def run() -> None:
            self._client.set(key, self._raw, ex=AGE)
            self._client.delete(former)

        return run


def measure(
    contenders: list[Contender], rounds: int, operations: Sequence[str] = OPERATIONS
) -> dict[str, dict[str, Any]]:
    """Let the contenders take turns; return every time in seconds."""
    times: dict[str, dict[str, Any]] = {
        operation: {contender.name: [] for contender in contenders}
        for operation in operations
    }
    for operation in operations:
        for turn in range(rounds):
            first = turn % len(contenders)
            for contender in contenders[first:] + contenders[:first]:
                step = prepared(contender, operation)
                started = time.perf_counter()
                step()
                times[operation][contender.name].append(time.perf_counter() - started)
    return times


def count(
    contender: Contender, proxy: Proxy, server: "redis.Redis"
) -> dict[str, tuple[float, float]]:
    """Return round trips and commands of one call, for each operation."""
    counted = {}
    for operation in OPERATIONS:
        # What a connection and a script cost once is not a call's cost.
        prepared(contender, operation)()
        trips = commands = 0
        for _ in range(COUNTED):
            step = prepared(contender, operation)
            trips_before, commands_before = proxy.round_trips, _commands(server)
            step()
            trips += proxy.round_trips - trips_before
            # The two questions are commands as well; a script's own are not sent.
            commands += _commands(server) - commands_before
        counted[operation] = (trips / COUNTED, commands / COUNTED)
    return counted


def _commands(server: "redis.Redis") -> int:
    """Count what clients have sent; commands within a script count for the script."""
    stats: Any = server.info("commandstats")
    own = {"cmdstat_info", "cmdstat_client|setinfo", "cmdstat_hello"}
    total = sum(entry["calls"] for name, entry in stats.items() if name not in own)
    scripts = stats.get("cmdstat_evalsha", {}).get("calls", 0)
    return int(total - scripts * _COMMANDS_OF_A_SCRIPT)


# GET and SET, within the one script that a save runs where SET has no IFEQ.
_COMMANDS_OF_A_SCRIPT = 2


def report(times: dict[str, dict[str, Any]], counts: dict[str, Any]) -> None:
    """Print a table; a ratio is to redis-py in the same run."""
    heading = f"{'':17} {'':22} {'us':>6} {'ratio':>6} {'of minima':>10}"
    say(f"{heading} {'trips':>6} {'commands':>9}")
    for operation, of_each in times.items():
        peer = of_each[PlainRedisPy.name]
        for name, own in of_each.items():
            median, trips = statistics.median(own), counts[name][operation]
            say(
                f"{operation:17} {name:22} {median * 1e6:6.0f} "
                f"{median / statistics.median(peer):6.2f} "
                f"{min(own) / min(peer):10.2f} {trips[0]:6.0f} {trips[1]:9.0f}"
            )


def bench(server: Valkey, proxy: Proxy, rounds: int) -> None:
    """Measure on one server: in turns, then counting, then with the near cache."""
    from django.contrib.sessions.backends.cache import (  # noqa: PLC0415
        SessionStore as DjangosStore,
    )

    from sessions_backend import failover  # noqa: PLC0415
    from sessions_backend.engine import SessionStore  # noqa: PLC0415

    def pair(alias: str, name: str, store: Any) -> list[Contender]:
        settings.SESSION_CACHE_ALIAS = alias
        failover.reset()
        return [AnEngine(name, store), PlainRedisPy(alias)]

    with redis.Redis(port=server.port) as client:
        for engine in (
            ("this engine", SessionStore),
            ("Django's cache engine", DjangosStore),
        ):
            times = measure(pair("default", *engine), rounds)
            report(
                times,
                {
                    one.name: count(one, proxy, client)
                    for one in pair("counted", *engine)
                },
            )

    settings.SESSION_NEAR_CACHE = True
    near, peer = pair("default", "near-cached", SessionStore)
    _fill_near_cache(near)
    times = measure([near, peer], rounds, ["load"])
    settings.SESSION_NEAR_CACHE = False
    report(times, {near.name: {"load": (0, 0)}, peer.name: {"load": (1, 1)}})
    failover.reset()


def _fill_near_cache(contender: Contender) -> None:
    from sessions_backend import health  # noqa: PLC0415

    # Its connection opens in the background; the load after that fills it.
    deadline = time.monotonic() + 10
    while not health.counts().get("near_hits"):
        assert time.monotonic() < deadline, "The near cache answers nothing."
        prepared(contender, "load")()
        time.sleep(0.01)


def main() -> None:
    """Measure on the server whose program is the second argument, or on Valkey."""
    stay_on_one_cpu()
    rounds = chosen_rounds(ROUNDS)
    with tempfile.TemporaryDirectory() as folder:
        server = Valkey(Path(folder))
        if len(sys.argv) > SERVER_ARGUMENT:
            server = RedisServer(sys.argv[SERVER_ARGUMENT], Path(folder))
        with server, Proxy(server.port) as proxy:
            configure(server.url, {"counted": proxy.url})
            size = len(json.dumps(sample_record(), separators=(",", ":")))
            say(versions(server_version(server)))
            say(f"record {size} bytes, {rounds} rounds")
            bench(server, proxy, rounds)


if __name__ == "__main__":
    main()
