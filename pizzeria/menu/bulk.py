"""What managers do to several pizzas at once: all of it, or nothing."""

from collections.abc import Mapping
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import models

from pizzeria.menu.models import Pizza
from pizzeria.menu.pricing import CENT
from pizzeria.menu.services import edit_pizza, restore_pizza, retire_pizza
from pizzeria.transactions import in_one_transaction

MOST_AT_ONCE = 200
LOWEST_PERCENT, HIGHEST_PERCENT = Decimal(-50), Decimal(100)


class BulkAction(models.TextChoices):
    SOLD_OUT = "sold_out", "Mark as sold out"
    AVAILABLE = "available", "Put on sale again"
    RETIRE = "retire", "Take off the menu"
    RESTORE = "restore", "Bring back"
    PRICE = "price", "Change the price"


@in_one_transaction
def change_many(
    *,
    action: BulkAction,
    versions: Mapping[int, int],
    actor: User,
    now: datetime,
    percent: Decimal | None = None,
) -> list[Pizza]:
    """
    Do one thing to each of these pizzas, given by number with the version seen.

    Each change has its history and its event, as if it were made alone; one that is
    so already has none.

    :raises Pizza.DoesNotExist: if there is no such pizza
    :raises MenuChanged: if somebody changed one since it was seen
    :raises ValidationError: if a price would be none
    :raises MenuFull: if there is no room for what is to come back
    """
    # One order of locks for all managers.
    locked = Pizza.objects.select_for_update().order_by("pk")
    pizzas = locked.in_bulk(versions)
    if len(pizzas) < len(versions):
        raise Pizza.DoesNotExist
    changed = []
    for pizza_id, version in sorted(versions.items()):
        seen: dict[str, Any] = {
            "pizza_id": pizza_id,
            "version": version,
            "actor": actor,
            "now": now,
        }
        if action is BulkAction.RETIRE:
            pizza = retire_pizza(**seen)
        elif action is BulkAction.RESTORE:
            pizza = restore_pizza(**seen)
        else:
            fields = _fields(action, pizzas[pizza_id], percent)
            pizza = _edit(fields, **seen)
        changed.append(pizza)
    return changed


def _fields(
    action: BulkAction, pizza: Pizza, percent: Decimal | None
) -> dict[str, Any]:
    if action is not BulkAction.PRICE:
        return {"is_available": action is BulkAction.AVAILABLE}
    if percent is None:
        raise ValidationError({"percent": "Say by how many percent."})
    price = pizza.base_price * (100 + percent) / 100
    price = price.quantize(CENT, rounding=ROUND_HALF_UP)
    return {"base_price": price}


def _edit(fields: dict[str, Any], **seen: Any) -> Pizza:
    try:
        return edit_pizza(fields=fields, **seen)
    except ValidationError as error:
        if "base_price" not in fields:
            raise
        why = f"A pizza would cost {fields['base_price']}, which is no price."
        raise ValidationError({"percent": why}) from error
