"""
Where the time of a load and of a save goes: layer upon layer, from the socket up.

    python -m tests.performance.bench_layers [rounds]

Each layer runs alone in a loop, so that its code is warm, and its fastest tenth counts:
what a layer adds, and not what the machine does meanwhile.
"""

import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hiredis
import orjson
from django_redis import get_redis_connection

from tests.performance.bench_engine import AGE, configure
from tests.performance.records import sample_record
from tests.performance.report import (
    chosen_rounds,
    say,
    server_version,
    stay_on_one_cpu,
    versions,
)
from tests.servers import Valkey

ROUNDS = 5_000
_TENTH = 10


def fastest_tenth(step: Callable[[], Any], rounds: int) -> float:
    took = []
    for _ in range(rounds):
        started = time.perf_counter()
        step()
        took.append(time.perf_counter() - started)
    return sorted(took)[rounds // _TENTH] * 1e6


def plain_socket(port: int) -> Callable[..., Any]:
    """Return what sends commands and reads their replies, and does nothing else."""
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    reader = hiredis.Reader()

    def exchange(*commands: tuple[Any, ...]) -> Any:
        sock.sendall(b"".join(map(hiredis.pack_command, commands)))
        reply, left = None, len(commands)
        while left:
            reader.feed(sock.recv(16384))
            while left and (reply := reader.gets()) is not False:
                left -= 1
        return reply

    return exchange


def layers_of_a_load(server: Valkey) -> dict[str, Callable[[], Any]]:
    from sessions_backend import failover, names, record  # noqa: PLC0415
    from sessions_backend.engine import SessionStore  # noqa: PLC0415
    from sessions_backend.stores.base import finish  # noqa: PLC0415

    known = _new_session(SessionStore).session_key
    key, ask = names.record_key(known), plain_socket(server.port)
    store: Any = failover.blocking()
    way: Any = failover.short_way()
    redis_py = get_redis_connection("default")
    return {
        "redis-py: GET": lambda: redis_py.get(key),
        "a plain socket: GET": lambda: ask(("GET", key)),
        "... and TTL on the same trip": lambda: ask(("GET", key), ("TTL", key)),
        "... and orjson.loads": lambda: orjson.loads(_second(ask, key)),
        "... the long way: FailingOverStore.load": lambda: finish(store.load(key)),
        "ShortWay.load": lambda: way.load(key),
        "... and decoded": lambda: record.decode(way.load(key)[0]),
        "a session, loaded": lambda: SessionStore(known)["cart"],
    }


def _second(ask: Callable[..., Any], key: str) -> Any:
    return ask(("TTL", key), ("GET", key))


def layers_of_a_save(server: Valkey) -> dict[str, Callable[[], Any]]:
    from sessions_backend import failover, names, record  # noqa: PLC0415
    from sessions_backend.engine import SessionStore  # noqa: PLC0415
    from sessions_backend.stores.base import finish  # noqa: PLC0415
    from sessions_backend.stores.scripts import REPLACE  # noqa: PLC0415

    session = _new_session(SessionStore)
    key, ask = names.record_key(session.session_key), plain_socket(server.port)
    data = dict(session.items())
    raw = record.encode(data)
    store: Any = failover.blocking()
    way: Any = failover.short_way()
    redis_py = get_redis_connection("default")
    redis_py.set(key, raw, ex=AGE)
    redis_py.script_load(REPLACE.source)
    session = SessionStore(session.session_key)

    def save() -> None:
        session["cart"]["line"] = time.perf_counter_ns()
        session.save()

    return {
        "redis-py: SET": lambda: redis_py.set(key, raw, ex=AGE),
        "a plain socket: SET": lambda: ask(("SET", key, raw, "EX", AGE)),
        "... SET with IFEQ": lambda: ask(("SET", key, raw, "IFEQ", raw, "EX", AGE)),
        "... the script": lambda: ask(
            ("EVALSHA", REPLACE.sha, 1, key, raw, raw, str(AGE))
        ),
        "... the long way: FailingOverStore.replace": lambda: finish(
            store.replace(key, raw, raw, AGE)
        ),
        "ShortWay.replace": lambda: way.replace(key, raw, raw, AGE, listed_in=None),
        "... and encoded": lambda: way.replace(
            key, raw, record.encode(data), AGE, listed_in=None
        ),
        "a session, changed and saved": save,
    }


def _new_session(store: Callable[..., Any]) -> Any:
    session = store()
    session.update(sample_record())
    session.save()
    return session


def main() -> None:
    stay_on_one_cpu()
    rounds = chosen_rounds(ROUNDS)
    with tempfile.TemporaryDirectory() as folder, Valkey(Path(folder)) as server:
        configure(server.url, {})
        from sessions_backend import failover  # noqa: PLC0415

        say(versions(server_version(server)))
        for layers in (layers_of_a_load(server), layers_of_a_save(server)):
            peer = 0.0
            say(f"{'':32} {'us':>6} {'ratio':>6}")
            for name, step in layers.items():
                took = fastest_tenth(step, rounds)
                peer = peer or took
                say(f"{name:32} {took:6.1f} {took / peer:6.2f}")
        failover.reset()


if __name__ == "__main__":
    main()
