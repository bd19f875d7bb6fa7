from django.apps import AppConfig

from sessions_backend.signals import outage_ended, session_revoked


class IdentityConfig(AppConfig):
    name = "mario.identity"
    verbose_name = "identities"

    def ready(self) -> None:
        from mario.identity import logout  # noqa: PLC0415  # has models

        session_revoked.connect(logout.end_label, dispatch_uid="mario.identity")
        outage_ended.connect(logout.pay_owed, dispatch_uid="mario.identity")
