from datetime import datetime, timedelta
from typing import Any

from django import template
from django.utils import timezone

register = template.Library()

# Time enough to finish what one is at.
_SOON = timedelta(minutes=30)


@register.simple_tag(takes_context=True)
def login_end(context: dict[str, Any]) -> dict[str, Any] | None:
    """Say when the login ends however busy it is, and whether that is soon."""
    request = context.get("request")
    if request is None or not request.user.is_authenticated:
        return None
    at: datetime | None = getattr(request.session, "expires_at", None)
    if at is None:
        return None
    return {"at": at, "warn_at": at - _SOON, "is_soon": timezone.now() >= at - _SOON}
