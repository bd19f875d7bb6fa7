"""
gunicorn's worker of threads, which no slow client can hold.

A client that sends its request byte by byte would keep a thread for as long as it
likes, and eight of them the whole worker (gunicorn 27 has no limit for it).
"""

import socket
import threading
import time
from contextlib import suppress
from typing import Any

from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

# A request is a few kilobytes; whoever needs longer is let go.
READ_SECONDS = 5.0
_LOOK_EVERY = 0.5


class DeadlineWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn is untyped
    def init_process(self) -> None:
        self._deadlines: dict[Any, float] = {}
        threading.Thread(
            target=self._end_what_is_late, name="deadlines", daemon=True
        ).start()
        super().init_process()

    def handle(self, conn: Any) -> Any:
        self._deadlines[conn] = time.monotonic() + READ_SECONDS
        try:
            return super().handle(conn)
        finally:
            self._deadlines.pop(conn, None)

    def _end_what_is_late(self) -> None:
        while True:
            time.sleep(_LOOK_EVERY)
            now = time.monotonic()
            for conn, deadline in list(self._deadlines.items()):
                if now > deadline:
                    self._deadlines.pop(conn, 0)
                    # Nothing more is read; an answer that is on its way goes out.
                    with suppress(OSError):
                        conn.sock.shutdown(socket.SHUT_RD)
