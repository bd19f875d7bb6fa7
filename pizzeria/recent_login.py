"""
Whether the person at the keyboard has shown lately who they are.

The one seam between pages that are worth more than a session and whoever knows about
logins: the session remembers when its login was, a token says it as `auth_time`.
"""

import time
from functools import wraps
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse

from pizzeria.access import SignedInRequest, SignedInView, to_login

RECENT_SECONDS = 10 * 60
_LOGGED_IN_AT = "logged_in_at"


def remember_login(*, request: HttpRequest | None, **_: object) -> None:
    """Note the time in the session that a login has just opened."""
    if request is not None and hasattr(request, "session"):
        request.session[_LOGGED_IN_AT] = int(time.time())


def is_login_recent(request: Any, *, now: float | None = None) -> bool:
    """Say whether the session's login, or the token's, is at most ten minutes old."""
    claims = getattr(request, "auth", None)
    told = claims.get("auth_time") if isinstance(claims, dict) else None
    if told is None and claims is None:
        told = request.session.get(_LOGGED_IN_AT)
    if not isinstance(told, int | float):
        return False
    age = (time.time() if now is None else now) - told
    return age + 60 >= 0 and age <= RECENT_SECONDS


def recent_login_required[**P](view: SignedInView[P]) -> SignedInView[P]:
    """Send whoever logged in long ago to the login, and back to this page."""

    @wraps(view)
    def guarded(
        request: SignedInRequest, /, *args: P.args, **kwargs: P.kwargs
    ) -> HttpResponse:
        if not is_login_recent(request):
            messages.info(
                request, "Please log in once more: this page asks for a fresh login."
            )
            return to_login(request)
        return view(request, *args, **kwargs)

    return guarded
