"""
What an operator wants to know of this process's sessions.

Events are counted since the process began; values are what they are now. Whoever
watches (metrics.py does where prometheus-client is installed) hears of each.
"""

import threading
from collections import Counter
from typing import Protocol


class Watcher(Protocol):
    """Is told at once, by the thread that serves a request: it must not wait."""

    def counted(self, event: str, times: int) -> None: ...

    def noted(self, name: str, value: float) -> None: ...


# To tell a watcher takes longer than what happens with nearly every request.
_OFTEN = 16

_counts: Counter[str] = Counter()
_values: dict[str, float] = {}
_watchers: list[Watcher] = []
_lock = threading.Lock()


def watch(watcher: Watcher) -> None:
    _watchers.append(watcher)


def count(event: str) -> None:
    with _lock:
        _counts[event] += 1
    for watcher in _watchers:
        watcher.counted(event, 1)


def count_often(event: str) -> None:
    """Count what happens all the time; the watchers hear of each _OFTEN at once."""
    with _lock:
        _counts[event] += 1
        is_to_be_told = _counts[event] % _OFTEN == 0
    if is_to_be_told:
        for watcher in _watchers:
            watcher.counted(event, _OFTEN)


def note(name: str, value: float) -> None:
    _values[name] = value
    for watcher in _watchers:
        watcher.noted(name, value)


def counts() -> dict[str, int]:
    """Return how often each thing happened, such as `damaged_records`."""
    with _lock:
        return dict(_counts)


def values() -> dict[str, float]:
    """Return what was noted last, such as `journal_changes`."""
    return dict(_values)
