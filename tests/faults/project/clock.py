"""
The workers' clock, as far as a test may set it: ahead or behind by what a file says.

Set in Python: libfaketime breaks the sleep of gunicorn's master, which waits by the
monotonic clock. That one goes on here, as it does when an administrator sets a clock.
"""

import datetime
import os
import sys
import time
from pathlib import Path

_time = time.time


def install() -> None:
    file = Path(os.environ["FAULTS_STATE"]) / "clock"

    def now() -> float:
        try:
            return _time() + float(file.read_text())
        except FileNotFoundError:
            return _time()

    class ShownDatetime(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls.fromtimestamp(now(), tz)

    time.time = now
    for name, module in list(sys.modules.items()):
        is_ours = name.startswith("sessions_backend.")
        if is_ours and getattr(module, "datetime", None) is datetime.datetime:
            module.datetime = ShownDatetime  # type: ignore[attr-defined]  # looked at
