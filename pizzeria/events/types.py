"""
Everything that happens in the shop and that others are told.

The first word of a type names what it happened to; docs/events.md lists the data.
"""

from enum import StrEnum


class EventType(StrEnum):
    """The type of an event, without the prefix that names the shop."""

    ORDER_CREATED = "order.created.v1"
    ORDER_PIZZA_ADDED = "order.pizza.added.v1"
    ORDER_CONFIRMED = "order.confirmed.v1"
    ORDER_COOKING_STARTED = "order.cooking.started.v1"
    ORDER_COOKING_UNDONE = "order.cooking.undone.v1"
    ORDER_READY = "order.ready.v1"
    ORDER_RECALLED = "order.recalled.v1"
    ORDER_DRIVER_ASSIGNED = "order.delivery.driver.assigned.v1"
    ORDER_DELIVERY_STARTED = "order.delivery.started.v1"
    ORDER_DELIVERY_RETURNED = "order.delivery.returned.v1"
    ORDER_DELIVERED = "order.delivered.v1"
    ORDER_DELIVERY_UNDONE = "order.delivery.undone.v1"
    ORDER_CANCELLED = "order.cancelled.v1"
    ORDER_REFUNDED = "order.refunded.v1"
    ORDER_RATED = "order.rated.v1"

    CUSTOMER_REGISTERED = "customer.registered.v1"
    CUSTOMER_PROFILE_CREATED = "customer.profile.created.v1"
    CUSTOMER_PROFILE_LINKED = "customer.profile.linked.v1"
    CUSTOMER_DETAILS_UPDATED = "customer.details.updated.v1"
    CUSTOMER_CONTACT_UPDATED = "customer.contact.updated.v1"
    CUSTOMER_ERASED = "customer.erased.v1"
    CUSTOMER_ACTIVE_ORDER_ADDED = "customer.active.order.added.v1"
    CUSTOMER_ACTIVE_ORDER_REMOVED = "customer.active.order.removed.v1"
    CUSTOMER_NOTIFICATION_CREATED = "customer.notification.created.v1"
    CUSTOMER_NOTIFICATION_READ = "customer.notification.read.v1"
    CUSTOMER_NOTIFICATION_DISMISSED = "customer.notification.dismissed.v1"
    CUSTOMER_LOGGED_IN = "customer.logged.in.v1"
    CUSTOMER_LOGGED_OUT = "customer.logged.out.v1"

    PIZZA_CREATED = "pizza.created.v1"
    PIZZA_DETAILS_UPDATED = "pizza.details.updated.v1"
    PIZZA_PRICE_CHANGED = "pizza.price.changed.v1"
    PIZZA_TOPPINGS_UPDATED = "pizza.toppings.updated.v1"
    PIZZA_AVAILABILITY_CHANGED = "pizza.availability.changed.v1"
    PIZZA_RETIRED = "pizza.retired.v1"

    KITCHEN_CAPACITY_CHANGED = "kitchen.capacity.changed.v1"
    KITCHEN_ORDER_ASSIGNED = "kitchen.order.assigned.v1"
    KITCHEN_LINE_TICKED = "kitchen.line.ticked.v1"
    KITCHEN_CANCELLATION_SEEN = "kitchen.cancellation.seen.v1"

    RESTAURANT_RULES_CHANGED = "restaurant.rules.changed.v1"

    VOUCHER_SAVED = "voucher.saved.v1"

    @property
    def kind(self) -> str:
        """What it happened to: an order, a customer, a pizza, the restaurant."""
        return self.value.partition(".")[0]
