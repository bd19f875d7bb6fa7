"""Commands that look for work again and again, until they are told to end."""

import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import timedelta
from types import FrameType

from django.db import DatabaseError, close_old_connections

LONGEST_PAUSE = timedelta(minutes=5)
_IDLE_SECONDS = 1.0


@dataclass
class Round:
    """What one look at what waits came to."""

    sent: int = 0
    refused: int = 0
    is_sink_away: bool = False
    is_somebody_elses: bool = False

    @property
    def was_idle(self) -> bool:
        return not (self.sent or self.refused)


def run_rounds(
    look: Callable[[Callable[[], bool]], Round],
    *,
    say: Callable[[str], object],
    when_idle: Callable[[], object] = lambda: None,
) -> None:
    """Look until SIGINT or SIGTERM, with pauses; `look` is given who asks to stop."""
    stop = threading.Event()

    def ask_to_stop(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask_to_stop)
    failures = 0
    while not stop.is_set():
        try:
            done = look(stop.is_set)
        except DatabaseError as error:
            say(f"The database is away: {type(error).__name__}")
            done = Round(is_sink_away=True)
        finally:
            close_old_connections()
        failures = failures + 1 if done.is_sink_away else 0
        if failures:
            stop.wait(pause_after(min(failures, 6)).total_seconds())
        elif done.was_idle:
            when_idle()
            stop.wait(_IDLE_SECONDS)


def pause_after(tries: int) -> timedelta:
    """Double with every try: 2, 4, 8 seconds, up to five minutes."""
    return min(timedelta(seconds=2 ** min(tries, 10)), LONGEST_PAUSE)


def within[T](seconds: float, call: Callable[[], T]) -> T:
    """
    Call in a thread of its own, which is left behind when the time is over.

    The time-out of a socket begins again with every byte that arrives.

    :raises TimeoutError: if it is not done by then
    """
    answer: Future[T] = Future()

    def run() -> None:
        try:
            answer.set_result(call())
        except Exception as error:  # noqa: BLE001  # whoever waits gets it
            answer.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return answer.result(timeout=seconds)
