"""Few of many: what strangers can cause any number of is written down now and then."""

import threading
from collections import OrderedDict


class Sampler:
    """
    Let `burst` things of a name through at once, and one more each `seconds`.

    It counts for its process alone, and for the names that were seen last.
    """

    def __init__(self, *, burst: int, seconds: float, most_names: int = 1000) -> None:
        self._burst, self._seconds, self._most_names = burst, seconds, most_names
        self._lock = threading.Lock()
        # By name: how many may come, as of when, and how many were left out.
        self._known: OrderedDict[str, tuple[float, float, int]] = OrderedDict()

    def take(self, name: str, *, now: float) -> int | None:
        """Return how many were left out before this one; None to leave it out, too."""
        with self._lock:
            left, since, left_out = self._known.pop(name, (self._burst, now, 0))
            left = min(self._burst, left + (now - since) / self._seconds)
            is_taken = left >= 1
            self._known[name] = (
                (left - 1, now, 0) if is_taken else (left, now, left_out + 1)
            )
            while len(self._known) > self._most_names:
                self._known.popitem(last=False)
        return left_out if is_taken else None

    def forget(self) -> None:
        with self._lock:
            self._known.clear()
