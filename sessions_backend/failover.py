"""
Which store keeps the sessions. The only place that decides, and that says so.

A process asks Redis when it starts. If Redis does not answer then, or stops to answer
later, what the process knows goes on from the fallback, and is merged back on return.
"""

import atexit
import logging
import os
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from redis.connection import ConnectionPool
from redis.exceptions import AuthenticationError, BusyLoadingError, ResponseError

from sessions_backend import budget, conf, health
from sessions_backend.breaker import Breaker
from sessions_backend.cluster import ClusterPool
from sessions_backend.copies import Copies
from sessions_backend.exceptions import StorageUnavailable
from sessions_backend.journal import Journal
from sessions_backend.recovery import Listener, Recovery
from sessions_backend.stores import opening
from sessions_backend.stores.base import AsyncStore, Blocking, Store
from sessions_backend.stores.cluster import redis_store
from sessions_backend.stores.failing_over import FailingOverStore, Situation
from sessions_backend.stores.local import Asynchronous, Immediate, LocalStore
from sessions_backend.stores.loops import LoopTransport
from sessions_backend.stores.near import NearCache, NearStore
from sessions_backend.stores.opening import pool_of
from sessions_backend.stores.redis import RedisStore, Refused
from sessions_backend.stores.short_way import NearWay, ShortWay
from sessions_backend.stores.threads import BlockingTransport
from sessions_backend.stores.transport import Transport

logger = logging.getLogger("sessions_backend")

DECIDING_SETTINGS = frozenset(
    {
        "CACHES",
        "SESSION_CACHE_ALIAS",
        "SESSION_FALLBACK_CACHE_ALIAS",
        "SESSION_REDIS_ENABLED",
        "SESSION_STRICT",
        "SESSION_NEAR_CACHE",
        "SESSION_COPIES",
        "SESSION_COPIES_BYTES",
        "SESSION_COPIES_AGE",
    }
)
_STARTUP_PING_SECONDS = 1.0
_SETTLE_AT_EXIT_SECONDS = 2.0
_SHORTEST_SECRET = 4
# What may wait for Redis's return in one process.
_JOURNAL_MOST = 20_000
_JOURNAL_MOST_BYTES = 128 * 1024 * 1024
_REFUSALS = (Refused, ResponseError, AuthenticationError, BusyLoadingError)


class Backend(Enum):
    REDIS = "redis"
    LOCAL = "local"


@dataclass(slots=True)
class _Choice:
    blocking: AsyncStore
    store: Store
    asynchronous: AsyncStore
    # None where Redis is switched off.
    situation: Situation | None
    is_announced: bool = False
    listener: Listener | None = None
    # None where each call has more to decide: a cluster, or no Redis.
    short_way: ShortWay | None = None


_choice: _Choice | None = None
_was_announced = False
_lock = threading.RLock()


def configure(*, announce: bool = True) -> Backend:
    """
    Choose this process's store, if it has none yet, and log the choice once.

    Commands choose without a word (`announce=False`). A process that announces serves
    requests, and listens from then on for sessions that others have ended.
    """
    global _choice, _was_announced  # noqa: PLW0603  # one choice for each process
    with _lock:
        if _choice is None or (announce and not _choice.is_announced):
            say = _Announcer(is_silent=not announce)
            if _choice is not None:
                _let_go(_choice)
            _choice = _choose(say)
            _choice.is_announced = announce
            _was_announced = _was_announced or announce
            if announce and _choice.listener is not None:
                _choice.listener.start()
        return _backend_of(_choice)


def store() -> Store:
    """Return the store that serves this process, for code that blocks."""
    return _chosen().store


def blocking() -> AsyncStore:
    """Return the same with coroutines that block, for `finish`."""
    return _chosen().blocking


def short_way() -> ShortWay | None:
    """Return what serves nearly every call of blocking code faster, if it can."""
    return _chosen().short_way


def astore() -> AsyncStore:
    """Return the same for code in an event loop."""
    return _chosen().asynchronous


def active_backend() -> Backend:
    """Say which store answers at this moment."""
    return _backend_of(_chosen())


def is_degraded() -> bool:
    """Say whether sessions are kept elsewhere than the settings ask for."""
    situation = _chosen().situation
    return situation is not None and (
        situation.breaker.is_open or len(situation.journal) > 0
    )


