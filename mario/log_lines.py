import logging
import time


class UtcFormatter(logging.Formatter):
    """Tell the time in UTC, as the servers beside this one do."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"


class WithoutExpectedTracebacks(logging.Filter):
    """
    Leave the traceback to what calls for a change of code.

    Django logs one with every refused permission, which is an answer, not a fault.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.ERROR:
            record.exc_info = None
        return True
