"""
What others are told when something happens to an order.

The one place where orders meet `pizzeria.events`: what is recorded here leaves by the
outbox, moves the boards and notifies people.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User

from pizzeria.events.services import Event, record_all
from pizzeria.events.types import EventType
from pizzeria.orders.models import Order, full_name

type _Data = dict[str, Any]


def announce(order: Order, event: str, *, actor: User | None, now: datetime) -> None:
    """Record the event of a step, and those that come with it."""
    event_type = EventType(f"{event}.v1")
    told = [(event_type, _DATA[event_type](order, actor, now))]
    if event_type is EventType.ORDER_CREATED:
        told += [(EventType.ORDER_PIZZA_ADDED, line) for line in _lines(order)]
    if event_type is EventType.ORDER_DELIVERY_STARTED:
        told.insert(0, (EventType.ORDER_DRIVER_ASSIGNED, _assigned(order, actor, now)))
    events = [
        Event(type=kind, subject=str(order.pk), data=data, occurred_at=now, about=order)
        for kind, data in told
    ]
    record_all(events + _of_the_customer(order, event_type, now))


def _of_the_customer(order: Order, event: EventType, now: datetime) -> list[Event]:
    kind = {
        EventType.ORDER_CREATED: EventType.CUSTOMER_ACTIVE_ORDER_ADDED,
        EventType.ORDER_DELIVERED: EventType.CUSTOMER_ACTIVE_ORDER_REMOVED,
        EventType.ORDER_DELIVERY_UNDONE: EventType.CUSTOMER_ACTIVE_ORDER_ADDED,
        EventType.ORDER_CANCELLED: EventType.CUSTOMER_ACTIVE_ORDER_REMOVED,
    }.get(event)
    if kind is None or order.customer_id is None:
        return []
    return [
        Event(
            type=kind,
            subject=str(order.customer_id),
            data={"order_id": str(order.pk)},
            occurred_at=now,
            about=order,
        )
    ]


def _lines(order: Order) -> list[_Data]:
    return [
        {
            "line_item_id": line.cart_line_id,
            "pizza_name": line.name,
            "pizza_size": line.size,
            "quantity": line.quantity,
            "price": line.total,
        }
        for line in order.lines.all()
    ]


def _by(actor: User | None) -> _Data:
    if actor is None:
        # The clock did it.
        return {"user_id": "", "user_name": ""}
    return {"user_id": str(actor.pk), "user_name": full_name(actor)}


def _created(order: Order, actor: User | None, now: datetime) -> _Data:
    return {
        "customer_id": str(order.customer_id),
        "order_time": order.placed_at,
        "fulfilment": order.fulfilment,
    }


def _confirmed(order: Order, actor: User | None, now: datetime) -> _Data:
    return {
        "confirmed_time": now,
        "total_amount": order.total_amount,
        "discount_amount": order.discount_amount,
        "voucher_code": order.voucher_code,
        "pizza_count": order.pizza_count,
    }


def _cooking(order: Order, actor: User | None, now: datetime) -> _Data:
    return {"cooking_started_time": now, **_by(actor)}


def _ready(order: Order, actor: User | None, now: datetime) -> _Data:
    return {
        "ready_time": now,
        "estimated_ready_time": order.promised_at,
        **_by(actor),
    }


def _undone(order: Order, actor: User | None, now: datetime) -> _Data:
    return {"undone_time": now, **_by(actor)}


def _assigned(order: Order, actor: User | None, now: datetime) -> _Data:
    return {"delivery_person_id": str(order.driver_id), "assignment_time": now}


def _on_the_way(order: Order, actor: User | None, now: datetime) -> _Data:
    return {"out_for_delivery_time": now}


def _returned(order: Order, actor: User | None, now: datetime) -> _Data:
    return {"returned_time": now, "reason": order.return_reason, **_by(actor)}


def _delivered(order: Order, actor: User | None, now: datetime) -> _Data:
    return {
        "delivered_time": now,
        "handed_to": order.handed_to,
        "note": order.delivery_note,
        **_by(actor),
    }


def _cancelled(order: Order, actor: User | None, now: datetime) -> _Data:
    return {"cancelled_time": now, "reason": order.cancel_reason, **_by(actor)}


def _refunded(order: Order, actor: User | None, now: datetime) -> _Data:
    return {
        "refunded_time": now,
        "amount": order.refunded_amount,
        "reason": order.refund_reason,
        **_by(actor),
    }


_DATA: dict[EventType, Callable[[Order, User | None, datetime], _Data]] = {
    EventType.ORDER_CREATED: _created,
    EventType.ORDER_CONFIRMED: _confirmed,
    EventType.ORDER_COOKING_STARTED: _cooking,
    EventType.ORDER_COOKING_UNDONE: _undone,
    EventType.ORDER_READY: _ready,
    EventType.ORDER_RECALLED: _undone,
    EventType.ORDER_DELIVERY_STARTED: _on_the_way,
    EventType.ORDER_DELIVERY_RETURNED: _returned,
    EventType.ORDER_DELIVERED: _delivered,
    EventType.ORDER_DELIVERY_UNDONE: _undone,
    EventType.ORDER_CANCELLED: _cancelled,
    EventType.ORDER_REFUNDED: _refunded,
}
