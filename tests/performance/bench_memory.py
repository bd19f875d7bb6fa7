"""
How many sessions Redis holds: this engine, its peers, and what compression would give.

    python -m tests.performance.bench_memory [MiB]

Each fills a real Valkey of 256 MiB that evicts nothing until it refuses; a smaller
number is filled and multiplied. Each session is another user's. django-redis-sessions
takes part where it is installed:

    uv run --no-project --active --with django-redis-sessions==0.6.2 \\
        python -m tests.performance.bench_memory
"""

import base64
import json
import secrets
import statistics
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import django
import redis
from django.conf import settings
from django.test import override_settings

from tests.performance.records import sample_record
from tests.servers import Valkey

AGE = 86400
FULL_MIB = 256
TIMED = 300
ENGINE = "sessions_backend.engine"
CACHE = "django.contrib.sessions.backends.cache"
JSON = {"SERIALIZER": "django_redis.serializers.json.JSONSerializer"}
ZLIB = {**JSON, "COMPRESSOR": "django_redis.compressors.zlib.ZlibCompressor"}
PROTECTED = {
    "SESSION_KEY_SECRET": secrets.token_urlsafe(32),
    "SESSION_SEALING_KEYS": [base64.urlsafe_b64encode(b"k" * 32).decode()],
}


def of_somebody() -> dict[str, Any]:
    return {**sample_record(), "_auth_user_id": str(secrets.randbelow(10**9))}


def packed() -> bytes:
    return json.dumps(of_somebody(), separators=(",", ":")).encode()


def configure(url: str) -> None:
    settings.configure(
        INSTALLED_APPS=["sessions_backend"],
        SECRET_KEY="benchmark",
        SESSION_CACHE_ALIAS="default",
        SESSION_REDIS_BUDGET_MS=2000,
        SESSION_STRICT=True,
        SESSION_COOKIE_AGE=AGE,
        USE_TZ=True,
        CACHES=caches(url, JSON),
        SESSION_REDIS={"url": url, "prefix": "session", "socket_timeout": 5},
    )
    django.setup()


def caches(url: str, options: dict[str, str]) -> dict[str, Any]:
    backend = "django_redis.cache.RedisCache"
    return {"default": {"BACKEND": backend, "LOCATION": url, "OPTIONS": options}}


def fill_by_engine(name: str) -> int:
    """Make sessions until Redis refuses; return how many it took."""
    store = import_module(name).SessionStore
    count = 0
    # Each engine reports it in a manner of its own; that it is full is checked below.
    with suppress(Exception):
        while True:
            session = store()
            session.update(of_somebody())
            session.save()
            count += 1
    return count


def fill_by_hand(url: str, pack: Callable[[], bytes]) -> int:
    count = 0
    with redis.Redis.from_url(url) as client, suppress(redis.exceptions.RedisError):
        while True:
            client.set(f"session:{secrets.token_hex(20)}", pack(), ex=AGE)
            count += 1
    return count


def contenders(url: str) -> Iterator[tuple[str, dict[str, Any], Callable[[], int]]]:
    """Name each, with its settings and what fills Redis."""
    yield "JSON by hand", {}, lambda: fill_by_hand(url, packed)
    yield "this engine", {}, lambda: fill_by_engine(ENGINE)
    yield (
        "this engine, ids and tokens hidden",
        PROTECTED,
        lambda: fill_by_engine(ENGINE),
    )
    cached = {"CACHES": caches(url, JSON)}
    yield "django-redis cache, JSON", cached, lambda: fill_by_engine(CACHE)
    cached = {"CACHES": caches(url, {})}
    yield "django-redis cache, pickle", cached, lambda: fill_by_engine(CACHE)
    cached = {"CACHES": caches(url, ZLIB)}
    yield "django-redis cache, JSON and zlib", cached, lambda: fill_by_engine(CACHE)
    with suppress(ImportError):
        import_module("redis_sessions.session")
        yield (
            "django-redis-sessions",
            {},
            lambda: fill_by_engine("redis_sessions.session"),
        )
    yield "zlib by hand", {}, lambda: fill_by_hand(url, lambda: zlib.compress(packed()))


def is_full(valkey: Valkey) -> bool:
    with valkey.client() as client:
        try:
            client.set("one-more", "x" * 4000)
        except redis.exceptions.OutOfMemoryError:
            return True
    return False


def microseconds(step: Callable[[], Any]) -> float:
    times = []
    for _ in range(TIMED):
        started = time.perf_counter()
        step()
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1e6


def report_compression() -> None:
    raw = packed()
    print(f"\nzlib on one record of {len(raw)} bytes")  # noqa: T201
    for level in (1, 6):
        small = zlib.compress(raw, level)
        there = microseconds(partial(zlib.compress, raw, level))
        back = microseconds(partial(zlib.decompress, small))
        print(  # noqa: T201
            f"level {level}: {len(small)} bytes, "
            f"{there:.0f} us there, {back:.0f} us back"
        )


def main() -> None:
    mib = int(sys.argv[1]) if len(sys.argv) > 1 else FULL_MIB
    with (
        tempfile.TemporaryDirectory() as folder,
        Valkey(
            Path(folder), "--maxmemory", f"{mib}mb", "--maxmemory-policy", "noeviction"
        ) as valkey,
    ):
        configure(valkey.url)
        from sessions_backend import conf, failover  # noqa: PLC0415

        print(f"sessions in {FULL_MIB} MiB, filled {mib} MiB")  # noqa: T201
        first = None
        for name, changes, fill in contenders(valkey.url):
            with override_settings(**changes):
                conf.load.cache_clear()
                count = fill() * FULL_MIB // mib
                failover.reset()
            if not is_full(valkey):
                raise SystemExit(f"{name} has failed before Redis was full")
            first = first or count
            print(f"{name:36} {count:8,} {count / first:6.2f}")  # noqa: T201
            with valkey.client() as client:
                # By default it answers first and frees the memory afterwards.
                client.execute_command("FLUSHALL", "SYNC")
    report_compression()


if __name__ == "__main__":
    main()
