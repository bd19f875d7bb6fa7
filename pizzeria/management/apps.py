from django.apps import AppConfig
from prometheus_client import REGISTRY


class ManagementConfig(AppConfig):
    name = "pizzeria.management"

    def ready(self) -> None:
        from pizzeria.events.signals import event_recorded  # noqa: PLC0415
        from pizzeria.management import metrics  # noqa: PLC0415  # needs the models

        event_recorded.connect(metrics.count)
        REGISTRY.register(metrics.OrdersCollector())
