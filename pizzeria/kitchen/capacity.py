"""The places in the oven; `orders.services.move_order` asks here, and only it."""

from pizzeria.exceptions import KitchenFull
from pizzeria.kitchen.models import Kitchen
from pizzeria.orders.models import Order


def take_a_place() -> None:
    """
    Make sure that one more order fits into the oven.

    Called inside the transaction that starts the order: until its end nobody else
    counts, so that two cooks do not both take the last place.

    :raises KitchenFull: if every place is taken
    """
    Kitchen.objects.get_or_create(pk=Kitchen.ONLY_ID)
    kitchen = Kitchen.objects.select_for_update().get(pk=Kitchen.ONLY_ID)
    if Order.objects.cooking().count() >= kitchen.capacity:
        raise KitchenFull(capacity=kitchen.capacity)
