"""What a serving process does once, when it starts."""

from mario.identity import jwks, lifetimes
from sessions_backend import failover


def start() -> None:
    """
    Pick the session store, then fetch the realm's keys.

    Called by the server's entry points, so in a forked worker after the fork, and
    never by a management command.
    """
    failover.configure()
    jwks.warm()
    lifetimes.check()
