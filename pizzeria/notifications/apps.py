from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "pizzeria.notifications"

    def ready(self) -> None:
        from pizzeria.events.signals import event_recorded  # noqa: PLC0415
        from pizzeria.notifications.services import notify  # noqa: PLC0415

        event_recorded.connect(notify, dispatch_uid="pizzeria.notifications")
