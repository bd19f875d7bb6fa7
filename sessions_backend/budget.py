"""
The time that all session work of one request may take together.

Only the time spent waiting for the store counts: a slow view does not eat it. The
budget travels in a context variable, so it follows a request from thread to thread.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from sessions_backend import conf
from sessions_backend.exceptions import StorageUnavailable


class Budget:
    """What is left of one request's time, and the outage that it met."""

    __slots__ = ("outage", "remaining", "used_up_by")

    def __init__(self, seconds: float) -> None:
        self.remaining = seconds
        self.outage: StorageUnavailable | None = None
        self.used_up_by = ""


_current: ContextVar[Budget | None] = ContextVar(
    "sessions_backend_budget", default=None
)


def current() -> Budget:
    """Return the request's budget; outside a request each call has one of its own."""
    return _current.get() or Budget(conf.load().budget_seconds)


@contextmanager
def of_one_request() -> Iterator[Budget]:
    budget = Budget(conf.load().budget_seconds)
    token = _current.set(budget)
    try:
        yield budget
    finally:
        _current.reset(token)


@contextmanager
def used_up(reason: str) -> Iterator[None]:
    """Let the work inside wait for the store no more."""
    budget = current()
    budget.remaining, budget.used_up_by = 0.0, reason
    token = _current.set(budget)
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def of_seconds(seconds: float) -> Iterator[Budget]:
    """Give the work inside a time of its own, for a start-up ping or a probe."""
    budget = Budget(seconds)
    token = _current.set(budget)
    try:
        yield budget
    finally:
        _current.reset(token)
