from django.apps import AppConfig


class EventsConfig(AppConfig):
    name = "pizzeria.events"

    def ready(self) -> None:
        from pizzeria.events import backlog  # noqa: PLC0415  # needs the models

        backlog.show_in_metrics()
