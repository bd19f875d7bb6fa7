"""What is written when somebody orders, and when an order moves on."""

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.utils import timezone

from pizzeria.cart.lines import CartLine
from pizzeria.exceptions import (
    CartChanged,
    EmptyOrder,
    KeyReused,
    OutOfSeason,
    PizzaSoldOut,
    PriceChanged,
    RefundRefused,
    StatusConflict,
)
from pizzeria.kitchen import capacity
from pizzeria.menu.models import Pizza
from pizzeria.orders.announcing import announce
from pizzeria.orders.contact import Contact
from pizzeria.orders.estimates import promise
from pizzeria.orders.models import MAX_REASON_LENGTH, Order, OrderLine, full_name
from pizzeria.orders.transitions import UNDO_WITHIN, Fulfilment, Status, Step, find_step
from pizzeria.restaurant import services as restaurant
from pizzeria.restaurant.models import Restaurant
from pizzeria.roles import REFUND
from pizzeria.transactions import in_one_transaction
from pizzeria.vouchers.services import take_voucher


@in_one_transaction
def place_order(  # noqa: PLR0913  # what a customer says at once
    *,
    customer: User,
    lines: Sequence[CartLine],
    contact: Contact,
    placed_at: datetime,
    seen_total: Decimal | None = None,
    key: str = "",
    voucher_code: str = "",
) -> Order:
    """
    Store the customer's order and send it to the kitchen.

    Names, toppings and prices are copied onto the lines: a later menu change
    leaves the bill alone. Each line of a cart is ordered once. Whoever sends the
    same lines again, or at the same moment, gets the order that is there.

    :raises EmptyOrder: if there is no line
    :raises PizzaSoldOut: if one of the pizzas cannot be had today
    :raises OutOfSeason: if one of them comes back another time
    :raises CartChanged: if a pizza left the menu, or only some of the lines are
        part of an earlier order
    :raises Closed, NotServed: if the restaurant takes no such order now
    :raises VoucherRefused: if the voucher is none for this order
    :raises PriceChanged: if it costs something else than the customer has seen
    :raises KeyReused: if the key named an order with other details
    """
    if not lines:
        raise EmptyOrder
    try:
        with transaction.atomic():
            earlier = order_of_key(
                customer=customer, key=key, contact=contact
            ) or _earlier_order(customer, lines)
            if earlier is not None:
                return earlier
            order, bill = _write_bill(customer, lines, contact, placed_at)
            _ask_the_restaurant(order)
            if voucher_code:
                _take_off(order, voucher_code, placed_at)
            order.idempotency_key = key
            order.request_digest = _digest(contact) if key else ""
            order.promised_at = promise(order, now=placed_at)
            if seen_total not in (None, order.total_amount):
                raise PriceChanged(order.total_amount)
            order.save(force_insert=True)
            OrderLine.objects.bulk_create(bill)
            announce(order, "order.created", actor=customer, now=placed_at)
            if order.confirmed_at:
                announce(order, "order.confirmed", actor=customer, now=placed_at)
            return order
    except IntegrityError:
        # The database's unique key has let somebody else's insert go first.
        earlier = order_of_key(
            customer=customer, key=key, contact=contact
        ) or _earlier_order(customer, lines)
        if earlier is None:
            raise
        return earlier


def order_of_key(*, customer: User, key: str, contact: Contact) -> Order | None:
    """
    Return the order that a request of this key placed already.

    :raises KeyReused: if that request had other details
    """
    if not key:
        return None
    order = Order.objects.of(customer).filter(idempotency_key=key).first()
    if order is not None and order.request_digest != _digest(contact):
        raise KeyReused(order.pk)
    return order


