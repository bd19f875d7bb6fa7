from django.apps import AppConfig


class IdentityConfig(AppConfig):
    name = "mario.identity"
    verbose_name = "identities"
