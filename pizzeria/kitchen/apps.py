from django.apps import AppConfig


class KitchenConfig(AppConfig):
    name = "pizzeria.kitchen"

    def ready(self) -> None:
        from pizzeria.events.signals import event_recorded  # noqa: PLC0415
        from pizzeria.kitchen.services import forget_ticks  # noqa: PLC0415

        event_recorded.connect(forget_ticks, dispatch_uid="pizzeria.kitchen")
