"""Which streams there are, who may have each, and what it brings."""

from dataclasses import dataclass

from django.contrib.auth.models import User

from pizzeria.events.services import Event
from pizzeria.events.types import EventType
from pizzeria.orders.models import Order
from pizzeria.roles import COOK, DELIVER, VIEW_FIGURES


@dataclass(frozen=True)
class Feed:
    """A stream: its topic beside the reader's own orders, and its permission."""

    topic: str | None
    permission: str | None

    def is_open_to(self, user: User) -> bool:
        return self.permission is None or user.has_perm(self.permission)

    def topics_for(self, user: User) -> frozenset[str]:
        own = topic_of_customer(user.pk)
        return frozenset({own} if self.topic is None else {own, self.topic})


FEEDS = {
    "orders": Feed(topic=None, permission=None),
    "kitchen": Feed(topic="kitchen", permission=COOK),
    "delivery": Feed(topic="delivery", permission=DELIVER),
    "management": Feed(topic="management", permission=VIEW_FIGURES),
}

# They come with others that say the same to a page, or no page shows them.
_SILENT = {
    EventType.ORDER_CREATED,
    EventType.ORDER_PIZZA_ADDED,
    EventType.ORDER_DRIVER_ASSIGNED,
    EventType.ORDER_RATED,
    EventType.CUSTOMER_ACTIVE_ORDER_ADDED,
    EventType.CUSTOMER_ACTIVE_ORDER_REMOVED,
    EventType.CUSTOMER_REGISTERED,
    EventType.CUSTOMER_PROFILE_CREATED,
    EventType.CUSTOMER_PROFILE_LINKED,
    EventType.CUSTOMER_LOGGED_IN,
    EventType.CUSTOMER_LOGGED_OUT,
}
_FOR_DRIVERS = {
    EventType.ORDER_READY,
    EventType.ORDER_RECALLED,
    EventType.ORDER_DELIVERY_STARTED,
    EventType.ORDER_DELIVERY_RETURNED,
    EventType.ORDER_DELIVERED,
    EventType.ORDER_DELIVERY_UNDONE,
    EventType.ORDER_CANCELLED,
}


def topic_of_customer(pk: object) -> str:
    return f"customer:{pk}"


def topics_of(event: Event) -> frozenset[str]:
    """Name the topics whose readers an event concerns; none, if no page shows it."""
    if event.type in _SILENT:
        return frozenset()
    if event.type.kind == "customer":
        return frozenset({topic_of_customer(event.subject), "management"})
    if event.type.kind == "pizza":
        return frozenset({"kitchen", "management"})
    topics = {"kitchen", "management"}
    if event.type in _FOR_DRIVERS:
        topics.add("delivery")
    if isinstance(event.about, Order) and event.about.customer_id is not None:
        topics.add(topic_of_customer(event.about.customer_id))
    return frozenset(topics)
