from django.apps import AppConfig


class LiveConfig(AppConfig):
    name = "pizzeria.live"

    def ready(self) -> None:
        from pizzeria.events.signals import event_recorded  # noqa: PLC0415
        from pizzeria.live.telling import tell_the_pages  # noqa: PLC0415

        event_recorded.connect(tell_the_pages, dispatch_uid="pizzeria.live")
