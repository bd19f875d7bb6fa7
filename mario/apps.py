from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig as DjangoAdminConfig


class MarioConfig(AppConfig):
    name = "mario"

    def ready(self) -> None:
        from mario import checks, streams, telling  # noqa: F401, PLC0415


class AdminConfig(DjangoAdminConfig):
    """Django's admin, entered through the realm instead of a password form."""

    default_site = "mario.admin_site.PizzeriaAdminSite"
