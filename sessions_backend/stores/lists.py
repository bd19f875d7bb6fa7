"""
The lists of users' sessions: sorted sets of record names, each with its end as score.

A name stays a tenth of its session's age longer than the session as it was listed. So
a session that is renewed with every request is listed once in that time, not each time.
"""

import time
from functools import lru_cache

from sessions_backend import names
from sessions_backend.stores.transport import Command, Transport

# hiredis packs any command; to fill in one that is known takes half of its time, which
# counts for what many requests send. Times have ten digits until the year 2286.
_ZADD = b"*4\r\n$4\r\nZADD\r\n%b$10\r\n%d\r\n%b"
_ZREMRANGEBYSCORE = b"*4\r\n$16\r\nZREMRANGEBYSCORE\r\n%b$4\r\n-inf\r\n$10\r\n%d\r\n"
_EXPIRE = b"*4\r\n$6\r\nEXPIRE\r\n%%b%b$2\r\n%b\r\n"
# What the clocks of two machines may differ by, in the worst case.
_CLOCKS_DIFFER_SECONDS = 2 * 3600
_LONGER = 10
_MOST_KNOWN = 10_000


class Lists:
    """How one process lists sessions, and which it has listed already."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._breaks = transport.breaks
        # By the session's key: its list, and the moment of the monotonic clock up to
        # which it is named there.
        self._known: dict[str, tuple[str, float]] = {}

    def adding(self, key: str, list_key: str | None, ttl: int) -> tuple[Command, ...]:
        """Return what lists a session for `ttl` seconds, if it is not yet."""
        if list_key is None or self._is_known(key, list_key, ttl):
            return ()
        now, stays = int(time.time()), _stays(ttl)
        name = bulk(list_key)
        expire_if_new, expire_if_later = _expiring(stays)
        return (
            pruning(list_key, now),
            (list_key, _ZADD % (name, now + stays, bulk(names.text_of(key)))),
            (list_key, expire_if_new % name),
            (list_key, expire_if_later % name),
        )

    def note(self, listing: tuple[Command, ...], key: str, ttl: int) -> None:
        """Remember that Redis has done what `adding` returned."""
        if listing:
            if len(self._known) >= _MOST_KNOWN:
                self.forget()
            list_key, _ = listing[0]
            self._known[key] = (list_key, time.monotonic() + _stays(ttl))

    def forget(self) -> None:
        """List every session again, when it is renewed next."""
        self._known.clear()

    def _is_known(self, key: str, list_key: str, ttl: int) -> bool:
        if self._breaks != self._transport.breaks:
            # Redis may have been restarted, and have lost its data.
            self._breaks = self._transport.breaks
            self.forget()
        known = self._known.get(key)
        return (
            known is not None
            and known[0] == list_key
            and known[1] >= time.monotonic() + ttl
        )


def pruning(list_key: str, now: int) -> Command:
    """Return what takes the names of sessions off a list that ended long before."""
    # A process whose clock is wrong is not to take others' sessions off the list.
    ended_at = now - _CLOCKS_DIFFER_SECONDS
    return list_key, _ZREMRANGEBYSCORE % (bulk(list_key), ended_at)


def bulk(argument: str | int) -> bytes:
    """Write an argument as Redis's protocol has it."""
    raw = b"%d" % argument if isinstance(argument, int) else argument.encode()
    return b"$%d\r\n%b\r\n" % (len(raw), raw)


@lru_cache(maxsize=16)
def _expiring(seconds: int) -> tuple[bytes, bytes]:
    """Let a list live so long, or longer: as long as its longest session."""
    argument = bulk(seconds)
    return _EXPIRE % (argument, b"NX"), _EXPIRE % (argument, b"GT")


def _stays(ttl: int) -> int:
    return ttl + ttl // _LONGER
