"""What an operator wants to know of this process's sessions; counts since it began."""

import threading
from collections import Counter

_counts: Counter[str] = Counter()
_lock = threading.Lock()


def count(event: str) -> None:
    with _lock:
        _counts[event] += 1


def counts() -> dict[str, int]:
    """Return how often each thing happened, such as `damaged_records`."""
    with _lock:
        return dict(_counts)
