"""Brute-force protection with the realm file's own numbers, in memory."""

import threading
import time
from dataclasses import dataclass

from mario.devrealm.realm_file import RealmUser
from mario.devrealm.runtime import realm


@dataclass
class _Failures:
    count: int = 0
    locked_until: float = 0.0


_lock = threading.Lock()
_failures: dict[str, _Failures] = {}


def admits(user: RealmUser, *, is_right: bool) -> bool:
    """
    Return whether this try counts as a login.

    After too many wrong ones the right password is refused as well, for a while.
    Only people of the realm are counted, so the memory is bounded.
    """
    file, now = realm().file, time.monotonic()
    with _lock:
        failures = _failures.setdefault(user.sub, _Failures())
        if now < failures.locked_until:
            return False
        if is_right:
            del _failures[user.sub]
            return True
        failures.count += 1
        if failures.count >= file.seconds("failureFactor"):
            failures.locked_until = now + file.seconds("waitIncrementSeconds")
        return False
