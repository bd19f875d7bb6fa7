"""
Whether Redis is worth asking: after a few failures nobody waits for it any more.

It is closed again by the one probe that finds Redis serving, and by nothing else.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from math import inf

MOST_FAILURES_IN_A_ROW = 3
# A Redis that is merely slow fails now and then: so many within so many seconds.
MOST_FAILURES = 10
FAILURE_SECONDS = 10.0
# After an outage: until then every other process has noticed Redis's return, too, and
# has told it of the sessions that were begun there meanwhile.
SETTLING_SECONDS = 2.0


class Breaker:
    def __init__(self) -> None:
        # Called with the failure that opens it.
        self.on_open: Callable[[BaseException], None] | None = None
        self._lock = threading.Lock()
        self._in_a_row = 0
        self._failures: deque[float] = deque(maxlen=MOST_FAILURES)
        self.is_open = False
        # By the monotonic clock, which nobody sets.
        self.last_success = time.monotonic()
        # By that clock: when Redis was found to be back.
        self._returned_at = -inf

    @property
    def last_success_at(self) -> float:
        """The same in Unix time, for what other processes have written; 0 for never."""
        return max(time.time() - time.monotonic() + self.last_success, 0.0)

    @property
    def is_settling(self) -> bool:
        """Whether other processes may still hold what Redis has not heard of."""
        return time.monotonic() - self._returned_at < SETTLING_SECONDS

    def note_success(self) -> None:
        self._in_a_row = 0
        self.last_success = time.monotonic()

    def note_failure(self, error: BaseException) -> None:
        now = time.monotonic()
        with self._lock:
            self._in_a_row += 1
            self._failures.append(now)
            is_full = len(self._failures) == MOST_FAILURES
            is_often = is_full and now - self._failures[0] < FAILURE_SECONDS
            if self.is_open or not (
                self._in_a_row >= MOST_FAILURES_IN_A_ROW or is_often
            ):
                return
            self.is_open = True
        if self.on_open is not None:
            self.on_open(error)

    def open_at_start(self) -> None:
        """Begin with Redis away: nothing was ever seen of it."""
        self.is_open = True
        self.last_success = -inf

    def close(self) -> None:
        with self._lock:
            if self.is_open:
                self._returned_at = time.monotonic()
            self._in_a_row = 0
            self._failures.clear()
            self.last_success = time.monotonic()
            self.is_open = False
