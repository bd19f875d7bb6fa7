from typing import Any

from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from pizzeria.menu.models import Pizza
from sessions_backend import failover


@require_safe
def health(request: HttpRequest) -> JsonResponse:
    """Say that the process is alive, and ask nobody else."""
    return JsonResponse({"status": "alive"})


@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """
    Say whether the shop can serve, and which store keeps the sessions.

    503 while the menu is not seeded or the database or the chosen store does not
    answer. A shop whose sessions go on without Redis is ready and says `degraded`,
    since when, and how many changes Redis has not heard of.
    """
    checks: dict[str, Any] = {
        "database": _menu_is_seeded(),
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


def _menu_is_seeded() -> bool:
    try:
        with connection.cursor():
            return Pizza.objects.exists()
    except DatabaseError:
        return False
