"""
What a session costs: this engine, Django's cache engine, and plain redis-py.

    python -m tests.performance.bench_engine [rounds]

The contenders take turns operation by operation, in one process, over one real
Valkey on loopback; ratios of medians repeat, microseconds do not. Round trips are
counted on the wire, commands by the server.
"""

import json
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import django
import redis
from django.conf import settings

from tests.servers import Valkey
from tests.sessions_backend.misbehaving import Proxy

AGE = 86400
ROUNDS = 2000
COUNTED = 20
Step = Callable[[], Any]


class Contender(NamedTuple):
    name: str
    # Each makes ready one call, untimed, and returns it.
    operations: dict[str, Callable[[], Step]]


OPERATIONS = (
    "load",
    "save",
    "load+change+save",
    "create",
    "renew",
    "delete",
    "rotate",
)


def sample_record() -> dict[str, Any]:
    """Return a session of about 3.6 KB: tokens, a person, a cart of three lines."""
    return {
        "tokens": {
            "access_token": _token(1200),
            "id_token": _token(1100),
            "refresh_token": _token(700),
            "expires_in": 300,
            "generation": 1,
        },
        "user_info": {
            "sub": "5ad8b0d2-4a0e-4d0c-9a63-5d2ad5c4a7a1",
            "preferred_username": "peach",
            "name": "Peach Toadstool",
            "email": "peach@example.com",
            "roles": ["customer", "default-roles-pyneuro", "offline_access"],
        },
        "_auth_user_id": "42",
        "_auth_user_backend": "mario.identity.oidc.KeycloakBackend",
        "_auth_user_hash": secrets.token_hex(32),
        "cart": {
            secrets.token_urlsafe(16): {
                "pizza": number,
                "size": "medium",
                "extra_toppings": ["Ham", "Olives"],
                "quantity": 2,
            }
            for number in range(3)
        },
    }


def _token(length: int) -> str:
    return secrets.token_urlsafe(length)[:length]


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


def of_an_engine(name: str, store: Any, *, has_renew: bool) -> Contender:
    """Drive any session engine of Django's."""

    def ready() -> Any:
        session = store()
        session.update(sample_record())
        session.save()
        return session

    known = ready().session_key

    def load() -> Step:
        return lambda: store(known)["cart"]

    def save() -> Step:
        session = store(known)
        session["cart"]["line"] = {"quantity": time.perf_counter_ns()}
        return session.save

    def load_change_save() -> Step:
        def run() -> None:
            session = store(known)
            session["cart"]["line"] = {"quantity": time.perf_counter_ns()}
            session.save()

        return run

    def create() -> Step:
        session = store()
        session.update(sample_record())
        return session.save

    def renew() -> Step:
        def run() -> None:
            session = store(known)
            assert session["cart"]
            # Without a way of its own to renew, an engine writes it all again.
            session.renew() if has_renew else session.save()

        return run

    def delete() -> Step:
        return ready().delete

    def rotate() -> Step:
        session = store(ready().session_key)
        assert session["cart"]
        return session.cycle_key

    steps = (load, save, load_change_save, create, renew, delete, rotate)
    return Contender(name, dict(zip(OPERATIONS, steps, strict=True)))


def of_redis_py(url: str) -> Contender:
    client = redis.Redis.from_url(url)
    raw = json.dumps(sample_record(), separators=(",", ":")).encode()
    client.set("plain", raw, ex=AGE)

    def new() -> str:
        return f"plain:{secrets.token_hex(16)}"

    def load_change_save() -> Step:
        def run() -> None:
            client.get("plain")
            client.set("plain", raw, ex=AGE)

        return run

    def create() -> Step:
        key = new()
        return lambda: client.set(key, raw, ex=AGE, nx=True)

    def delete() -> Step:
        key = new()
        client.set(key, raw, ex=AGE)
        return lambda: client.delete(key)

    def rotate() -> Step:
        former, key = new(), new()
        client.set(former, raw, ex=AGE)

        def run() -> None:
            client.set(key, raw, ex=AGE)
            client.delete(former)

        return run

    steps: tuple[Callable[[], Step], ...] = (
        lambda: lambda: client.get("plain"),
        lambda: lambda: client.set("plain", raw, ex=AGE),
        load_change_save,
        create,
        lambda: lambda: client.getex("plain", ex=AGE),
        delete,
        rotate,
    )
    return Contender("redis-py", dict(zip(OPERATIONS, steps, strict=True)))


def measure(contenders: list[Contender], rounds: int) -> dict[str, dict[str, Any]]:
    """Let the contenders take turns; return every time in seconds."""
    times: dict[str, dict[str, Any]] = {
        operation: {contender.name: [] for contender in contenders}
        for operation in OPERATIONS
    }
    for turn in range(rounds):
        first = turn % len(contenders)
        for operation in OPERATIONS:
            for contender in contenders[first:] + contenders[:first]:
                step = contender.operations[operation]()
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
        contender.operations[operation]()()
        trips = commands = 0
        for _ in range(COUNTED):
            step = contender.operations[operation]()
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


# GET and SET, within the one script that every save runs.
_COMMANDS_OF_A_SCRIPT = 2


def report(times: dict[str, dict[str, Any]], counts: dict[str, Any]) -> None:
    names = list(next(iter(times.values())))
    peer = "redis-py"
    print(f"{'':18}" + "".join(f"{name:>34}" for name in names))  # noqa: T201
    print(  # noqa: T201
        f"{'':18}" + f"{'us   ratio   (of minima)  trips cmds':>34}" * len(names)
    )
    for operation, of_each in times.items():
        line = f"{operation:18}"
        for name in names:
            median = statistics.median(of_each[name])
            ratio = median / statistics.median(of_each[peer])
            of_minima = min(of_each[name]) / min(of_each[peer])
            trips, commands = counts[name][operation]
            line += (
                f"{median * 1e6:10.0f} {ratio:6.2f} {of_minima:9.2f}"
                f"{trips:6.0f} {commands:4.0f} "
            ).rjust(34)
        print(line)  # noqa: T201


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with (
        tempfile.TemporaryDirectory() as folder,
        Valkey(Path(folder)) as valkey,
        Proxy(valkey.port) as proxy,
    ):
        configure(valkey.url, {"counted": proxy.url})
        from django.contrib.sessions.backends.cache import (  # noqa: PLC0415
            SessionStore as DjangosStore,
        )

        from sessions_backend import failover  # noqa: PLC0415
        from sessions_backend.engine import SessionStore  # noqa: PLC0415

        def contenders(url: str) -> list[Contender]:
            return [
                of_an_engine("this engine", SessionStore, has_renew=True),
                of_an_engine("Django's cache engine", DjangosStore, has_renew=False),
                of_redis_py(url),
            ]

        times = measure(contenders(valkey.url), rounds)
        settings.SESSION_CACHE_ALIAS = "counted"
        failover.reset()
        server = redis.Redis(port=valkey.port)
        counts = {
            contender.name: count(contender, proxy, server)
            for contender in contenders(proxy.url)
        }
        size = len(json.dumps(sample_record(), separators=(",", ":")))
        print(f"record {size} bytes, {rounds} rounds")  # noqa: T201
        report(times, counts)
        server.close()
        failover.reset()


if __name__ == "__main__":
    main()
