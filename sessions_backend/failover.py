"""
Which store keeps the sessions. The only place that decides, and that says so.

A process asks Redis once, when it starts; if Redis does not answer, the process keeps
its sessions in the fallback until it ends.
"""

import logging
import os
import re
import threading
from dataclasses import dataclass
from enum import Enum
from urllib.parse import unquote, urlsplit

from redis.exceptions import AuthenticationError, BusyLoadingError, ResponseError

from sessions_backend import budget, conf
from sessions_backend.exceptions import StorageUnavailable
from sessions_backend.stores.base import Store
from sessions_backend.stores.local import LocalStore
from sessions_backend.stores.redis import RedisStore, Refused

logger = logging.getLogger("sessions_backend")

DECIDING_SETTINGS = frozenset(
    {
        "CACHES",
        "SESSION_CACHE_ALIAS",
        "SESSION_FALLBACK_CACHE_ALIAS",
        "SESSION_REDIS_ENABLED",
    }
)
_STARTUP_PING_SECONDS = 1.0
_SHORTEST_SECRET = 4
_REFUSALS = (Refused, ResponseError, AuthenticationError, BusyLoadingError)


class Backend(Enum):
    REDIS = "redis"
    LOCAL = "local"


@dataclass(slots=True)
class _Choice:
    backend: Backend
    store: Store
    is_degraded: bool
    is_announced: bool


_choice: _Choice | None = None
_was_announced = False
_lock = threading.RLock()


def configure(*, announce: bool = True) -> Backend:
    """
    Choose this process's store, if it has none yet, and log the choice once.

    Commands choose without a word (`announce=False`).
    """
    global _choice, _was_announced  # noqa: PLW0603  # one choice for each process
    with _lock:
        if _choice is None or (announce and not _choice.is_announced):
            say = _Announcer(is_silent=not announce)
            if _choice is None:
                _choice = _choose(say)
            else:
                _repeat(_choice, say)
            _choice.is_announced = announce
            _was_announced = _was_announced or announce
        return _choice.backend


def store() -> Store:
    """Return the store that serves this process."""
    if _choice is None:
        # A worker forked after its parent had spoken serves, too, and says so.
        configure(announce=_was_announced)
    return _choice.store  # type: ignore[union-attr]  # configure() has just set it


def active_backend() -> Backend:
    store()
    return _choice.backend  # type: ignore[union-attr]  # store() has just set it


def is_degraded() -> bool:
    """Say whether the sessions are kept elsewhere than the settings ask for."""
    store()
    return _choice.is_degraded  # type: ignore[union-attr]  # store() has just set it


def ping() -> bool:
    """Ask the serving store, for at most a second, whether it answers."""
    serving = store()
    try:
        with budget.of_seconds(_STARTUP_PING_SECONDS):
            serving.ping()
    except StorageUnavailable:
        return False
    return True


def reset() -> None:
    """Forget the choice, as a test that changes the settings has to."""
    global _choice, _was_announced  # noqa: PLW0603  # see configure
    with _lock:
        if _choice is not None:
            _choice.store.close()
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
        self._is_silent = is_silent

    def __call__(self, level: int, line: str) -> None:
        if not self._is_silent:
            logger.log(level, "%s", line)


def _choose(say: _Announcer) -> _Choice:
    if not conf.load().is_redis_enabled:
        return _choose_local(say, is_degraded=False)
    url = _url()
    say(logging.INFO, f"🔴 Using RedisSessionStore (url={masked(url)})")
    redis = RedisStore(conf.load().cache_alias)
    try:
        with budget.of_seconds(_STARTUP_PING_SECONDS):
            redis.ping()
    except StorageUnavailable as outage:
        if isinstance(outage.__cause__, _REFUSALS):
            say(
                logging.WARNING,
                "⚠️ Redis connection failed - sessions may not persist",
            )
        else:
            reason = _without_credentials(str(outage.__cause__), url)
            say(logging.ERROR, f"❌ Failed to connect to Redis: {reason}")
        say(logging.WARNING, "⚠️ Falling back to InMemorySessionStore")
        return _choose_local(say, is_degraded=True)
    say(logging.INFO, "✅ Redis connection successful")
    redis.is_serving = True
    return _Choice(Backend.REDIS, redis, is_degraded=False, is_announced=False)


def _choose_local(say: _Announcer, *, is_degraded: bool) -> _Choice:
    say(logging.INFO, "💾 Using InMemorySessionStore (development only)")
    local = LocalStore(conf.load().fallback_cache_alias)
    return _Choice(Backend.LOCAL, local, is_degraded=is_degraded, is_announced=False)


def _repeat(choice: _Choice, say: _Announcer) -> None:
    """Say what a silent call chose before; a process that asks again gets news."""
    fresh = _choose(say)
    if fresh.backend is not choice.backend:
        choice.backend, choice.store = fresh.backend, fresh.store
        choice.is_degraded = fresh.is_degraded


def _url() -> str:
    location = (conf.cache_entry(conf.load().cache_alias) or {}).get("LOCATION", "")
    if isinstance(location, str):
        return location.split(",")[0]
    return str(location[0])


def _without_credentials(reason: str, url: str) -> str:
    parts = urlsplit(url)
    cache = conf.cache_entry(conf.load().cache_alias) or {}
    options = cache.get("OPTIONS", {})
    secrets = {parts.password, parts.username, options.get("PASSWORD")} - {None}
    for secret in secrets | {unquote(secret) for secret in secrets}:
        # Shorter ones would blacken half of every sentence.
        if len(secret) >= _SHORTEST_SECRET:
            reason = reason.replace(secret, "***")
    return reason


def _choose_again_in_a_child() -> None:
    global _choice, _lock  # noqa: PLW0603  # see configure
    _choice = None
    _lock = threading.RLock()


os.register_at_fork(after_in_child=_choose_again_in_a_child)
