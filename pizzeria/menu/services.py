"""What is written when managers change the menu: each change with its history."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import User

from pizzeria.events.services import Event, record_all
from pizzeria.events.types import EventType
from pizzeria.exceptions import MenuChanged, MenuFull
from pizzeria.menu.models import MenuChange, Pizza
from pizzeria.menu.nutrition import FACTS
from pizzeria.transactions import in_one_transaction

# A menu is read whole, by people and programs.
MAX_PIZZAS = 200
# What a manager decides; everything else of a pizza follows.
EDITABLE = (
    "name",
    "description",
    "base_price",
    "category",
    "toppings",
    "more_allergens",
    "spice_level",
    "available_from",
    "available_until",
    *FACTS,
    "is_available",
)
# What has an event of its own is no detail.
_DETAILS = [
    name for name in EDITABLE if name not in {"base_price", "toppings", "is_available"}
]


@in_one_transaction
def add_pizza(*, fields: Mapping[str, Any], actor: User, now: datetime) -> Pizza:
    """
    Put a new pizza on the menu.

    :raises ValidationError: if a field is wrong, or the name is taken
    :raises MenuFull: if it holds as many as anybody reads
    """
    _refuse_if_full()
    pizza = Pizza(**{name: fields[name] for name in EDITABLE if name in fields})
    pizza.full_clean()
    pizza.save(force_insert=True)
    _remember(pizza, MenuChange.Action.ADDED, _state(pizza, None), actor, now)
    return pizza


@in_one_transaction
def edit_pizza(
    *,
    pizza_id: int,
    fields: Mapping[str, Any],
    actor: User,
    now: datetime,
    version: int | None = None,
) -> Pizza:
    """
    Change a pizza; what was ordered keeps the name and the price it had.

    :raises Pizza.DoesNotExist: if there is none
    :raises ValidationError: if a field is wrong, or the name is taken
    :raises MenuChanged: if somebody changed it since the version that was seen
    """
    pizza = _as_seen(pizza_id, version)
    before = _state(pizza, pizza)
    for name in EDITABLE:
        if name in fields:
            setattr(pizza, name, fields[name])
    pizza.full_clean()
    after = _state(pizza, pizza)
    changes = {
        name: [before[name], after[name]]
        for name in EDITABLE
        if before[name] != after[name]
    }
    if changes:
        _save(pizza)
        _remember(pizza, MenuChange.Action.EDITED, changes, actor, now)
    return pizza


@in_one_transaction
def retire_pizza(
    *, pizza_id: int, actor: User, now: datetime, version: int | None = None
) -> Pizza:
    """
    Take a pizza off the menu; orders that hold it stay as they are.

    :raises Pizza.DoesNotExist: if there is none
    :raises MenuChanged: if somebody changed it since the version that was seen
    """
    pizza = _as_seen(pizza_id, version)
    if not pizza.is_retired:
        pizza.retired_at = now
        _save(pizza)
        _remember(pizza, MenuChange.Action.RETIRED, {}, actor, now)
    return pizza


@in_one_transaction
def restore_pizza(
    *, pizza_id: int, actor: User, now: datetime, version: int | None = None
) -> Pizza:
    """
    Bring a retired pizza back.

    :raises Pizza.DoesNotExist: if there is none
    :raises MenuChanged: if somebody changed it since the version that was seen
    :raises MenuFull: if others took its place
    """
    pizza = _as_seen(pizza_id, version)
    if pizza.is_retired:
        _refuse_if_full()
        pizza.retired_at = None
        _save(pizza)
        _remember(pizza, MenuChange.Action.RESTORED, {}, actor, now)
    return pizza


def _as_seen(pizza_id: int, version: int | None) -> Pizza:
    pizza = Pizza.objects.select_for_update().get(pk=pizza_id)
    if version not in (None, pizza.version):
        raise MenuChanged(pizza.name, version=pizza.version)
    return pizza


def _refuse_if_full() -> None:
    if Pizza.objects.not_retired().count() >= MAX_PIZZAS:
        raise MenuFull(limit=MAX_PIZZAS)


def _save(pizza: Pizza) -> None:
    pizza.version += 1
    pizza.save()


def _state(pizza: Pizza, was: Pizza | None) -> dict[str, Any]:
    """Say what the fields hold; as pairs from nothing for a new pizza."""
    state = {name: _plain(getattr(pizza, name)) for name in EDITABLE}
    return state if was else {name: [None, value] for name, value in state.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value:.2f}"
    return list(value) if isinstance(value, list | tuple) else value


def _remember(
    pizza: Pizza,
    action: MenuChange.Action,
    changes: dict[str, Any],
    actor: User,
    now: datetime,
) -> None:
    _announce(pizza, action, changes, actor, now)
    MenuChange.objects.create(
        pizza=pizza,
        action=action,
        changes=changes,
        changed_by=actor,
        changed_by_name=actor.get_full_name() or actor.get_username(),
        changed_at=now,
    )


def _announce(
    pizza: Pizza,
    action: MenuChange.Action,
    changes: dict[str, Any],
    actor: User,
    now: datetime,
) -> None:
    """Record the events of a change; a new pizza's are all in one."""
    by = {"user_id": str(actor.pk)}
    told: list[tuple[EventType, dict[str, Any]]] = []
    if action is MenuChange.Action.ADDED:
        whole = {name: getattr(pizza, name) for name in EDITABLE}
        told.append((EventType.PIZZA_CREATED, whole))
    elif action is MenuChange.Action.RETIRED:
        told.append((EventType.PIZZA_RETIRED, {"retired_time": now}))
    elif action is MenuChange.Action.RESTORED:
        told.append((EventType.PIZZA_AVAILABILITY_CHANGED, _is_on_sale(pizza)))
    else:
        told += _edits(pizza, changes)
    record_all(
        [
            Event(
                type=kind,
                subject=str(pizza.pk),
                data={**by, **data},
                occurred_at=now,
                about=pizza,
            )
            for kind, data in told
        ]
    )


def _edits(
    pizza: Pizza, changes: dict[str, Any]
) -> list[tuple[EventType, dict[str, Any]]]:
    told: list[tuple[EventType, dict[str, Any]]] = []
    if changes.keys() & set(_DETAILS):
        details = {name: getattr(pizza, name) for name in _DETAILS}
        told.append((EventType.PIZZA_DETAILS_UPDATED, details))
    if "base_price" in changes:
        old, new = changes["base_price"]
        prices = {"old_price": old, "new_price": new}
        told.append((EventType.PIZZA_PRICE_CHANGED, prices))
    if "toppings" in changes:
        toppings = {"toppings": pizza.toppings}
        told.append((EventType.PIZZA_TOPPINGS_UPDATED, toppings))
    if "is_available" in changes:
        told.append((EventType.PIZZA_AVAILABILITY_CHANGED, _is_on_sale(pizza)))
    return told


def _is_on_sale(pizza: Pizza) -> dict[str, Any]:
    return {"is_available": pizza.is_available and not pizza.is_retired}
