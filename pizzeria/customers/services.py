"""What is written when customers change what is known of them, or want it gone."""

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import User
from django.db.models import ProtectedError
from django.utils import timezone

from pizzeria.customers.announcing import announce, announcing_contact
from pizzeria.customers.models import (
    MAX_LABEL_LENGTH,
    Address,
    CustomerProfile,
    Favourite,
)
from pizzeria.events.services import forget
from pizzeria.events.types import EventType
from pizzeria.exceptions import AddressBookFull, OrderUnderWay, TooManyFavourites
from pizzeria.menu.models import Pizza
from pizzeria.orders.contact import Contact
from pizzeria.orders.models import Order
from pizzeria.orders.transitions import FINAL
from pizzeria.ratings.models import Rating
from pizzeria.transactions import in_one_transaction

MAX_ADDRESSES = 20
MAX_FAVOURITES = 100
ERASED_NAME = "A former customer"
_FIELDS = ("phone", "allergies", "payment_method", "fulfilment", "wants_mail")


@announcing_contact
def update_profile(*, user: User, fields: Mapping[str, Any]) -> CustomerProfile:
    """Set what is given, empty values included: a field can be cleared."""
    return _write_profile(user, fields)


@announcing_contact
def remember_contact(*, user: User, contact: Contact, keep_address: bool) -> None:
    """Keep what an order's customer told, so that nobody asks again."""
    told = {
        "phone": contact.customer_phone,
        "allergies": contact.allergies,
        "payment_method": contact.payment_method,
        "fulfilment": contact.fulfilment,
    }
    _write_profile(user, told)
    book = _locked_book(user)
    text = contact.customer_address
    is_known = any(address.text == text for address in book)
    if keep_address and text and not is_known and len(book) < MAX_ADDRESSES:
        label = text.split("\n", 1)[0].strip()[:MAX_LABEL_LENGTH] or "Address"
        Address.objects.create(user=user, label=label, text=text, is_default=not book)


@announcing_contact
def save_address(
    *,
    user: User,
    label: str,
    text: str,
    is_default: bool = False,
    address_id: int | None = None,
) -> Address:
    """
    Write a new entry of the address book, or an old one anew.

    :raises Address.DoesNotExist: if the user has no such entry
    :raises AddressBookFull: if there is no room for another
    """
    book = _locked_book(user)
    if address_id is None:
        if len(book) >= MAX_ADDRESSES:
            raise AddressBookFull(limit=MAX_ADDRESSES)
        address = Address(user=user)
    else:
        found = [address for address in book if address.pk == address_id]
        if not found:
            raise Address.DoesNotExist
        address = found[0]
    others = user.addresses.exclude(pk=address.pk)
    # The first is the default until another one is.
    address.is_default = is_default or not others.filter(is_default=True).exists()
    if address.is_default:
        others.update(is_default=False)
    address.label, address.text = label, text
    address.save()
    return address


@announcing_contact
def remove_address(*, user: User, address_id: int) -> None:
    """
    Take an entry out; if it was the default, the oldest one left is.

    :raises Address.DoesNotExist: if the user has no such entry
    """
    _locked_book(user)
    Address.objects.get(user=user, pk=address_id).delete()
    left = user.addresses.first()
    if left is not None and not left.is_default:
        left.is_default = True
        left.save(update_fields=["is_default"])


@in_one_transaction
def set_favourite(*, user: User, pizza: Pizza, is_favourite: bool) -> None:
    """
    Make a pizza one of the user's favourites, or no longer one.

    :raises TooManyFavourites: if there are so many that none stands out
    """
    _lock(user)
    mine = Favourite.objects.filter(user=user)
    if not is_favourite:
        mine.filter(pizza=pizza).delete()
        return
    if not mine.filter(pizza=pizza).exists():
        if mine.count() >= MAX_FAVOURITES:
            raise TooManyFavourites(limit=MAX_FAVOURITES)
        Favourite.objects.create(user=user, pizza=pizza)


@in_one_transaction
def erase_customer(*, user: User) -> int:
    """
    Forget the person, and keep the books: return how many orders are kept.

    The orders keep what was sold, when and for how much, and nothing of whom it was
    for. The account goes, and with it everything that belongs to it. The account at
    the identity provider is not this shop's to delete: who logs in again is new.

    :raises OrderUnderWay: if one of their orders is still on its way
    """
    _lock(user)
    orders = Order.objects.of(user).select_for_update()
    if orders.exclude(status__in=FINAL).exists():
        raise OrderUnderWay
    Rating.objects.filter(order__customer=user).delete()
    kept = orders.update(
        customer=None,
        customer_name=ERASED_NAME,
        customer_phone="",
        customer_address="",
        notes="",
        allergies="",
        cancel_reason="",
        return_reason="",
        delivery_note="",
        refund_reason="",
        idempotency_key="",
        request_digest="",
    )
    forget(kind="customer", subject=user.pk)
    # The number alone: what it belonged to is what is forgotten.
    announce(EventType.CUSTOMER_ERASED, user, {"erased_time": timezone.now()})
    try:
        user.delete()
    except ProtectedError as error:
        # Ordered between the look and the deletion.
        raise OrderUnderWay from error
    return kept


def _write_profile(user: User, fields: Mapping[str, Any]) -> CustomerProfile:
    profiles = CustomerProfile.objects.select_for_update()
    profile, _is_new = profiles.get_or_create(user=user)
    for name in _FIELDS:
        if name in fields:
            setattr(profile, name, fields[name])
    profile.save()
    return profile


def _locked_book(user: User) -> list[Address]:
    _lock(user)
    return list(user.addresses.all())


def _lock(user: User) -> None:
    """Let two windows of one person come one after the other (on PostgreSQL)."""
    User.objects.select_for_update().get(pk=user.pk)


def fields_of(profile: CustomerProfile) -> dict[str, Any]:
    """Say what a profile holds, for forms."""
    return {name: getattr(profile, name) for name in _FIELDS}
