"""
Where a server is: questions that have no time-out of their own.

Name look-ups, and what a Sentinel is asked, run in a thread of their own. A request
waits for the answer no longer than it may, and goes on with the last known one.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Any

from sessions_backend import health

logger = logging.getLogger("sessions_backend")

_FRESH_SECONDS = 1.0
# With an older answer at hand nobody waits longer than this for a new one.
_PATIENCE_SECONDS = 0.05


class _Question:
    """A question on its way, and what came of it."""

    def __init__(self) -> None:
        self.is_answered = threading.Event()
        self.answer: Any = None
        self.error: OSError | None = None


class Lookups:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[object, _Question] = {}
        self._known: dict[object, tuple[float, Any]] = {}

    def find(self, name: object, ask: Callable[[], Any], *, deadline: float) -> Any:
        """
        Return the answer, at the latest at `deadline` of the monotonic clock.

        :raises TimeoutError: if none came in time and none is known from before
        :raises OSError: if the answer is a failure and none is known from before
        """
        now = time.monotonic()
        known = self._known.get(name)
        if known is not None and now - known[0] < _FRESH_SECONDS:
            return known[1]
        question = self._asked(name, ask)
        patience = deadline - now
        if known is not None:
            patience = min(patience, _PATIENCE_SECONDS)
        is_answered = question.is_answered.wait(max(patience, 0))
        if is_answered and question.error is None:
            return question.answer
        if known is not None:
            health.count("remembered_addresses")
            reason = question.error or "no answer yet"
            logger.warning("Where Redis is cannot be found out (%s).", reason)
            return known[1]
        raise question.error or TimeoutError("The name look-up takes too long.")

    def _asked(self, name: object, ask: Callable[[], Any]) -> _Question:
        """Return the question under way; however many wait, it is asked once."""
        with self._lock:
            if name in self._open:
                return self._open[name]
            question = self._open[name] = _Question()
        threading.Thread(
            target=self._answer,
            args=(name, question, ask),
            name="sessions-lookup",
            daemon=True,
        ).start()
        return question

    def _answer(
        self, name: object, question: _Question, ask: Callable[[], Any]
    ) -> None:
        try:
            question.answer = ask()
            self._known[name] = (time.monotonic(), question.answer)
        except OSError as error:
            question.error = error
        except Exception as error:  # noqa: BLE001  # the outermost edge of a thread
            question.error = OSError(str(error))
        finally:
            with self._lock:
                self._open.pop(name, None)
            question.is_answered.set()


def _start_anew() -> None:
    # The threads of the parent do not exist in a forked child.
    lookups.__init__()  # type: ignore[misc]  # the one object everybody imported


lookups = Lookups()
os.register_at_fork(after_in_child=_start_anew)
