"""Transactions that collide; for a real deadlock see deadlock_on_postgresql.py."""

import pytest
from django.db import DatabaseError, IntegrityError, OperationalError, transaction

from pizzeria.transactions import TRIES, in_one_transaction

pytestmark = pytest.mark.django_db(transaction=True)


def collision(state: str | None) -> DatabaseError:
    kind = IntegrityError if state == "23505" else OperationalError
    error = kind("in each other's way")
    error.__cause__ = Exception()
    vars(error.__cause__)["sqlstate"] = state
    return error


class Change:
    """Fails as often as it is told."""

    __name__ = "change"

    def __init__(self, *, failures: int, state: str | None = "40P01") -> None:
        self.failures, self.state, self.tries = failures, state, 0

    def __call__(self) -> str:
        self.tries += 1
        if self.tries <= self.failures:
            raise collision(self.state)
        return "done"


@pytest.mark.parametrize("state", ["40P01", "40001", "23505"])
def test_one_that_collides_is_tried_again(state):
    change = Change(failures=TRIES - 1, state=state)

    assert in_one_transaction(change)() == "done"
    assert change.tries == TRIES


def test_not_for_ever():
    change = Change(failures=100)

    with pytest.raises(OperationalError):
        in_one_transaction(change)()
    assert change.tries == TRIES


@pytest.mark.parametrize("state", ["57014", "55P03", None])
def test_another_failure_is_nobodys_to_repeat(state):
    change = Change(failures=100, state=state)

    with pytest.raises(OperationalError):
        in_one_transaction(change)()
    assert change.tries == 1


def test_part_of_a_larger_one_is_left_to_it():
    change = Change(failures=100)

    with pytest.raises(OperationalError), transaction.atomic():
        in_one_transaction(change)()
    assert change.tries == 1
