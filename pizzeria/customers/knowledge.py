"""What the shop knows of a customer: figures, and all of it for the customer."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Count, DecimalField, F, Q, Sum
from django.db.models.functions import Coalesce

from pizzeria.customers.models import profile_of
from pizzeria.customers.services import fields_of
from pizzeria.notifications.models import Notification
from pizzeria.orders.models import Order, OrderLine
from pizzeria.orders.transitions import FINAL, Status
from pizzeria.ratings.models import Rating

NEWS_SHOWN = 3
# From so many delivered orders on.
LOYALTY = {0: "Guest", 5: "Regular", 20: "Friend of the house", 50: "Family"}


@dataclass(frozen=True)
class Statistics:
    """A customer's orders in figures; cancelled ones are counted apart."""

    orders: int
    delivered: int
    cancelled: int
    spent: Decimal
    favourite_pizza: str | None

    @property
    def points(self) -> int:
        """One for each whole dollar of what was delivered and not given back."""
        return int(self.spent)

    @property
    def stage(self) -> str:
        return LOYALTY[max(n for n in LOYALTY if n <= self.delivered)]

    @property
    def orders_to_next_stage(self) -> int | None:
        """None on the last one."""
        return min(
            (n - self.delivered for n in LOYALTY if n > self.delivered), default=None
        )


def statistics_of(user: User) -> Statistics:
    """Count in the database; two queries, whatever the history."""
    is_delivered = Q(status=Status.DELIVERED)
    figures = Order.objects.of(user).aggregate(
        orders=Count("pk"),
        delivered=Count("pk", filter=is_delivered),
        cancelled=Count("pk", filter=Q(status=Status.CANCELLED)),
        spent=Sum(
            F("total_amount") - Coalesce("refunded_amount", Decimal(0)),
            filter=is_delivered,
            default=Decimal("0.00"),
            output_field=DecimalField(max_digits=14, decimal_places=2),
        ),
    )
    favourite = (
        OrderLine.objects.filter(order__customer=user)
        .exclude(order__status=Status.CANCELLED)
        .values("name")
        .annotate(eaten=Sum("quantity"))
        .order_by("-eaten", "name")
        .values_list("name", flat=True)
        .first()
    )
    return Statistics(**figures, favourite_pizza=favourite)


def latest_news(user: User) -> list[Notification]:
    return list(Notification.objects.of(user).kept()[:NEWS_SHOWN])


def current_orders(user: User) -> list[Order]:
    """List what is under way, newest first; more than twenty nobody eats."""
    orders = Order.objects.of(user).exclude(status__in=FINAL)
    return list(orders.with_lines()[:20])


def everything_about(user: User, *, now: datetime) -> dict[str, Any]:
    """Collect all that is stored of a person, as JSON can hold it."""
    return {
        "exported_at": now.isoformat(),
        "person": {
            "username": user.get_username(),
            "first_name": user.first_name,
            "last_name": user.last_name,
            "email": user.email,
            "joined_at": user.date_joined.isoformat(),
        },
        "profile": fields_of(profile_of(user)),
        "addresses": list(user.addresses.values("label", "text", "is_default")),
        "favourites": list(user.favourites.values_list("pizza__name", flat=True)),
        "notifications": [
            {
                "title": told.title,
                "message": told.message,
                "created_at": told.created_at.isoformat(),
                "read_at": _said(told.read_at),
            }
            for told in Notification.objects.filter(recipient=user)
        ],
        "orders": [
            _order(order)
            for order in Order.objects.of(user).with_lines().select_related("rating")
        ],
    }


_PLAIN = (
    "status",
    "fulfilment",
    "customer_name",
    "customer_phone",
    "customer_address",
    "payment_method",
    "voucher_code",
    "notes",
    "allergies",
    "cancel_reason",
    "return_reason",
    "handed_to",
    "delivery_note",
    "refund_reason",
)
_TIMES = (
    "placed_at",
    "promised_at",
    "confirmed_at",
    "cooking_at",
    "ready_at",
    "delivering_at",
    "returned_at",
    "delivered_at",
    "cancelled_at",
    "refunded_at",
)


def _order(order: Order) -> dict[str, Any]:
    return {
        "number": order.pk,
        "total_amount": str(order.total_amount),
        "discount_amount": str(order.discount_amount),
        "vat_percent": str(order.vat_percent),
        "refunded_amount": str(order.refunded_amount or "0.00"),
        **{name: getattr(order, name) for name in _PLAIN},
        **{name: _said(getattr(order, name)) for name in _TIMES},
        "rating": _rating(getattr(order, "rating", None)),
        "lines": [
            {
                "name": line.name,
                "size": line.size,
                "toppings": line.toppings,
                "extra_toppings": line.extra_toppings,
                "quantity": line.quantity,
                "unit_price": str(line.unit_price),
            }
            for line in order.lines.all()
        ],
    }


def _rating(rating: Rating | None) -> dict[str, Any] | None:
    if rating is None:
        return None
    return {
        "stars": rating.stars,
        "words": rating.words,
        "rated_at": rating.rated_at.isoformat(),
    }


def _said(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