def status() -> dict[str, Any]:
    """
    Say in JSON's terms what a readiness page shows.

    `away_since` is the Unix time at which this process stopped asking Redis, and
    `journal` what Redis has not heard of yet.
    """
    known = _chosen().situation
    journal = None if known is None else known.journal
    return {
        "session_store": active_backend().value,
        "degraded": is_degraded(),
        "away_since": None if known is None else known.recovery.away_since,
        "journal": {
            "changes": 0 if journal is None else len(journal),
            "bytes": 0 if journal is None else journal.size_in_bytes,
        },
    }


def situation() -> Situation | None:
    """Return breaker, copies and journal, for who watches them."""
    return _chosen().situation


def ping() -> bool:
    """Ask the serving store, for at most a second, whether it answers."""
    serving = _chosen()
    if _backend_of(serving) is Backend.LOCAL:
        return True
    try:
        with budget.of_seconds(_STARTUP_PING_SECONDS):
            serving.store.ping()
    except StorageUnavailable:
        return False
    return True


def reset() -> None:
    """Forget the choice, as a test that changes the settings has to."""
    global _choice, _was_announced  # noqa: PLW0603  # see configure
    with _lock:
        if _choice is not None:
            _let_go(_choice)
        _choice = None
        _was_announced = False
        conf.load.cache_clear()


def masked(url: str) -> str:
    """Return a URL without its user name and password."""
    with_host = re.sub(
        r"(?<=//).*@",
        lambda found: "***:***@" if ":" in found[0] else "***@",
        url,
    )
    return re.sub(r"(?i)((?:password|username)=)[^&]*", r"\1***", with_host)


class _Announcer:
    def __init__(self, *, is_silent: bool) -> None:
        self.is_silent = is_silent

    def __call__(self, level: int, line: str) -> None:
        if not self.is_silent:
            logger.log(level, "%s", line)


def _chosen() -> _Choice:
    return _choice or _configured()


def _configured() -> _Choice:
    # A worker forked after its parent had spoken serves, too, and says so.
    configure(announce=_was_announced)
    return cast("_Choice", _choice)


def _backend_of(choice: _Choice) -> Backend:
    if choice.situation is None:
        return Backend.LOCAL
    is_away = choice.situation.breaker.is_open and not choice.situation.is_strict
    return Backend.LOCAL if is_away else Backend.REDIS


def _choose(say: _Announcer) -> _Choice:
    if not conf.load().is_redis_enabled:
        _announce_local(say)
        local = LocalStore(conf.load().fallback_cache_alias)
        return _Choice(
            cast("AsyncStore", Immediate(local)),
            cast("Store", local),
            cast("AsyncStore", Asynchronous(local)),
            situation=None,
        )
    say(logging.INFO, f"🔴 Using RedisSessionStore (url={masked(_url())})")
    choice = _failing_over(pool_of(conf.load().cache_alias))
    redis = choice.store
    try:
        with budget.of_seconds(_STARTUP_PING_SECONDS):
            redis.ping()
            _mark(choice)
    except StorageUnavailable as outage:
        _fall_back(choice, outage, say)
    else:
        say(logging.INFO, "✅ Redis connection successful")
        _warn_of_eviction(choice, say)
    return choice


def _failing_over(pool: ConnectionPool) -> _Choice:
    settings = conf.load()
    near: NearCache | None = None
    # A node of a cluster tells of its own keys only.
    if settings.has_near_cache and not isinstance(pool, ClusterPool):
        near = NearCache(pool, most=settings.copies, most_bytes=settings.copies_bytes)

    def redis_over(transport_of: Callable[[ConnectionPool], Transport]) -> RedisStore:
        if near is None:
            return redis_store(settings.cache_alias, transport_of)
        return NearStore(transport_of(pool), near)

    redis = redis_over(BlockingTransport)
    breaker = Breaker()
    copies = Copies(
        most=settings.copies,
        most_bytes=settings.copies_bytes,
        age_seconds=settings.copies_age_seconds,
    )
    journal = Journal(
        LocalStore(settings.fallback_cache_alias),
        copies,
        breaker,
        most=_JOURNAL_MOST,
        most_bytes=_JOURNAL_MOST_BYTES,
    )
    recovery = Recovery(redis, breaker, copies, journal)
    alone = redis_store(settings.cache_alias, BlockingTransport)
    listener = Listener(alone, recovery, breaker, journal)

    def note_outage(error: BaseException) -> None:
        health.count("outages")
        reason = _without_credentials(str(error))
        logger.error("Redis cannot be reached: %s", reason)
        listener.interrupt()
        if near is not None:
            near.clear()
        recovery.note_outage(reason)

    breaker.on_open = note_outage
    opening.on_move = recovery.note_move
    shared = Situation(breaker, copies, journal, recovery, settings.is_strict)
    serving = FailingOverStore(redis, shared, is_async=False)
    asynchronous = FailingOverStore(redis_over(LoopTransport), shared, is_async=True)
    return _Choice(
        serving,
        Blocking(serving),
        asynchronous,
        situation=shared,
        listener=None if settings.is_strict else listener,
        short_way=_short_way(redis, serving, shared),
    )


