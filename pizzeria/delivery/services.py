"""What a driver does with an order; each driver with their own."""

from collections.abc import Collection
from datetime import datetime

from django.contrib.auth.models import User
from django.db.models import Max

from pizzeria.delivery.board import tour_of
from pizzeria.exceptions import TourFull
from pizzeria.orders.models import Order
from pizzeria.orders.services import move_order
from pizzeria.orders.transitions import Status
from pizzeria.roles import OVERSEE
from pizzeria.transactions import in_one_transaction

# As many as fit into one car, hot.
MAX_STOPS = 12


@in_one_transaction
def take(*, order_id: int, driver: User, now: datetime) -> Order:
    """
    Put a ready order at the end of the driver's tour.

    Of two drivers at the same moment one gets it; the other is told who.

    :raises Order.DoesNotExist: if there is no such order
    :raises PermissionDenied: if the person does not drive
    :raises StatusConflict: if it is not there to be taken
    :raises TourFull: if the driver has enough to carry
    """
    order = move_order(
        order_id=order_id,
        to=Status.DELIVERING,
        actor=driver,
        now=now,
        seen=Status.READY,
    )
    stops = tour_of(driver).exclude(pk=order.pk)
    if stops.count() >= MAX_STOPS:
        raise TourFull(limit=MAX_STOPS)
    last = stops.aggregate(last=Max("stop_number"))["last"]
    order.stop_number = (last or 0) + 1
    order.save(update_fields=["stop_number"])
    return order


@in_one_transaction
def take_all(*, order_ids: Collection[int], driver: User, now: datetime) -> list[Order]:
    """
    Put several orders on the tour, what has waited longest first; all, or none.

    :raises Order.DoesNotExist, PermissionDenied, StatusConflict, TourFull: as `take`
    """
    # Two who take the same ones lock them in the same order.
    found = Order.objects.select_for_update().filter(pk__in=order_ids).order_by("pk")
    orders = sorted(found, key=lambda order: (order.ready_at or now, order.pk))
    if len(orders) < len(set(order_ids)):
        raise Order.DoesNotExist
    return [take(order_id=order.pk, driver=driver, now=now) for order in orders]


def deliver(
    *,
    order_id: int,
    driver: User,
    now: datetime,
    handed_to: str = "",
    note: str = "",
) -> Order:
    """
    Hand an order over at the door, and keep how, as far as the driver says it.

    :raises Order.DoesNotExist: if the driver has no such order
    :raises StatusConflict: if it is not on its way any more
    """
    _require_own(order_id, driver)
    return move_order(
        order_id=order_id,
        to=Status.DELIVERED,
        actor=driver,
        now=now,
        reason=note,
        handed_to=handed_to,
        seen=Status.DELIVERING,
    )


def bring_back(*, order_id: int, driver: User, now: datetime, reason: str) -> Order:
    """
    Bring an order back that could not be handed over.

    :raises Order.DoesNotExist: if the driver has no such order
    :raises StatusConflict: if it is not on its way any more
    """
    _require_own(order_id, driver)
    return move_order(
        order_id=order_id,
        to=Status.READY,
        actor=driver,
        now=now,
        reason=reason,
        seen=Status.DELIVERING,
    )


def undo_delivery(*, order_id: int, driver: User, now: datetime) -> Order:
    """
    Say that an order was not handed over after all; it is on the tour again.

    :raises Order.DoesNotExist: if the driver had no such order
    :raises StatusConflict: if it was not handed over, or too long ago
    """
    _require_own(order_id, driver)
    return move_order(
        order_id=order_id,
        to=Status.DELIVERING,
        actor=driver,
        now=now,
        seen=Status.DELIVERED,
    )


@in_one_transaction
def move_stop(*, order_id: int, driver: User, by: int) -> None:
    """
    Move a stop towards the begin (-1) or the end (1) of the driver's own tour.

    At either end nothing changes.

    :raises Order.DoesNotExist: if it is no stop of the driver's tour
    """
    stops = list(tour_of(driver).select_for_update())
    place = next((i for i, x in enumerate(stops) if x.pk == order_id), None)
    if place is None:
        raise Order.DoesNotExist
    stops.insert(min(max(place + by, 0), len(stops) - 1), stops.pop(place))
    for number, stop in enumerate(stops, start=1):
        stop.stop_number = number
    Order.objects.bulk_update(stops, ["stop_number"])


def _require_own(order_id: int, driver: User) -> None:
    # Whose tour an order is on is nobody else's business: it is not there for them.
    order = Order.objects.get(pk=order_id)
    # One that was brought back, or handed over, is nobody's: the step says so.
    is_others = order.driver_id not in (None, driver.pk)
    if is_others and not driver.has_perm(OVERSEE):
        raise Order.DoesNotExist
