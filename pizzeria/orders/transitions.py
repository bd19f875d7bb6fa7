"""The one table of an order's life: from which state to which, and who may do it."""

from dataclasses import dataclass

from django.db import models

from pizzeria.roles import CANCEL, COOK, DELIVER


class Status(models.TextChoices):
    PENDING = "pending", "Pending"
    CONFIRMED = "confirmed", "Confirmed"
    COOKING = "cooking", "In the oven"
    READY = "ready", "Ready"
    DELIVERING = "delivering", "On its way"
    DELIVERED = "delivered", "Delivered"
    CANCELLED = "cancelled", "Cancelled"


@dataclass(frozen=True)
class Step:
    """One allowed move, the permission it asks for and the fields that record it."""

    source: Status
    target: Status
    permission: str
    time_field: str
    person_field: str | None = None


STEPS = (
    Step(Status.PENDING, Status.CONFIRMED, COOK, "confirmed_at"),
    Step(Status.CONFIRMED, Status.COOKING, COOK, "cooking_at", "cooked_by"),
    Step(Status.COOKING, Status.READY, COOK, "ready_at", "readied_by"),
    Step(Status.READY, Status.DELIVERING, DELIVER, "delivering_at", "delivered_by"),
    Step(Status.DELIVERING, Status.DELIVERED, DELIVER, "delivered_at"),
    Step(Status.PENDING, Status.CANCELLED, CANCEL, "cancelled_at"),
    Step(Status.CONFIRMED, Status.CANCELLED, CANCEL, "cancelled_at"),
)

# No step leads out of these.
FINAL = frozenset(set(Status) - {step.source for step in STEPS})

# The stages that a person follows, in order.
MAIN_PATH = (
    Status.CONFIRMED,
    Status.COOKING,
    Status.READY,
    Status.DELIVERING,
    Status.DELIVERED,
)

_BY_ENDS = {(step.source, step.target): step for step in STEPS}


def find_step(source: Status, target: Status) -> Step | None:
    return _BY_ENDS.get((source, target))


def next_on_main_path(status: Status, *, permission: str) -> Status | None:
    """The state that follows this one, if holders of the permission bring it on."""
    for target in MAIN_PATH:
        step = find_step(status, target)
        if step is not None and step.permission == permission:
            return target
    return None
