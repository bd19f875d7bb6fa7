"""
The host's resolver, as far as a test may break it: one name, answered from a file.

The name stands for 127.0.0.1. The rest of the way, from the thread that asks to the
connection, is the engine's own.
"""

import os
import socket
import time
from pathlib import Path

NAME = "redis.test"
WORKS, FAILS, HANGS = "works", "fails", "hangs"
_HANG_SECONDS = 10

_look_up = socket.getaddrinfo


def install() -> None:
    state = Path(os.environ["FAULTS_STATE"]) / "resolver"

    def look_up(host, *rest, **named):
        if host != NAME:
            return _look_up(host, *rest, **named)
        how = state.read_text() if state.exists() else WORKS
        if how == FAILS:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure")
        if how == HANGS:
            time.sleep(_HANG_SECONDS)
        return _look_up("127.0.0.1", *rest, **named)

    socket.getaddrinfo = look_up
