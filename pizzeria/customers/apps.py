from django.apps import AppConfig
from django.conf import settings
from django.db.models.signals import post_save, pre_save


class CustomersConfig(AppConfig):
    name = "pizzeria.customers"

    def ready(self) -> None:
        from pizzeria.customers import announcing  # noqa: PLC0415  # has models

        person = settings.AUTH_USER_MODEL
        pre_save.connect(announcing.note_details, sender=person)
        post_save.connect(announcing.register, sender=person)
