"""
How commands reach Redis: over blocking sockets, or in an event loop.

A store hands over commands, each with the key that it touches, and takes one reply for
each. How many connections and which server that needs is the transport's business.
"""

import logging
from typing import Any, NamedTuple, Protocol

import hiredis

from sessions_backend import health

logger = logging.getLogger("sessions_backend")


# The key that a command touches, and the command as it goes over the wire. A plain
# tuple: several are made with every call.
type Command = tuple[str, bytes]


class Preamble(NamedTuple):
    """What a connection is told once, before the first command that needs it."""

    name: str
    packed: bytes
    replies: int


class Transport(Protocol):
    @property
    def breaks(self) -> int:
        """How often a connection turned out broken: Redis may have been restarted."""
        ...

    async def exchange(
        self,
        commands: tuple[Command, ...],
        deadline: float,
        is_repeatable: bool,
        preamble: Preamble | None = None,
    ) -> list[Any]:
        """
        Send all commands at once; return their replies, errors among them.

        `deadline` is a moment of the monotonic clock. What is repeatable may be sent
        a second time, if an idle connection turns out to be closed.

        :raises redis.exceptions.RedisError: if Redis refuses the connection
        :raises OSError: if it cannot be reached before the deadline
        """
        ...

    def close(self) -> None:
        """Close all connections; a later exchange opens another."""
        ...


def is_refusal(reply: object) -> bool:
    """
    Say whether Redis answers, and will not serve (READONLY, LOADING, OOM, NOPERM, …).

    After a failover the next connection may reach a server that will.
    """
    return type(reply) is hiredis.ReplyError and not str(reply).startswith(
        ("NOSCRIPT", "WRONGTYPE", "MOVED", "ASK", "ERR syntax")
    )


def note_broken(error: ConnectionError) -> None:
    """Tell that a connection ended between two commands or within a reply."""
    health.count("broken_connections")
    logger.info("A connection to Redis broke (%s).", type(error).__name__)


def too_many(limit: int) -> ConnectionError:
    return ConnectionError(f"All {limit} connections are in use.")
