from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate

_WITH_PERMISSIONS = ("menu", "orders", "events", "management", "restaurant", "vouchers")


class PizzeriaConfig(AppConfig):
    name = "pizzeria"

    def ready(self) -> None:
        from pizzeria.roles import make_groups  # noqa: PLC0415  # needs the models

        # After each app's own permissions: Django's receiver was connected earlier.
        for label in _WITH_PERMISSIONS:
            post_migrate.connect(make_groups, sender=apps.get_app_config(label))
