"""What cooks and managers write: ticks, places in the oven, cancellations they saw."""

from datetime import datetime

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied

from pizzeria.events.services import Event, record
from pizzeria.events.types import EventType
from pizzeria.exceptions import StatusConflict
from pizzeria.kitchen.models import MAX_CAPACITY, Assignment, Kitchen
from pizzeria.orders.models import Order, OrderLine, full_name
from pizzeria.orders.services import move_order
from pizzeria.orders.transitions import Status
from pizzeria.roles import COOK, OVERSEE
from pizzeria.transactions import in_one_transaction


@in_one_transaction
def tick_line(
    *, order_id: int, line_id: int, is_ticked: bool, actor: User, now: datetime
) -> Order:
    """
    Tick a line off, or on again; with the last one the order is ready.

    :raises Order.DoesNotExist: if there is no such order
    :raises OrderLine.DoesNotExist: if the order has no such line
    :raises PermissionDenied: if the actor does not cook
    :raises StatusConflict: if the order is not in the oven
    """
    if not actor.has_perm(COOK):
        raise PermissionDenied
    order = Order.objects.select_for_update().get(pk=order_id)
    line = order.lines.get(pk=line_id)
    if order.status != Status.COOKING:
        raise StatusConflict(
            f"Order {order.pk} is {order.stage_label.lower()}: "
            "only what is in the oven is ticked off.",
            order=order.pk,
            status=order.status,
        )
    if (line.ticked_at is not None) == is_ticked:
        return order
    line.ticked_at = now if is_ticked else None
    line.save(update_fields=["ticked_at"])
    record(
        event_type=EventType.KITCHEN_LINE_TICKED,
        subject=Kitchen.ONLY_ID,
        data={
            "order_id": str(order.pk),
            "line_item_id": line.cart_line_id,
            "is_ticked": is_ticked,
            "user_id": str(actor.pk),
        },
        occurred_at=now,
    )
    if not order.lines.filter(ticked_at=None).exists():
        return move_order(order_id=order.pk, to=Status.READY, actor=actor, now=now)
    return order


@in_one_transaction
def assign(*, order_id: int, cook: User | None, actor: User, now: datetime) -> Order:
    """
    Say whose an order is, or that it is nobody's; others may start it all the same.

    A cook takes what is nobody's and gives back their own; a manager says for all.

    :raises Order.DoesNotExist: if there is no such order
    :raises PermissionDenied: if it is not the actor's to say
    :raises StatusConflict: if it is another cook's, or done already
    """
    oversees = actor.has_perm(OVERSEE)
    if not actor.has_perm(COOK) or (cook not in (None, actor) and not oversees):
        raise PermissionDenied
    if cook is not None and not cook.has_perm(COOK):
        raise PermissionDenied
    order = Order.objects.select_for_update().get(pk=order_id)
    if order.status not in (Status.CONFIRMED, Status.COOKING):
        raise StatusConflict(
            f"Order {order.pk} is {order.stage_label.lower()}: it needs no cook.",
            order=order.pk,
            status=order.status,
        )
    known = Assignment.objects.filter(order=order).select_related("cook").first()
    former = known.cook if known else None
    if former == cook:
        return order
    if former is not None and former != actor and not oversees:
        raise StatusConflict(
            f"Order {order.pk} is {full_name(former)}’s already.",
            order=order.pk,
            status=order.status,
        )
    if cook is None:
        Assignment.objects.filter(order=order).delete()
    else:
        told = {"cook": cook, "assigned_at": now}
        Assignment.objects.update_or_create(order=order, defaults=told)
    record(
        event_type=EventType.KITCHEN_ORDER_ASSIGNED,
        subject=Kitchen.ONLY_ID,
        data={
            "order_id": str(order.pk),
            "cook_id": str(cook.pk) if cook else None,
            "cook_name": full_name(cook) if cook else None,
            "user_id": str(actor.pk),
        },
        occurred_at=now,
    )
    return order


def forget_ticks(event: Event, **_: object) -> None:
    """An order that comes back is made again from the first line."""
    if event.type in {EventType.ORDER_RECALLED, EventType.ORDER_COOKING_UNDONE}:
        OrderLine.objects.filter(order_id=int(event.subject)).update(ticked_at=None)


@in_one_transaction
def set_capacity(*, capacity: int, actor: User, now: datetime) -> Kitchen:
    """
    Say how many orders fit into the oven; what is in it already stays.

    :raises PermissionDenied: if the actor does not manage the kitchen
    """
    if not actor.has_perm(OVERSEE):
        raise PermissionDenied
    if not 1 <= capacity <= MAX_CAPACITY:
        raise ValueError(capacity)
    Kitchen.objects.get_or_create(pk=Kitchen.ONLY_ID)
    # Cooks who start an order count under the same lock.
    kitchen = Kitchen.objects.select_for_update().get(pk=Kitchen.ONLY_ID)
    former, kitchen.capacity = kitchen.capacity, capacity
    if former == capacity:
        return kitchen
    kitchen.save(update_fields=["capacity"])
    record(
        event_type=EventType.KITCHEN_CAPACITY_CHANGED,
        subject=Kitchen.ONLY_ID,
        data={
            "old_capacity": former,
            "new_capacity": capacity,
            "user_id": str(actor.pk),
            "user_name": full_name(actor),
        },
        occurred_at=now,
    )
    return kitchen


@in_one_transaction
def take_note_of_cancellation(*, order_id: int, actor: User, now: datetime) -> Order:
    """
    Take a cancelled order off the board; a second time changes nothing.

    :raises Order.DoesNotExist: if there is no such order
    :raises PermissionDenied: if the actor does not cook
    :raises StatusConflict: if the order was not cancelled
    """
    if not actor.has_perm(COOK):
        raise PermissionDenied
    order = Order.objects.select_for_update().get(pk=order_id)
    if order.status != Status.CANCELLED:
        raise StatusConflict(
            f"Order {order.pk} was not cancelled: it is {order.stage_label.lower()}.",
            order=order.pk,
            status=order.status,
        )
    if order.cancelled_seen_at is None:
        order.cancelled_seen_at = now
        order.save(update_fields=["cancelled_seen_at"])
        record(
            event_type=EventType.KITCHEN_CANCELLATION_SEEN,
            subject=Kitchen.ONLY_ID,
            data={"order_id": str(order.pk), "user_id": str(actor.pk)},
            occurred_at=now,
        )
    return order
