from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from pizzeria.notifications.models import Notification

# The badge says "99+" from there on, and counts no further.
_MOST = 100


def notifications(request: HttpRequest) -> dict[str, Any]:
    """Offer the number of unread notifications; a page that shows none asks nothing."""

    def unread() -> str:
        if not request.user.is_authenticated:
            return ""
        counted = Notification.objects.of(request.user).unread()[:_MOST].count()
        return "99+" if counted >= _MOST else str(counted or "")

    return {"unread_notifications": SimpleLazyObject(unread)}
