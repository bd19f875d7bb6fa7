"""
Logins and logouts as events of the shop.

The shop does not know how people log in, and the login nothing of the shop's events:
they meet here, in the transactions in which either writes down what happened.
"""

from typing import Any

from django.db import transaction
from django.db.models.signals import post_save
from django.dispatch import receiver

from mario.account.models import AuditEntry
from mario.identity.models import Identity
from pizzeria.events.services import record
from pizzeria.events.types import EventType

_LOGGED_OUT = (
    AuditEntry.Event.LOGOUT,
    AuditEntry.Event.PROVIDER_LOGOUT,
    AuditEntry.Event.REVOKED,
)


@receiver(post_save, sender=Identity)
@transaction.atomic
def tell_of_an_account(instance: Identity, created: bool, raw: bool, **_: Any) -> None:
    """Tell that a profile belongs to somebody's account at the realm."""
    if created and not raw:
        record(
            event_type=EventType.CUSTOMER_PROFILE_LINKED,
            subject=instance.user_id,
            data={
                "user_id": str(instance.user_id),
                "issuer": instance.issuer,
                "account": instance.subject,
            },
            occurred_at=instance.created_at,
        )


@receiver(post_save, sender=AuditEntry)
@transaction.atomic
def tell_who_came_and_went(
    instance: AuditEntry, created: bool, raw: bool, **_: Any
) -> None:
    if raw or not created or instance.user_id is None:
        return
    if instance.event == AuditEntry.Event.LOGIN:
        event_type, data = EventType.CUSTOMER_LOGGED_IN, {"login_time": instance.at}
    elif instance.event in _LOGGED_OUT:
        event_type, data = EventType.CUSTOMER_LOGGED_OUT, {"logout_time": instance.at}
    else:
        return
    record(
        event_type=event_type,
        subject=instance.user_id,
        data=data,
        occurred_at=instance.at,
    )
