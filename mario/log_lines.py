import logging
import time


class UtcFormatter(logging.Formatter):
    """Tell the time in UTC, as the servers beside this one do."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"
