from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.db.models.signals import post_save


class CustomersConfig(AppConfig):
    name = "pizzeria.customers"

    def ready(self) -> None:
        post_save.connect(_make_profile, sender=settings.AUTH_USER_MODEL)


def _make_profile(*, instance: Any, created: bool, raw: bool, **_: object) -> None:
    """Make the profile of a person when they are seen first, however they came."""
    from pizzeria.customers.models import CustomerProfile  # noqa: PLC0415

    if created and not raw:
        CustomerProfile.objects.create(user=instance)