def _short_way(
    redis: RedisStore, serving: FailingOverStore, shared: Situation
) -> ShortWay | None:
    transport = redis.transport
    if not isinstance(transport, BlockingTransport):
        return None
    way = NearWay if isinstance(redis, NearStore) else ShortWay
    return way(
        redis,
        transport,
        breaker=shared.breaker,
        copies=shared.copies,
        journal=shared.journal,
        note_failure=serving.note_failure,
    )


def _mark(choice: _Choice) -> None:
    try:
        cast("Situation", choice.situation).recovery.mark()
    except StorageUnavailable as outage:
        if not (isinstance(outage.__cause__, Refused)):
            raise
        # Redis serves, and takes no writes now; it is marked when it does again.


def _warn_of_eviction(choice: _Choice, say: _Announcer) -> None:
    shared = choice.situation
    if shared is None or say.is_silent:
        return
    policy = None
    # A user that may not ask, or an outage this very moment, is no reason not to start.
    with suppress(StorageUnavailable), budget.of_seconds(_STARTUP_PING_SECONDS):
        policy = shared.recovery.eviction_policy()
    if policy is not None:
        health.count("evicting_redis")
        say(
            logging.WARNING,
            f"Redis drops keys when its memory is full (maxmemory-policy {policy}): a "
            "dropped session is a logout, a dropped mark of a revoked login is "
            "forgotten. Watch evicted_keys, or choose noeviction.",
        )


def _fall_back(choice: _Choice, outage: StorageUnavailable, say: _Announcer) -> None:
    reason = _without_credentials(str(outage.__cause__))
    if isinstance(outage.__cause__, _REFUSALS):
        say(logging.WARNING, "⚠️ Redis connection failed - sessions may not persist")
    else:
        say(logging.ERROR, f"❌ Failed to connect to Redis: {reason}")
    health.count("outages")
    shared = cast("Situation", choice.situation)
    if not shared.is_strict:
        say(logging.WARNING, "⚠️ Falling back to InMemorySessionStore")
        _announce_local(say)
    shared.breaker.open_at_start()
    shared.recovery.note_outage(reason)


def _announce_local(say: _Announcer) -> None:
    say(logging.INFO, "💾 Using InMemorySessionStore (development only)")


def _let_go(choice: _Choice) -> None:
    if choice.listener is not None:
        choice.listener.stop()
    if choice.situation is not None:
        choice.situation.recovery.stop()
    choice.store.close()
    choice.asynchronous.close()


def _url() -> str:
    return conf.locations(conf.load().cache_alias)[0]


def _without_credentials(reason: str) -> str:
    parts = urlsplit(_url())
    cache = conf.cache_entry(conf.load().cache_alias) or {}
    options = cache.get("OPTIONS", {})
    secrets = {parts.password, parts.username, options.get("PASSWORD")} - {None}
    for secret in secrets | {unquote(secret) for secret in secrets}:
        # Shorter ones would blacken half of every sentence.
        if len(secret) >= _SHORTEST_SECRET:
            reason = reason.replace(secret, "***")
    return reason


def _settle_before_exit() -> None:
    if _choice is not None and _choice.situation is not None:
        _choice.situation.recovery.settle_before_exit(_SETTLE_AT_EXIT_SECONDS)


def _choose_again_in_a_child() -> None:
    global _choice, _lock  # noqa: PLW0603  # see configure
    _choice = None
    _lock = threading.RLock()


atexit.register(_settle_before_exit)
os.register_at_fork(after_in_child=_choose_again_in_a_child)
