"""What customers think of what they ordered."""

from datetime import datetime

from django.contrib.auth.models import User

from pizzeria.events.services import record
from pizzeria.events.types import EventType
from pizzeria.exceptions import RatingClosed, StatusConflict
from pizzeria.orders.models import Order
from pizzeria.orders.transitions import Status
from pizzeria.ratings.models import Rating, is_rateable
from pizzeria.transactions import in_one_transaction


@in_one_transaction
def rate_order(
    *, order_id: int, customer: User, stars: int, words: str, now: datetime
) -> Rating:
    """
    Keep what the customer thought of an order; they may think again for a day.

    :raises Order.DoesNotExist: if it is not the customer's
    :raises StatusConflict: if it was not delivered
    :raises RatingClosed: if it was rated more than a day ago
    """
    order = Order.objects.of(customer).select_for_update().get(pk=order_id)
    if order.status != Status.DELIVERED:
        raise StatusConflict(
            f"Order {order.pk} is {order.stage_label.lower()}. You can rate it once "
            "you have it.",
            order=order.pk,
            status=order.status,
        )
    rating = Rating.of(order)
    if not is_rateable(order, rating, now=now):
        raise RatingClosed(order.pk)
    rating = rating or Rating(order=order, rated_at=now)
    rating.stars, rating.words = stars, words
    rating.cook_id, rating.driver_id = order.readied_by_id, order.driver_id
    rating.save()
    record(
        event_type=EventType.ORDER_RATED,
        subject=order.pk,
        # The words are for the restaurant alone.
        data={"stars": stars, "rated_time": rating.rated_at},
        occurred_at=now,
        about=order,
    )
    return rating
