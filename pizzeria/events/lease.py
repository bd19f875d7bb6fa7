"""Who may send: one relay at a time, however many are started."""

from datetime import datetime, timedelta

from django.db.models import Q

from pizzeria.events.models import RelayLease

# Longer than any single delivery takes; a relay that dies is replaced after it.
LIFE = timedelta(seconds=12)


def take(holder: str, *, now: datetime) -> bool:
    """Take or renew the lease; False while somebody else's has not ended."""
    RelayLease.objects.get_or_create(pk=RelayLease.ONLY_ID)
    is_free = Q(expires_at=None) | Q(expires_at__lte=now) | Q(holder=holder)
    # One statement: of two that ask at the same moment one finds it free.
    taken = RelayLease.objects.filter(is_free, pk=RelayLease.ONLY_ID).update(
        holder=holder, expires_at=now + LIFE
    )
    return taken == 1


def give_back(holder: str) -> None:
    RelayLease.objects.filter(pk=RelayLease.ONLY_ID, holder=holder).update(
        expires_at=None
    )
