from importlib.util import find_spec
from typing import Any

from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in
from django.core.signals import setting_changed


class SessionsBackendConfig(AppConfig):
    name = "sessions_backend"
    verbose_name = "Sessions"

    def ready(self) -> None:
        from sessions_backend import checks  # noqa: F401, PLC0415  # registers them

        if find_spec("prometheus_client") is not None:
            from sessions_backend import metrics  # noqa: F401, PLC0415  # registers

        user_logged_in.connect(_restart_lifetime, dispatch_uid="sessions_backend")
        setting_changed.connect(_forget_settings, dispatch_uid="sessions_backend")


def _restart_lifetime(sender: object, request: Any, **kwargs: Any) -> None:
    # Another engine's session, or a request without one, has nothing to restart.
    restart = getattr(getattr(request, "session", None), "restart_lifetime", None)
    if restart is not None:
        restart()


def _forget_settings(sender: object, setting: str, **kwargs: Any) -> None:
    """Follow `override_settings`; a serving process never gets this signal."""
    from sessions_backend import conf, failover  # noqa: PLC0415  # after the registry

    if setting.startswith("SESSION_"):
        conf.load.cache_clear()
    if setting in failover.DECIDING_SETTINGS:
        failover.reset()
