"""What managers write about the restaurant, and what an order has to keep to."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied

from pizzeria.events.services import record
from pizzeria.events.types import EventType
from pizzeria.exceptions import BelowMinimum, Closed, DeliveryTooFar
from pizzeria.orders.models import full_name
from pizzeria.restaurant.area import covers, postcode_of
from pizzeria.restaurant.models import Restaurant
from pizzeria.roles import CHANGE_RULES
from pizzeria.seen import refuse_if_changed
from pizzeria.transactions import in_one_transaction


@in_one_transaction
def change_rules(
    *, fields: Mapping[str, Any], actor: User, now: datetime, seen: str = ""
) -> Restaurant:
    """
    Set what is given; orders that are placed already stay.

    :raises PermissionDenied: if the actor does not manage the restaurant
    :raises ChangedMeanwhile: if it is not what was `seen` any more
    """
    if not actor.has_perm(CHANGE_RULES):
        raise PermissionDenied
    Restaurant.objects.get_or_create(pk=Restaurant.ONLY_ID)
    restaurant = Restaurant.objects.select_for_update().get(pk=Restaurant.ONLY_ID)
    refuse_if_changed(restaurant, seen)
    changes = {
        name: [getattr(restaurant, name), value]
        for name, value in fields.items()
        if getattr(restaurant, name) != value
    }
    if not changes:
        return restaurant
    for name, (_, value) in changes.items():
        setattr(restaurant, name, value)
    restaurant.save(update_fields=changes)
    record(
        event_type=EventType.RESTAURANT_RULES_CHANGED,
        subject=Restaurant.ONLY_ID,
        data={
            "changes": changes,
            "user_id": str(actor.pk),
            "user_name": full_name(actor),
        },
        occurred_at=now,
    )
    return restaurant


def check_open(*, now: datetime, **kept: str) -> Restaurant:
    """:raises Closed: if it does not open before later, so that something is kept"""
    restaurant = Restaurant.the_one()
    opening = restaurant.opening_at(now)
    if not opening.is_open:
        raise Closed(opening.words, opens_at=opening.changes_at, **kept)
    return restaurant


def check_order(*, address: str, amount: Decimal, now: datetime) -> Restaurant:
    """
    Make sure that the restaurant takes such an order now; a pick-up has no address.

    Returns the restaurant, which may want to look at the order first.

    :raises Closed: if it does not open before later
    :raises BelowMinimum: if the pizzas of a delivery cost less than they have to
    :raises DeliveryTooFar: if the address is in no area that drivers go to
    """
    restaurant = check_open(now=now)
    if not address:
        return restaurant
    if amount < restaurant.delivery_minimum:
        raise BelowMinimum(amount=amount, minimum=restaurant.delivery_minimum)
    if restaurant.delivery_area:
        postcode = postcode_of(address)
        if postcode is None or not covers(restaurant.delivery_area, postcode):
            raise DeliveryTooFar(postcode, area=restaurant.delivery_area)
    return restaurant
