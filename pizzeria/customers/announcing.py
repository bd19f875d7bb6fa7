"""What others are told of people, in the transaction in which it happens."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from pizzeria.customers.models import Address, CustomerProfile
from pizzeria.events.services import record
from pizzeria.events.types import EventType
from pizzeria.orders.models import full_name
from pizzeria.transactions import in_one_transaction

# What the realm says of a person, and this shop shows.
_DETAILS = {"first_name", "last_name", "email"}


@transaction.atomic
def register(*, instance: User, created: bool, raw: bool, **_: object) -> None:
    """Make the profile of a person when they are seen first, however they came."""
    if not created or raw:
        return
    CustomerProfile.objects.create(user=instance)
    known = {
        **_details(instance),
        "phone": "",
        "address": "",
        "user_id": str(instance.pk),
        # By a login at a page, by a token, or by the shop's own hand.
        "source": getattr(instance, "came_by", "shop"),
    }
    announce(EventType.CUSTOMER_REGISTERED, instance, known)
    announce(EventType.CUSTOMER_PROFILE_CREATED, instance, known)


@transaction.atomic
def note_details(
    *, instance: User, raw: bool, update_fields: frozenset[str] | None, **_: object
) -> None:
    """Tell of another name or e-mail address, just before it is stored."""
    to_store = _DETAILS & (_DETAILS if update_fields is None else update_fields)
    # Who is made with a number of their own choice is not found, either.
    if raw or not to_store:
        return
    stored = User.objects.filter(pk=instance.pk).values(*to_store).first()
    if stored and any(getattr(instance, name) != stored[name] for name in to_store):
        announce(EventType.CUSTOMER_DETAILS_UPDATED, instance, _details(instance))


def announcing_contact[Result, **Given](
    change: Callable[Given, Result],
) -> Callable[Given, Result]:
    """Let a change of what is kept of a `user` tell of a new phone or address."""

    @in_one_transaction
    @wraps(change)
    @transaction.atomic
    def change_and_tell(*args: Given.args, **kwargs: Given.kwargs) -> Result:
        user: Any = kwargs["user"]
        before = _contact(user)
        result = change(*args, **kwargs)
        after = _contact(user)
        if after != before:
            announce(EventType.CUSTOMER_CONTACT_UPDATED, user, after)
        return result

    return change_and_tell


def announce(event_type: EventType, user: User, data: dict[str, Any]) -> None:
    record(
        event_type=event_type, subject=user.pk, data=data, occurred_at=timezone.now()
    )


def _details(user: User) -> dict[str, Any]:
    return {"name": full_name(user), "email": user.email}


def _contact(user: User) -> dict[str, Any]:
    phones = CustomerProfile.objects.filter(user=user).values_list("phone", flat=True)
    addresses = Address.objects.filter(user=user, is_default=True)
    address = addresses.values_list("text", flat=True).first()
    return {"phone": phones.first() or "", "address": address or ""}
