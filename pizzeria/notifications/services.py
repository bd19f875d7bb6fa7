"""What people are told, of their orders above all, and what they do with it."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import User

from pizzeria.events.services import Event, record, record_all
from pizzeria.events.types import EventType
from pizzeria.notifications.models import Kind, Notification
from pizzeria.orders.models import Order
from pizzeria.transactions import in_one_transaction

# The account is made first; what the realm says of the person comes a moment later.
_UNTIL_THE_ADDRESS_IS_KNOWN = timedelta(seconds=10)

type _Words = Callable[[Order], tuple[Kind, str, str]]


def notify(event: Event, **_: object) -> None:
    """
    Tell the customer what happened to their order, in the transaction in which it did.

    Nobody is told what they did themselves.
    """
    if event.type is EventType.CUSTOMER_PROFILE_CREATED:
        _welcome(event)
        return
    order, words = event.about, _WORDS.get(event.type)
    if words is None or not isinstance(order, Order) or order.customer_id is None:
        return
    was_theirs = order.cancelled_by_id == order.customer_id
    if event.type is EventType.ORDER_CANCELLED and was_theirs:
        return
    if (
        event.type is EventType.ORDER_CONFIRMED
        and order.confirmed_at == order.placed_at
    ):
        # Nobody had to accept it.
        return
    kind, title, message = words(order)
    _tell(
        Notification(
            recipient_id=order.customer_id,
            kind=kind,
            title=title,
            message=message,
            order=order,
            created_at=event.occurred_at,
            mail_due_at=event.occurred_at,
        )
    )


def _welcome(event: Event) -> None:
    """Greet somebody at the first login, once; whom the shop itself made, it knows."""
    if event.data["source"] == "shop":
        return
    _tell(
        Notification(
            recipient_id=int(event.subject),
            kind=Kind.GENERAL,
            title="Welcome to Mario’s Pizzeria",
            message="Your orders, addresses and favourites are kept here from now on. "
            "Say in your profile what you like and what you cannot eat.",
            created_at=event.occurred_at,
            mail_due_at=event.occurred_at + _UNTIL_THE_ADDRESS_IS_KNOWN,
        )
    )


def _tell(told: Notification) -> None:
    if not settings.MAIL_SERVER:
        told.mail_due_at = None
    told.save(force_insert=True)
    about = {"order_id": str(told.order_id)} if told.order_id else {}
    record(
        event_type=EventType.CUSTOMER_NOTIFICATION_CREATED,
        subject=told.recipient_id,
        data={
            "notification_id": str(told.pk),
            "notification_type": told.kind,
            "title": told.title,
            "message": told.message,
            **about,
        },
        occurred_at=told.created_at,
    )


@in_one_transaction
def tell_all(
    *,
    people: Iterable[User],
    title: str,
    message: str,
    order: Order | None,
    now: datetime,
) -> None:
    """Tell each of the staff of something that asks for a look."""
    for person in people:
        _tell(
            Notification(
                recipient=person,
                kind=Kind.ALERT,
                title=title,
                message=message,
                order=order,
                created_at=now,
                mail_due_at=now,
            )
        )


@in_one_transaction
def mark_read(*, notification_id: int, person: User, now: datetime) -> Notification:
    """
    Note that it was read; a second time changes nothing.

    :raises Notification.DoesNotExist: if there is none of this person's
    """
    notification = _find(notification_id, person)
    if notification.read_at is None:
        notification.read_at = now
        notification.save(update_fields=["read_at"])
        record_all([_was_read(notification, now)])
    return notification


@in_one_transaction
def dismiss(*, notification_id: int, person: User, now: datetime) -> Notification:
    """
    Take it off the list for good; a second time changes nothing.

    :raises Notification.DoesNotExist: if there is none of this person's
    """
    notification = _find(notification_id, person)
    if notification.dismissed_at is None:
        notification.dismissed_at = now
        notification.save(update_fields=["dismissed_at"])
        record(
            event_type=EventType.CUSTOMER_NOTIFICATION_DISMISSED,
            subject=notification.recipient_id,
            data={"notification_id": str(notification.pk), "dismissed_time": now},
            occurred_at=now,
        )
    return notification


@in_one_transaction
def mark_all_read(*, person: User, now: datetime) -> int:
    """Note that all were read that nobody had read; return how many."""
    unread = list(Notification.objects.of(person).unread().select_for_update())
    Notification.objects.filter(pk__in=[told.pk for told in unread]).update(read_at=now)
    record_all([_was_read(told, now) for told in unread])
    return len(unread)


def _find(notification_id: int, person: User) -> Notification:
    mine = Notification.objects.of(person).select_for_update()
    return mine.get(pk=notification_id)


def _was_read(notification: Notification, now: datetime) -> Event:
    return Event(
        type=EventType.CUSTOMER_NOTIFICATION_READ,
        subject=str(notification.recipient_id),
        data={"notification_id": str(notification.pk), "read_time": now},
        occurred_at=now,
    )


def _accepted(order: Order) -> tuple[Kind, str, str]:
    return (
        Kind.GENERAL,
        f"Order {order.pk} is accepted",
        "The kitchen begins with your pizza soon.",
    )


def _cooking(order: Order) -> tuple[Kind, str, str]:
    return (
        Kind.COOKING_STARTED,
        f"Order {order.pk} is in the oven",
        "The kitchen has begun with your pizza.",
    )


def _ready(order: Order) -> tuple[Kind, str, str]:
    message = (
        "It waits for you at the counter."
        if order.is_pickup
        else "The next driver takes it along."
    )
    return Kind.READY, f"Order {order.pk} is ready", message


def _on_its_way(order: Order) -> tuple[Kind, str, str]:
    return (
        Kind.ON_ITS_WAY,
        f"Order {order.pk} is on its way",
        "Your driver has left the restaurant.",
    )


def _returned(order: Order) -> tuple[Kind, str, str]:
    reason = f": {order.return_reason}" if order.return_reason else "."
    return (
        Kind.RETURNED,
        f"Order {order.pk} could not be delivered",
        f"Your driver brought it back{reason} We will call you.",
    )


def _delivered(order: Order) -> tuple[Kind, str, str]:
    done = "picked up" if order.is_pickup else "delivered"
    how = order.handover_in_words
    message = f"{how.rstrip('.')}. Enjoy your pizza!" if how else "Enjoy your pizza!"
    return Kind.DELIVERED, f"Order {order.pk} was {done}", message


def _undone(order: Order) -> tuple[Kind, str, str]:
    done = "picked up" if order.is_pickup else "delivered"
    return (
        Kind.GENERAL,
        f"Order {order.pk} was not {done} yet",
        "Somebody here said so too soon. We are sorry; follow it on its page.",
    )


def _cancelled(order: Order) -> tuple[Kind, str, str]:
    reason = f" The reason: {order.cancel_reason}" if order.cancel_reason else ""
    return (
        Kind.CANCELLED,
        f"Order {order.pk} was cancelled",
        f"The restaurant had to cancel it; you pay nothing.{reason}",
    )


def _refunded(order: Order) -> tuple[Kind, str, str]:
    return (
        Kind.REFUNDED,
        f"Money back for order {order.pk}",
        f"You get ${order.refunded_amount:.2f} back. The reason: {order.refund_reason}",
    )


_WORDS: dict[EventType, _Words] = {
    EventType.ORDER_CONFIRMED: _accepted,
    EventType.ORDER_COOKING_STARTED: _cooking,
    EventType.ORDER_READY: _ready,
    EventType.ORDER_DELIVERY_STARTED: _on_its_way,
    EventType.ORDER_DELIVERY_RETURNED: _returned,
    EventType.ORDER_DELIVERED: _delivered,
    EventType.ORDER_DELIVERY_UNDONE: _undone,
    EventType.ORDER_CANCELLED: _cancelled,
    EventType.ORDER_REFUNDED: _refunded,
}
