"""The one table of an order's life: from which state to which, and who may do it."""

from dataclasses import dataclass
from datetime import timedelta

from django.db import models

from pizzeria.roles import CANCEL, COOK, DELIVER, OVERSEE

# A slip of the finger is noticed soon; later the books are to be relied on.
UNDO_WITHIN = timedelta(minutes=15)


class Status(models.TextChoices):
    PENDING = "pending", "Waiting to be accepted"
    CONFIRMED = "confirmed", "Confirmed"
    COOKING = "cooking", "In the oven"
    READY = "ready", "Ready"
    DELIVERING = "delivering", "On its way"
    DELIVERED = "delivered", "Delivered"
    CANCELLED = "cancelled", "Cancelled"


class Fulfilment(models.TextChoices):
    DELIVERY = "delivery", "Delivery"
    PICKUP = "pickup", "Pick-up"


class HandedTo(models.TextChoices):
    """How an order got to its customer, as far as the driver says it."""

    PERSON = "person", "To the person"
    NEIGHBOUR = "neighbour", "To a neighbour"
    DOOR = "door", "Left at the door"


@dataclass(frozen=True, kw_only=True)
class Step:
    """
    One allowed move, who may make it, and the fields that record it.

    Holders of the permission may; so may the order's customer where `by_owner` says
    so. `by_own_driver` narrows it to the driver who has the order, and to who
    oversees them.
    """

    source: Status
    target: Status
    permission: str
    # The event's type without prefix and version.
    event: str
    by_owner: bool = False
    by_own_driver: bool = False
    only_for: Fulfilment | None = None
    time_field: str | None = None
    person_field: str | None = None
    reason_field: str | None = None
    handover_field: str | None = None
    # What a step back takes back.
    clears: tuple[str, ...] = ()
    # How long after the hand-over it may be taken; None is for ever.
    within: timedelta | None = None

    @property
    def is_back(self) -> bool:
        """Whether it undoes another step."""
        return bool(self.clears)


STEPS = (
    Step(
        source=Status.PENDING,
        target=Status.CONFIRMED,
        permission=COOK,
        event="order.confirmed",
        time_field="confirmed_at",
    ),
    Step(
        source=Status.CONFIRMED,
        target=Status.COOKING,
        permission=COOK,
        event="order.cooking.started",
        time_field="cooking_at",
        person_field="cooked_by",
    ),
    Step(
        source=Status.COOKING,
        target=Status.READY,
        permission=COOK,
        event="order.ready",
        time_field="ready_at",
        person_field="readied_by",
    ),
    Step(
        source=Status.READY,
        target=Status.DELIVERING,
        permission=DELIVER,
        event="order.delivery.started",
        only_for=Fulfilment.DELIVERY,
        time_field="delivering_at",
        person_field="driver",
    ),
    Step(
        source=Status.DELIVERING,
        target=Status.DELIVERED,
        permission=DELIVER,
        event="order.delivered",
        by_own_driver=True,
        time_field="delivered_at",
        person_field="delivered_by",
        reason_field="delivery_note",
        handover_field="handed_to",
    ),
    Step(
        source=Status.READY,
        target=Status.DELIVERED,
        permission=COOK,
        event="order.delivered",
        only_for=Fulfilment.PICKUP,
        time_field="delivered_at",
        person_field="delivered_by",
    ),
    # Undo instead of "are you sure".
    Step(
        source=Status.COOKING,
        target=Status.CONFIRMED,
        permission=COOK,
        event="order.cooking.undone",
        clears=("cooking_at", "cooked_by"),
    ),
    Step(
        source=Status.READY,
        target=Status.COOKING,
        permission=COOK,
        event="order.recalled",
        clears=("ready_at", "readied_by"),
    ),
    Step(
        source=Status.DELIVERING,
        target=Status.READY,
        permission=DELIVER,
        event="order.delivery.returned",
        by_own_driver=True,
        time_field="returned_at",
        reason_field="return_reason",
        clears=("delivering_at", "driver", "stop_number"),
    ),
    # Nobody had it after all.
    Step(
        source=Status.DELIVERED,
        target=Status.READY,
        permission=COOK,
        event="order.delivery.undone",
        only_for=Fulfilment.PICKUP,
        clears=("delivered_at", "delivered_by"),
        within=UNDO_WITHIN,
    ),
    Step(
        source=Status.DELIVERED,
        target=Status.DELIVERING,
        permission=DELIVER,
        event="order.delivery.undone",
        by_own_driver=True,
        only_for=Fulfilment.DELIVERY,
        clears=("delivered_at", "delivered_by", "handed_to", "delivery_note"),
        within=UNDO_WITHIN,
    ),
    # A customer may until the kitchen begins; then the restaurant alone may.
    *(
        Step(
            source=source,
            target=Status.CANCELLED,
            permission=permission,
            event="order.cancelled",
            by_owner=by_owner,
            time_field="cancelled_at",
            person_field="cancelled_by",
            reason_field="cancel_reason",
        )
        for source, permission, by_owner in (
            (Status.PENDING, CANCEL, True),
            (Status.CONFIRMED, CANCEL, True),
            (Status.COOKING, CANCEL, False),
            (Status.READY, OVERSEE, False),
            (Status.DELIVERING, OVERSEE, False),
        )
    ),
)

# No step leads out of these, but the one that takes a hand-over back.
FINAL = frozenset(set(Status) - {step.source for step in STEPS if step.within is None})

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


def steps_from(source: Status) -> list[Step]:
    return [step for step in STEPS if step.source == source]


def next_on_main_path(
    status: Status,
    *,
    permission: str,
    fulfilment: str = Fulfilment.DELIVERY,
) -> Status | None:
    """The state that follows this one, if holders of the permission bring it on."""
    for step in steps_from(status):
        fits = step.only_for in (None, fulfilment) and step.permission == permission
        if fits and step.target in MAIN_PATH and not step.is_back:
            return step.target
    return None
