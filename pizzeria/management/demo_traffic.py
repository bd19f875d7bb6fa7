"""
Live traffic of the demo: its people order, cook and deliver through the services.

So every rule of the shop holds for it, and everybody who watches sees it happen.
"""

import random
import secrets
from contextlib import suppress
from datetime import datetime

from django.contrib.auth.models import User

from pizzeria.cart.lines import CartLine
from pizzeria.exceptions import Conflict
from pizzeria.management.demo_data import MARK, Cast
from pizzeria.menu.models import Pizza
from pizzeria.menu.pricing import Size
from pizzeria.menu.toppings import TOPPINGS
from pizzeria.orders.contact import Contact, PaymentMethod
from pizzeria.orders.models import Order
from pizzeria.orders.services import move_order, place_order
from pizzeria.orders.transitions import Status

_NEXT = {
    Status.PENDING: Status.CONFIRMED,
    Status.CONFIRMED: Status.COOKING,
    Status.COOKING: Status.READY,
    Status.READY: Status.DELIVERING,
    Status.DELIVERING: Status.DELIVERED,
}


def order_something(cast: Cast, chance: random.Random, *, now: datetime) -> Order:
    """Place an order of one of the demo's customers for what is to be had now."""
    number = chance.randrange(len(cast.customers))
    offered = [pizza for pizza in cast.pizzas if pizza.is_available]
    return place_order(
        customer=cast.customers[number],
        lines=[
            _line(chance.choice(offered), chance)
            for _ in range(chance.choices((1, 2, 3), (6, 3, 1))[0])
        ],
        contact=Contact(
            customer_phone=f"+3906{number:07}",
            customer_address=f"Via Roma {number % 90 + 1}, Roma",
            payment_method=chance.choice(list(PaymentMethod)),
        ),
        placed_at=now,
    )


def move_something(cast: Cast, chance: random.Random, *, now: datetime) -> Order | None:
    """
    Bring one of the demo's open orders a step on; None if there is none to bring.

    Orders of real people are left to real people.
    """
    waiting = Order.objects.filter(
        status__in=_NEXT, customer__username__startswith=f"{MARK}-customer-"
    ).order_by("placed_at")
    # The oldest ones, so that none is left behind.
    candidates = list(waiting[:5])
    chance.shuffle(candidates)
    for order in candidates:
        to = _NEXT[Status(order.status)]
        with suppress(Conflict):
            return move_order(
                order_id=order.pk, to=to, actor=_actor(order, to, cast, chance), now=now
            )
    return None


def _actor(order: Order, to: Status, cast: Cast, chance: random.Random) -> User:
    if to in {Status.COOKING, Status.READY}:
        return chance.choice(cast.cooks)
    return order.driver or chance.choice(cast.drivers)


def _line(pizza: Pizza, chance: random.Random) -> CartLine:
    return CartLine(
        secrets.token_urlsafe(12),
        pizza.pk,
        chance.choice(list(Size)),
        tuple(chance.sample(TOPPINGS, chance.choices((0, 1, 2), (7, 2, 1))[0])),
        chance.choices((1, 2), (8, 2))[0],
    )
