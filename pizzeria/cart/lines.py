"""One added pizza as the session keeps it, and the row that equal ones share."""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

from pizzeria.menu.models import Pizza
from pizzeria.menu.pricing import Size
from pizzeria.menu.toppings import TOPPINGS

MAX_QUANTITY = 99

_LINE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LARGEST_ID = 2**63 - 1


@dataclass(frozen=True)
class CartLine:
    """What one click added: it has an id of its own, and is ordered at most once."""

    line_id: str
    pizza_id: int
    size: Size
    extra_toppings: tuple[str, ...]
    quantity: int

    @classmethod
    def from_session(cls, line_id: Any, record: Any) -> "CartLine | None":
        """Read what the session holds, or answer None if it is no line of a cart."""
        if not (isinstance(line_id, str) and _LINE_ID.fullmatch(line_id)):
            return None
        if not isinstance(record, dict):
            return None
        toppings = record.get("extra_toppings", [])
        if not (
            _is_number_up_to(_LARGEST_ID, record.get("pizza"))
            and _is_number_up_to(MAX_QUANTITY, record.get("quantity"))
            and record.get("size") in Size.values
            and isinstance(toppings, list)
            and all(topping in TOPPINGS for topping in toppings)
        ):
            return None
        return cls(
            line_id=line_id,
            pizza_id=record["pizza"],
            size=Size(record["size"]),
            extra_toppings=sorted_toppings(toppings),
            quantity=record["quantity"],
        )

    def for_session(self) -> dict[str, Any]:
        return {
            "pizza": self.pizza_id,
            "size": self.size.value,
            "extra_toppings": list(self.extra_toppings),
            "quantity": self.quantity,
        }

    @cached_property
    def row_key(self) -> str:
        """The same for lines that hold the same thing; fit for an address."""
        what = [self.pizza_id, self.size.value, *self.extra_toppings]
        return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class CartRow:
    """Equal lines of a cart, summed for people."""

    pizza: Pizza
    lines: tuple[CartLine, ...]

    @property
    def key(self) -> str:
        return self.lines[0].row_key

    @property
    def size(self) -> Size:
        return self.lines[0].size

    @property
    def extra_toppings(self) -> list[str]:
        return list(self.lines[0].extra_toppings)

    @property
    def is_available(self) -> bool:
        return self.pizza.is_on_sale

    @property
    def quantity(self) -> int:
        return sum(line.quantity for line in self.lines)

    @property
    def unit_price(self) -> Decimal:
        return self.pizza.unit_price(self.size, self.lines[0].extra_toppings)

    @property
    def total(self) -> Decimal:
        return self.unit_price * self.quantity


def sorted_toppings(toppings: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(toppings)))


def _is_number_up_to(largest: int, value: Any) -> bool:
    # JSON's true is a number for Python.
    return type(value) is int and 1 <= value <= largest
