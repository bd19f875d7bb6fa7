"""What managers write about vouchers, and the taking of one."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from pizzeria.events.services import record
from pizzeria.events.types import EventType
from pizzeria.exceptions import VoucherRefused
from pizzeria.orders.models import Order, full_name
from pizzeria.orders.transitions import Status
from pizzeria.roles import CHANGE_VOUCHERS
from pizzeria.seen import refuse_if_changed
from pizzeria.transactions import in_one_transaction
from pizzeria.vouchers.models import Voucher, written


@in_one_transaction
def save_voucher(
    *,
    fields: Mapping[str, Any],
    actor: User,
    now: datetime,
    voucher_id: int | None = None,
    seen: str = "",
) -> Voucher:
    """
    Make a voucher, or change one; what was ordered with it stays.

    :raises Voucher.DoesNotExist: if there is none of this id
    :raises ValidationError: if it makes no sense, or its code is taken
    :raises PermissionDenied: if the actor does not manage vouchers
    :raises ChangedMeanwhile: if it is not what was `seen` any more
    """
    if not actor.has_perm(CHANGE_VOUCHERS):
        raise PermissionDenied
    voucher = Voucher()
    if voucher_id is not None:
        voucher = Voucher.objects.select_for_update().get(pk=voucher_id)
        refuse_if_changed(voucher, seen)
    changes = {
        name: [None if voucher_id is None else getattr(voucher, name), value]
        for name, value in fields.items()
        if voucher_id is None or getattr(voucher, name) != value
    }
    if not changes:
        return voucher
    for name, (_, value) in changes.items():
        setattr(voucher, name, value)
    voucher.code = written(voucher.code)
    voucher.full_clean()
    voucher.save()
    record(
        event_type=EventType.VOUCHER_SAVED,
        subject=voucher.pk,
        data={
            "code": voucher.code,
            "changes": changes,
            "user_id": str(actor.pk),
            "user_name": full_name(actor),
        },
        occurred_at=now,
    )
    return voucher


def find_voucher(
    code: str, *, customer: User | None, subtotal: Decimal, now: datetime
) -> Voucher:
    """
    Find the voucher of a code for whoever is about to order.

    It is not taken by that: somebody else may take its last use before.

    :raises VoucherRefused: if it is none, or none for this person and order now
    """
    voucher = Voucher.objects.filter(code=written(code)).first()
    return _checked(voucher, code, customer, subtotal, now)


def take_voucher(
    code: str, *, customer: User, subtotal: Decimal, now: datetime
) -> Voucher:
    """
    Take a voucher for an order that is placed in the same transaction.

    Until that ends nobody else counts its uses, so that two do not both take the last.

    :raises VoucherRefused: if it is none, or none for this person and order now
    """
    voucher = Voucher.objects.select_for_update().filter(code=written(code)).first()
    return _checked(voucher, code, customer, subtotal, now)


def _checked(
    voucher: Voucher | None,
    code: str,
    customer: User | None,
    subtotal: Decimal,
    now: datetime,
) -> Voucher:
    if voucher is None:
        raise VoucherRefused.unknown(code)
    voucher.check_terms(subtotal, day=timezone.localtime(now).date())
    sold = Order.objects.filter(voucher=voucher).exclude(status=Status.CANCELLED)
    if voucher.most_uses is not None and sold.count() >= voucher.most_uses:
        raise VoucherRefused("voucher_used_up", f"{voucher.code} is used up.")
    each = voucher.most_uses_each
    if customer and each and sold.filter(customer=customer).count() >= each:
        raise VoucherRefused("voucher_used", f"You have used {voucher.code} already.")
    return voucher
