"""The journey from a cart to an order, the same for the page and the API."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import SessionBase

from pizzeria.cart.cart import SESSION_KEY, VOUCHER_KEY, Cart
from pizzeria.exceptions import (
    CartChanged,
    CartRefused,
    EmptyOrder,
    NotAllBack,
    StatusConflict,
)
from pizzeria.menu.models import Pizza
from pizzeria.menu.pricing import Size
from pizzeria.menu.toppings import TOPPINGS
from pizzeria.orders.contact import Contact
from pizzeria.orders.models import Order
from pizzeria.orders.services import move_order, order_of_key, place_order
from pizzeria.orders.transitions import Status
from pizzeria.restaurant.services import check_open
from pizzeria.transactions import in_one_transaction

_LAST_ORDER = "last_order"
_TAKEN_BACK = "Taken back into the cart, to be changed."


def order_cart(
    *,
    session: SessionBase,
    customer: User,
    contact: Contact,
    placed_at: datetime,
    seen_total: Decimal | None = None,
    key: str = "",
) -> Order:
    """
    Order what is in the session's cart, and take just that out of the cart.

    :raises EmptyOrder: if the cart is empty; names the order that emptied it
    :raises PizzaSoldOut: if one of the pizzas is; the cart keeps everything
    :raises CartChanged: if part of the cart cannot be ordered; the rest is kept
    :raises Closed, NotServed: if the restaurant takes no such order now
    :raises VoucherRefused: if the cart's voucher is none for this order
    :raises PriceChanged: if it costs something else than the customer has seen
    :raises KeyReused: if the key named an order with other details
    """
    earlier = order_of_key(customer=customer, key=key, contact=contact)
    if earlier is not None:
        # A replay: what is in the cart by now is for another order.
        return earlier
    cart = Cart(session)
    cart.drop_stale_lines()
    lines = cart.lines
    if not lines:
        placed = last_order(session, customer)
        raise EmptyOrder(last_order=placed.pk) if placed else EmptyOrder
    try:
        order = place_order(
            customer=customer,
            lines=lines,
            contact=contact,
            placed_at=placed_at,
            seen_total=seen_total,
            key=key,
            voucher_code=cart.voucher_code,
        )
    except CartChanged as change:
        cart.discard(change.line_ids)
        raise
    cart.discard({line.line_id for line in lines})
    cart.forget_removed()
    cart.drop_voucher()
    session[_LAST_ORDER] = order.pk
    return order


def last_order(session: SessionBase, customer: User) -> Order | None:
    """
    Return the order that this session placed last.

    A second click arrives when the cart is empty already; this is what its browser
    is to show.
    """
    order_id = session.get(_LAST_ORDER)
    if not isinstance(order_id, int):
        return None
    return Order.objects.of(customer).filter(pk=order_id).first()


def take_back(
    *, session: SessionBase, order_id: int, customer: User, now: datetime
) -> Order:
    """
    Put an order back into the cart to be changed, and cancel it: both, or neither.

    What it holds comes at today's price, and its voucher comes along.

    :raises Order.DoesNotExist: if the customer has no such order
    :raises StatusConflict: if it is too late to cancel it
    :raises NotAllBack: if something of it cannot be had now; the order stays
    :raises Closed: if it could not be ordered anew now; the order stays
    """
    # On a tray, so that a try which fails leaves nothing in the cart.
    tray: Any = {}
    order = _move_to_tray(tray, session.get(SESSION_KEY), order_id, customer, now)
    session.update(tray)
    return order


@in_one_transaction
def _move_to_tray(
    tray: Any, in_cart: Any, order_id: int, customer: User, now: datetime
) -> Order:
    order = Order.objects.of(customer).select_for_update().get(pk=order_id)
    if not order.is_changeable_by(customer):
        raise StatusConflict(
            f"Order {order.pk} is {order.stage_label.lower()}: it can be changed only "
            "until the kitchen begins.",
            order=order.pk,
            status=order.status,
        )
    check_open(now=now, kept=f"Order {order.pk} stays as it is")
    tray[SESSION_KEY] = dict(in_cart) if isinstance(in_cart, dict) else {}
    if missing := reorder(session=tray, order=order):
        raise NotAllBack(order.pk, missing)
    if order.voucher_code:
        tray[VOUCHER_KEY] = order.voucher_code
    return move_order(
        order_id=order.pk,
        to=Status.CANCELLED,
        actor=customer,
        now=now,
        reason=_TAKEN_BACK,
    )


def reorder(*, session: SessionBase, order: Order) -> list[str]:
    """
    Put what an order held into the cart, and name what cannot be had any more.

    Each pizza comes at today's price. What does not fit beside what is in the cart
    already is named, too.
    """
    cart = Cart(session)
    missing = []
    lines = list(order.lines.all())
    menu = Pizza.objects.on_menu().in_bulk({line.pizza_id for line in lines})
    for line in lines:
        pizza = menu.get(line.pizza_id)
        if pizza is None:
            missing.append(line.name)
            continue
        # What is the pizza's own by now is no extra any more.
        extras = set(line.extra_toppings) & set(TOPPINGS) - set(pizza.toppings)
        try:
            cart.add(
                pizza=pizza,
                size=Size(line.size),
                quantity=line.quantity,
                extra_toppings=extras,
            )
        except CartRefused:
            missing.append(line.name)
    return sorted(set(missing))
