"""Two transactions in each other's way: one is asked to begin anew, and does."""

import logging
import random
import time
from collections.abc import Callable
from functools import wraps

from django.db import OperationalError, connection

logger = logging.getLogger(__name__)

TRIES = 4
# PostgreSQL: serialization_failure, deadlock_detected.
_COLLISIONS = {"40001", "40P01"}
_PAUSE_SECONDS = 0.02


def retried[**Given, Result](
    change: Callable[Given, Result],
) -> Callable[Given, Result]:
    """
    Try a transaction again, TRIES times in all, that another one made impossible.

    Nothing of the earlier try is left. One that is part of a larger transaction is
    that one's to try again.
    """

    @wraps(change)
    def try_it(*args: Given.args, **kwargs: Given.kwargs) -> Result:
        for number in range(1, TRIES):
            try:
                return change(*args, **kwargs)
            except OperationalError as error:
                if connection.in_atomic_block or not _is_collision(error):
                    raise
                logger.warning("%s collided: try %d.", change.__name__, number)
                # Not all of those that collided come back at the same moment.
                pause = random.uniform(0, _PAUSE_SECONDS * 2**number)  # noqa: S311
                time.sleep(pause)
        return change(*args, **kwargs)

    return try_it


def _is_collision(error: OperationalError) -> bool:
    return getattr(error.__cause__, "sqlstate", None) in _COLLISIONS