@in_one_transaction
def move_order(  # noqa: PLR0913  # what can be said of a step
    *,
    order_id: int,
    to: Status,
    actor: User,
    now: datetime,
    reason: str = "",
    handed_to: str = "",
    seen: Status | None = None,
) -> Order:
    """
    Bring the order to the next state of the transition table.

    The reason is kept where the step has a place for one: a cancellation, a return,
    a hand-over, which also keeps to whom (`HandedTo`).

    `seen` is the state that the actor saw when they decided: an old page must not undo
    what somebody else has done meanwhile.

    Of two who try at the same moment one succeeds; the other is told the state
    that the order is in by then.

    :raises Order.DoesNotExist: if there is no such order
    :raises PermissionDenied: if the step is not the actor's to take
    :raises StatusConflict: if no step leads there from where the order is, or it is
        too late for one
    :raises KitchenFull: if it is to be cooked and the oven has no place left
    """
    # PostgreSQL locks the row; SQLite's transactions, which begin IMMEDIATE, come
    # one after the other.
    order = Order.objects.select_for_update().get(pk=order_id)
    step = find_step(Status(order.status), to)
    if seen not in (None, order.status) or step is None or not order.allows(step):
        raise _conflict(order, to)
    if not order.lets(actor, step):
        raise PermissionDenied
    if not order.is_in_time(step, now=now):
        raise _too_late(order)
    if to is Status.COOKING:
        capacity.take_a_place()
    _take(step, order, actor, now, reason, handed_to)
    announce(order, step.event, actor=actor, now=now)
    return order


@in_one_transaction
def complete_pickups(*, now: datetime) -> list[int]:
    """
    Take for picked up what has been ready for longer than the restaurant waits.

    Nobody saw it go: it counts from when it was ready, and nobody handed it out.
    """
    waits = timedelta(hours=Restaurant.the_one().pickup_expires_hours)
    expired = Order.objects.select_for_update().filter(
        status=Status.READY, fulfilment=Fulfilment.PICKUP, ready_at__lte=now - waits
    )
    step = find_step(Status.READY, Status.DELIVERED)
    assert step is not None  # noqa: S101  # a line of the table
    completed = []
    for order in expired.order_by("pk"):
        _take(step, order, None, order.ready_at or now)
        announce(order, step.event, actor=None, now=now)
        completed.append(order.pk)
    return completed


@in_one_transaction
def refund_order(
    *, order_id: int, amount: Decimal, reason: str, actor: User, now: datetime
) -> Order:
    """
    Record that money was given back for an order that is over; once.

    :raises Order.DoesNotExist: if there is no such order
    :raises PermissionDenied: if the actor gives no money back
    :raises StatusConflict: if it is not over, or was refunded before
    :raises RefundRefused: if that is nothing, or more than was paid
    """
    if not actor.has_perm(REFUND):
        raise PermissionDenied
    order = Order.objects.select_for_update().get(pk=order_id)
    if not order.is_refundable:
        state = "refunded already" if order.refunded_at else order.stage_label.lower()
        raise StatusConflict(
            f"Order {order.pk} is {state}: money is given back once, for an order "
            "that was delivered or cancelled.",
            order=order.pk,
            status=order.status,
        )
    if not 0 < amount <= order.total_amount:
        raise RefundRefused(most=order.total_amount)
    changes = {
        "refunded_amount": amount,
        "refund_reason": reason[:MAX_REASON_LENGTH],
        "refunded_at": now,
        "refunded_by": actor,
    }
    for field, value in changes.items():
        setattr(order, field, value)
    order.save(update_fields=changes)
    announce(order, "order.refunded", actor=actor, now=now)
    return order


def _earlier_order(customer: User, lines: Sequence[CartLine]) -> Order | None:
    ids = {line.line_id for line in lines}
    ordered = OrderLine.objects.filter(cart_line_id__in=ids).select_related("order")
    found = {line.cart_line_id: line.order for line in ordered}
    if not found:
        return None
    orders = set(found.values())
    if len(orders) > 1 or found.keys() != ids or orders.pop().customer != customer:
        raise CartChanged(
            "Some of the pizzas in your cart are part of an earlier order already, "
            "and were taken out. Please look at what is left before you order.",
            line_ids=found.keys(),
        )
    return ordered[0].order


