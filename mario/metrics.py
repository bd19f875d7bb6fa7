"""/metrics, also of several processes behind one address."""

import os

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    generate_latest,
    multiprocess,
)

from pizzeria.events.backlog import BacklogCollector
from pizzeria.management.metrics import OrdersCollector


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """
    Say what Prometheus asks for.

    Where the processes share PROMETHEUS_MULTIPROC_DIR, whoever is asked answers for all
    of them; what only the database knows is in no process's files.
    """
    registry = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        registry.register(BacklogCollector())
        registry.register(OrdersCollector())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
