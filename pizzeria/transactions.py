"""
What a change of the database is wrapped in: all of it is done, or nothing.

Two in each other's way: one is asked to begin anew, and does. One whose login ends
while it is under way is not done.
"""

import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps

from django.db import (
    DatabaseError,
    IntegrityError,
    OperationalError,
    connection,
    transaction,
)

from pizzeria.exceptions import LoggedOut

logger = logging.getLogger(__name__)

TRIES = 4
# PostgreSQL: serialization_failure, deadlock_detected, and unique_violation: what was
# free when it was looked for is taken, and a second look will say so.
_COLLISIONS = {"40001", "40P01", "23505"}
_PAUSE_SECONDS = 0.02

type Question = Callable[[], bool]

_is_login_in_force: ContextVar[Question | None] = ContextVar(
    "is_login_in_force", default=None
)


@contextmanager
def only_while(is_login_in_force: Question | None) -> Iterator[None]:
    """Do the transactions inside only if the login still holds at their end."""
    token = _is_login_in_force.set(is_login_in_force)
    try:
        yield
    finally:
        _is_login_in_force.reset(token)


def in_one_transaction[**Given, Result](
    change: Callable[Given, Result],
) -> Callable[Given, Result]:
    """
    Do all of it or nothing, and try again, TRIES times in all, after a collision.

    Nothing of the earlier try is left. One that is part of a larger transaction is
    that one's to try again.

    :raises LoggedOut: if the login of the request has ended meanwhile
    """

    @wraps(change)
    def try_it(*args: Given.args, **kwargs: Given.kwargs) -> Result:
        for number in range(1, TRIES):
            try:
                return _unless_logged_out(change, *args, **kwargs)
            except (OperationalError, IntegrityError) as error:
                if connection.in_atomic_block or not _is_collision(error):
                    raise
                logger.warning("%s collided: try %d.", change.__name__, number)
                # Not all of those that collided come back at the same moment.
                pause = random.uniform(0, _PAUSE_SECONDS * 2**number)  # noqa: S311
                time.sleep(pause)
        return _unless_logged_out(change, *args, **kwargs)

    return try_it


def _unless_logged_out[**Given, Result](
    change: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs
) -> Result:
    question = _is_login_in_force.get()
    # Its parts are not to ask again.
    with transaction.atomic(), only_while(None):
        result = change(*args, **kwargs)
        if question is not None and not question():
            raise LoggedOut
        return result


def _is_collision(error: DatabaseError) -> bool:
    return getattr(error.__cause__, "sqlstate", None) in _COLLISIONS