def _digest(contact: Contact) -> str:
    told = json.dumps(asdict(contact), sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()


def _write_bill(
    customer: User, lines: Sequence[CartLine], contact: Contact, placed_at: datetime
) -> tuple[Order, list[OrderLine]]:
    known = Pizza.objects.not_retired()
    menu = known.in_bulk({line.pizza_id for line in lines})
    if len(menu) < len({line.pizza_id for line in lines}):
        raise CartChanged
    _refuse_what_cannot_be_had(menu.values(), timezone.localdate(placed_at))
    order = Order(
        customer=customer,
        customer_name=full_name(customer),
        **asdict(contact),
        status=Status.CONFIRMED,
        placed_at=placed_at,
        confirmed_at=placed_at,
        vat_percent=settings.VAT_PERCENT,
    )
    bill = [_order_line(order, line, menu[line.pizza_id]) for line in lines]
    order.total_amount = sum((line.total for line in bill), Decimal("0.00"))
    return order, bill


def _ask_the_restaurant(order: Order) -> None:
    rules = restaurant.check_order(
        address=order.customer_address, amount=order.total_amount, now=order.placed_at
    )
    if rules.asks_approval:
        order.status, order.confirmed_at = Status.PENDING, None


def _take_off(order: Order, code: str, now: datetime) -> None:
    customer = order.customer
    assert customer is not None  # noqa: S101  # somebody places it
    subtotal = order.total_amount
    voucher = take_voucher(code, customer=customer, subtotal=subtotal, now=now)
    order.voucher, order.voucher_code = voucher, voucher.code
    order.discount_amount = voucher.discount(subtotal)
    order.total_amount = subtotal - order.discount_amount


def _refuse_what_cannot_be_had(pizzas: Collection[Pizza], day: date) -> None:
    if gone := [pizza.name for pizza in pizzas if not pizza.is_in_season(day)]:
        raise OutOfSeason(*sorted(gone))
    if sold_out := [pizza.name for pizza in pizzas if not pizza.is_available]:
        raise PizzaSoldOut(*sorted(sold_out))


def _order_line(order: Order, line: CartLine, pizza: Pizza) -> OrderLine:
    return OrderLine(
        order=order,
        cart_line_id=line.line_id,
        pizza=pizza,
        name=pizza.name,
        size=line.size,
        toppings=pizza.toppings,
        extra_toppings=list(line.extra_toppings),
        unit_price=pizza.unit_price(line.size, line.extra_toppings),
        quantity=line.quantity,
    )


def _take(  # as `move_order`
    step: Step,
    order: Order,
    actor: User | None,
    now: datetime,
    reason: str = "",
    handed_to: str = "",
) -> None:
    changes: dict[str, object] = {"status": step.target}
    as_new = Order()
    changes |= {field: getattr(as_new, field) for field in step.clears}
    if step.time_field:
        changes[step.time_field] = now
    if step.person_field:
        changes[step.person_field] = actor
    if step.reason_field:
        changes[step.reason_field] = reason[:MAX_REASON_LENGTH]
    if step.handover_field:
        changes[step.handover_field] = handed_to
    for field, value in changes.items():
        setattr(order, field, value)
    order.save(update_fields=changes)


def _conflict(order: Order, to: Status) -> StatusConflict:
    if order.status == to:
        message = f"Order {order.pk} is {_said(to)} already{_by_whom(order)}."
    else:
        message = (
            f"Order {order.pk} is {_said(Status(order.status))}. "
            f"From there it cannot be {_said(to)}."
        )
    return StatusConflict(message, order=order.pk, status=order.status)


def _too_late(order: Order) -> StatusConflict:
    minutes = int(UNDO_WITHIN.total_seconds() // 60)
    message = (
        f"Order {order.pk} is {order.stage_label.lower()}. "
        f"That can be taken back for {minutes} minutes, and not now."
    )
    return StatusConflict(message, order=order.pk, status=order.status)


def _said(status: Status) -> str:
    return status.label.lower()


def _by_whom(order: Order) -> str:
    people = {
        Status.COOKING: order.cooked_by,
        Status.READY: order.readied_by,
        Status.DELIVERING: order.driver,
        Status.DELIVERED: order.delivered_by,
    }
    person = people.get(Status(order.status))
    return f": {full_name(person)} was faster" if person else ""
