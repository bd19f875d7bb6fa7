"""
The cart: an object of the session that has a key for each line.

So adding from two tabs at once is never a conflict.
"""

import secrets
from collections.abc import Collection, Iterable
from dataclasses import replace
from decimal import Decimal
from functools import cached_property

from django.contrib.sessions.backends.base import SessionBase

from pizzeria.cart.lines import MAX_QUANTITY, CartLine, CartRow, sorted_toppings
from pizzeria.exceptions import (
    CartChanged,
    CartFull,
    CartRefused,
    PizzaSoldOut,
    TooManyOfOnePizza,
)
from pizzeria.menu.models import Pizza
from pizzeria.menu.pricing import Size

SESSION_KEY = "cart"
MAX_LINES = 50


class Cart:
    """
    What a visitor is about to order.

    Reading never changes the session, and what it holds that is no line of a cart
    is passed over.
    """

    def __init__(self, session: SessionBase) -> None:
        self._session = session

    @cached_property
    def lines(self) -> list[CartLine]:
        """What was added, in no promised order, as far as it can be understood."""
        stored = self._session.get(SESSION_KEY)
        if not isinstance(stored, dict):
            return []
        lines = (CartLine.from_session(*item) for item in stored.items())
        return [line for line in lines if line is not None]

    @cached_property
    def rows(self) -> list[CartRow]:
        """Equal lines as one row each, in the order of the menu."""
        menu = Pizza.objects.in_bulk({line.pizza_id for line in self.lines})
        equal: dict[str, list[CartLine]] = {}
        for line in self.lines:
            if line.pizza_id in menu:
                equal.setdefault(line.row_key, []).append(line)
        rows = [
            CartRow(menu[lines[0].pizza_id], tuple(lines)) for lines in equal.values()
        ]
        sizes = list(Size)
        return sorted(
            rows,
            key=lambda row: (row.pizza.pk, sizes.index(row.size), row.extra_toppings),
        )

    @property
    def count(self) -> int:
        """How many pizzas; asks no database, so that every page can show it."""
        return sum(line.quantity for line in self.lines)

    @property
    def total(self) -> Decimal:
        """What it costs together; what is sold out cannot be ordered nor charged."""
        prices = (row.total for row in self.rows if row.is_available)
        return sum(prices, Decimal("0.00"))

    @property
    def is_empty(self) -> bool:
        return not self.lines

    def row(self, key: str) -> CartRow | None:
        return next((row for row in self.rows if row.key == key), None)

    def add(
        self,
        *,
        pizza: Pizza,
        size: Size,
        quantity: int,
        extra_toppings: Iterable[str] = (),
    ) -> None:
        """
        Put pizzas into the cart, under a line id of their own.

        :raises PizzaSoldOut: if the pizza cannot be had today
        :raises CartRefused: if the pizza has one of the toppings anyway
        :raises TooManyOfOnePizza: if that would be more than one row may hold
        :raises CartFull: if there is no room for another line
        """
        line = CartLine(
            line_id=secrets.token_urlsafe(16),
            pizza_id=pizza.pk,
            size=size,
            extra_toppings=sorted_toppings(extra_toppings),
            quantity=quantity,
        )
        if not pizza.is_available:
            raise PizzaSoldOut(pizza.name)
        if superfluous := set(line.extra_toppings) & set(pizza.toppings):
            raise CartRefused(
                f"{pizza.name} comes with {' and '.join(sorted(superfluous))} already.",
                extra_toppings=sorted(superfluous),
            )
        equal = [other for other in self.lines if other.row_key == line.row_key]
        if sum(other.quantity for other in equal) + quantity > MAX_QUANTITY:
            raise TooManyOfOnePizza(pizza.name, limit=MAX_QUANTITY)
        if len(self.lines) < MAX_LINES:
            self._store([*self.lines, line])
        elif equal:
            # Somebody clicks instead of counting: the pizzas share a line.
            more = replace(equal[0], quantity=equal[0].quantity + quantity)
            self._store([more if x == equal[0] else x for x in self.lines])
        else:
            raise CartFull

    def set_quantity(self, row: CartRow, quantity: int) -> None:
        """
        Make the row hold this many; 0 removes it.

        :raises TooManyOfOnePizza: if that is more than one row may hold
        """
        if quantity > MAX_QUANTITY:
            raise TooManyOfOnePizza(row.pizza.name, limit=MAX_QUANTITY)
        gone = {line.line_id for line in row.lines}
        if quantity > 0:
            # One line stays, so that two who set it at once do not add up.
            gone.remove(row.lines[0].line_id)
        self._store(
            replace(line, quantity=quantity) if line == row.lines[0] else line
            for line in self.lines
            if line.line_id not in gone
        )

    def remove(self, row: CartRow) -> None:
        self.set_quantity(row, 0)

    def clear(self) -> None:
        self._store([])

    def discard(self, line_ids: Collection[str]) -> None:
        """Take out the lines of these ids and leave what was added meanwhile."""
        self._store(line for line in self.lines if line.line_id not in line_ids)

    def drop_stale_lines(self) -> None:
        """
        Take out what left the menu for good.

        :raises CartChanged: if there was something; the next call finds nothing
        """
        known = [line for row in self.rows for line in row.lines]
        if len(known) < len(self.lines):
            self._store(known)
            raise CartChanged

    def _store(self, lines: Iterable[CartLine]) -> None:
        kept = {line.line_id: line.for_session() for line in lines}
        if not kept and not self._session.get(SESSION_KEY):
            return
        # An empty object, never no key: removals of two tabs are told apart by line.
        self._session[SESSION_KEY] = kept
        for derived in ("lines", "rows"):
            self.__dict__.pop(derived, None)
