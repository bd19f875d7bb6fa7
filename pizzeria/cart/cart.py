"""
The cart: an object of the session that has a key for each line.

So adding from two tabs at once is never a conflict.
"""

import re
import secrets
from collections.abc import Collection, Iterable
from dataclasses import replace
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import SessionBase
from django.utils import timezone

from pizzeria.cart.lines import MAX_QUANTITY, CartLine, CartRow, sorted_toppings
from pizzeria.exceptions import (
    CartChanged,
    CartFull,
    CartRefused,
    OutOfSeason,
    PizzaSoldOut,
    TooManyOfOnePizza,
    VoucherRefused,
)
from pizzeria.menu.models import Pizza
from pizzeria.menu.pricing import Size, vat_contained
from pizzeria.vouchers.models import CODE, Voucher
from pizzeria.vouchers.services import find_voucher

SESSION_KEY = "cart"
REMOVED_KEY = "cart_removed"
VOUCHER_KEY = "cart_voucher"
MAX_LINES = 50


class Cart:
    """
    What a visitor is about to order.

    Reading never changes the session, and what it holds that is no line of a cart
    is passed over.
    """

    def __init__(
        self, session: SessionBase, *, menu: Iterable[Pizza] | None = None
    ) -> None:
        self._session = session
        self._menu = menu

    @cached_property
    def _pizzas(self) -> dict[int, Pizza]:
        """What did not retire of what the lines name; at most one query."""
        menu = self._menu
        if menu is None:
            ids = {line.pizza_id for line in [*self.lines, *self.removed]}
            menu = Pizza.objects.not_retired().filter(pk__in=ids) if ids else ()
        return {pizza.pk: pizza for pizza in menu}

    @cached_property
    def lines(self) -> list[CartLine]:
        """What was added, in no promised order, as far as it can be understood."""
        return _understood(self._session.get(SESSION_KEY))

    @cached_property
    def removed(self) -> list[CartLine]:
        """What was taken out last, and can be put back."""
        return _understood(self._session.get(REMOVED_KEY))

    @property
    def removed_names(self) -> list[str]:
        """Name what can be put back, in words for a button's sentence."""
        pizzas = (self._pizzas.get(line.pizza_id) for line in self.removed)
        return sorted({pizza.name for pizza in pizzas if pizza})

    @cached_property
    def rows(self) -> list[CartRow]:
        """Equal lines as one row each, in the order of the menu."""
        menu = self._pizzas
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
    def subtotal(self) -> Decimal:
        """What its pizzas cost; what is sold out cannot be ordered nor charged."""
        prices = (row.total for row in self.rows if row.is_available)
        return sum(prices, Decimal("0.00"))

    @property
    def voucher_code(self) -> str:
        code = self._session.get(VOUCHER_KEY)
        if isinstance(code, str) and re.fullmatch(CODE, code):
            return code
        return ""

    @cached_property
    def _voucher(self) -> Voucher | None:
        code = self.voucher_code
        return Voucher.objects.filter(code=code).first() if code else None

    @property
    def voucher_problem(self) -> str:
        """
        Why the voucher takes nothing off at this moment.

        Whether uses of it are left is asked when it is put in, and when it is ordered.
        """
        if not self.voucher_code:
            return ""
        try:
            if self._voucher is None:
                raise VoucherRefused.unknown(self.voucher_code)
            self._voucher.check_terms(self.subtotal, day=timezone.localdate())
        except VoucherRefused as refusal:
            return refusal.message
        return ""

    @property
    def discount(self) -> Decimal:
        """What the voucher takes off."""
        if self._voucher is None or self.voucher_problem:
            return Decimal("0.00")
        return self._voucher.discount(self.subtotal)

    @property
    def total(self) -> Decimal:
        """What is to be paid."""
        return self.subtotal - self.discount

    @property
    def vat(self) -> Decimal:
        """How much of that is tax."""
        return vat_contained(self.total, percent=settings.VAT_PERCENT)

    def put_in_voucher(self, code: str, *, customer: User | None) -> None:
        """
        Keep a voucher for the order that is made of this cart.

        :raises VoucherRefused: if it is none for this cart, or this person
        """
        voucher = find_voucher(
            code, customer=customer, subtotal=self.subtotal, now=timezone.now()
        )
        self._session[VOUCHER_KEY] = voucher.code
        self.__dict__["_voucher"] = voucher

    def drop_voucher(self) -> None:
        if self._session.get(VOUCHER_KEY):
            # No deletion of the key: what a session lacks, a merge may bring back.
            self._session[VOUCHER_KEY] = ""
        self.__dict__.pop("_voucher", None)

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
        :raises OutOfSeason: if it comes back another time
        :raises CartRefused: if the pizza has one of the toppings anyway
        :raises TooManyOfOnePizza: if that would be more than one row may hold
        :raises CartFull: if there is no room for another line
        """
        self._store(self._with(self.lines, pizza, size, quantity, extra_toppings))

    def replace(
        self,
        row: CartRow,
        *,
        size: Size,
        quantity: int,
        extra_toppings: Iterable[str] = (),
    ) -> None:
        """
        Make the row another size, with other toppings, or more of it.

        :raises CartRefused: as `add` does; the row is then as it was
        """
        others = [line for line in self.lines if line not in row.lines]
        self._store(self._with(others, row.pizza, size, quantity, extra_toppings))

    def _with(
        self,
        lines: list[CartLine],
        pizza: Pizza,
        size: Size,
        quantity: int,
        extra_toppings: Iterable[str],
    ) -> list[CartLine]:
        """Return the lines with one more, or say why it cannot be."""
        line = CartLine(
            line_id=secrets.token_urlsafe(16),
            pizza_id=pizza.pk,
            size=size,
            extra_toppings=sorted_toppings(extra_toppings),
            quantity=quantity,
        )
        if not pizza.is_in_season():
            raise OutOfSeason(pizza.name)
        if not pizza.is_available:
            raise PizzaSoldOut(pizza.name)
        if superfluous := set(line.extra_toppings) & set(pizza.toppings):
            raise CartRefused(
                f"{pizza.name} comes with {' and '.join(sorted(superfluous))} already.",
                extra_toppings=sorted(superfluous),
            )
        equal = [other for other in lines if other.row_key == line.row_key]
        if sum(other.quantity for other in equal) + quantity > MAX_QUANTITY:
            raise TooManyOfOnePizza(pizza.name, limit=MAX_QUANTITY)
        if len(lines) < MAX_LINES:
            return [*lines, line]
        if equal:
            # Somebody clicks instead of counting: the pizzas share a line.
            more = replace(equal[0], quantity=equal[0].quantity + quantity)
            return [more if other == equal[0] else other for other in lines]
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
        """Take the row out; until the next one is removed it can be put back."""
        self.set_quantity(row, 0)
        self._remember_removed(row.lines)

    def put_back(self) -> None:
        """
        Undo the last removal; once.

        :raises CartFull: if there is no room for it any more
        :raises TooManyOfOnePizza: if equal ones came meanwhile
        """
        back = [line for line in self.removed if line.pizza_id in self._pizzas]
        if not back:
            return
        ids = {line.line_id for line in back}
        lines = [line for line in self.lines if line.line_id not in ids]
        if len(lines) + len(back) > MAX_LINES:
            raise CartFull
        for line in back:
            equal = [x for x in [*lines, *back] if x.row_key == line.row_key]
            if sum(x.quantity for x in equal) > MAX_QUANTITY:
                name = self._pizzas[line.pizza_id].name
                raise TooManyOfOnePizza(name, limit=MAX_QUANTITY)
        self._store([*lines, *back])
        self.forget_removed()

    def forget_removed(self) -> None:
        if self._session.get(REMOVED_KEY):
            self._remember_removed(())

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
        for derived in ("lines", "rows", "_pizzas"):
            self.__dict__.pop(derived, None)

    def _remember_removed(self, lines: Iterable[CartLine]) -> None:
        self._session[REMOVED_KEY] = {x.line_id: x.for_session() for x in lines}
        self.__dict__.pop("removed", None)
        self.__dict__.pop("_pizzas", None)


def _understood(stored: Any) -> list[CartLine]:
    if not isinstance(stored, dict):
        return []
    lines = (CartLine.from_session(*item) for item in stored.items())
    return [line for line in lines if line is not None]
