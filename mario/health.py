import logging
from typing import Any

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from pizzeria.menu.models import Pizza
from sessions_backend import failover

logger = logging.getLogger(__name__)

_is_migrated = False


@require_safe
def health(request: HttpRequest) -> JsonResponse:
    """Say that the process is alive, and ask nobody else."""
    return JsonResponse({"status": "alive"})


@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """
    Say whether the shop can serve, and which store keeps the sessions.

    503 while migrations are pending, the menu is not seeded, or the database or the
    chosen store does not answer. A shop whose sessions go on without Redis is ready
    and says `degraded`, since when, and how many changes Redis has not heard of.
    """
    checks: dict[str, Any] = {
        "database": _is_prepared(),
        "sessions": failover.ping(),
    }
    is_ready = all(checks.values())
    return JsonResponse(
        {
            "ready": is_ready,
            "checks": checks,
            **failover.status(),
        },
        status=200 if is_ready else 503,
        headers={"Cache-Control": "no-store"},
    )


def _is_prepared() -> bool:
    try:
        return _has_every_migration() and Pizza.objects.exists()
    except DatabaseError as error:
        logger.warning("The database does not answer: %s", type(error).__name__)
        return False


def _has_every_migration() -> bool:
    """Ask until the answer is yes: this code's migrations do not become more."""
    global _is_migrated  # noqa: PLW0603  # a property of the process
    if not _is_migrated:
        executor = MigrationExecutor(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
        if plan:
            names = ", ".join(str(migration) for migration, _ in plan)
            logger.error("Run `manage.py migrate`: %s is not applied.", names)
        _is_migrated = not plan
    return _is_migrated
