"""The journey from a cart to an order, the same for the page and the API."""

from datetime import datetime
from decimal import Decimal

from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import SessionBase

from pizzeria.cart.cart import Cart
from pizzeria.exceptions import CartChanged, EmptyOrder
from pizzeria.orders.contact import Contact
from pizzeria.orders.models import Order
from pizzeria.orders.services import place_order

_LAST_ORDER = "last_order"


def order_cart(
    *,
    session: SessionBase,
    customer: User,
    contact: Contact,
    placed_at: datetime,
    seen_total: Decimal | None = None,
) -> Order:
    """
    Order what is in the session's cart, and take just that out of the cart.

    :raises EmptyOrder: if the cart is empty; names the order that emptied it
    :raises PizzaSoldOut: if one of the pizzas is; the cart keeps everything
    :raises CartChanged: if part of the cart cannot be ordered; the rest is kept
    :raises PriceChanged: if it costs something else than the customer has seen
    """
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
        )
    except CartChanged as change:
        cart.discard(change.line_ids)
        raise
    cart.discard({line.line_id for line in lines})
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
