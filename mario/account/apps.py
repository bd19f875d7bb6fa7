from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in

from mario.identity.signals import logged_out, login_refused, token_refused
from sessions_backend.signals import session_revoked


class AccountConfig(AppConfig):
    name = "mario.account"
    verbose_name = "Logins"

    def ready(self) -> None:
        from mario.account import audit, devices  # noqa: PLC0415  # have models

        for signal, receiver in (
            (user_logged_in, devices.note_login),
            (user_logged_in, audit.note_login),
            (login_refused, audit.note_refusal),
            (token_refused, audit.note_token),
            (logged_out, audit.note_logout),
            (session_revoked, audit.note_revocation),
        ):
            name = f"{receiver.__module__}.{receiver.__name__}"
            signal.connect(receiver, dispatch_uid=name)
