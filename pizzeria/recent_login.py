"""
Whether the person at the keyboard has shown lately who they are.

The shop does not know how people log in: the setting RECENT_LOGIN names the module
that does. It has `is_recent(request)` and `login_address(next_url)`.
"""

from functools import wraps
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect

from pizzeria.access import SignedInRequest, SignedInView

_ONCE_MORE = "Please log in once more, so that we know it is you."


def is_login_recent(request: Any) -> bool:
    """Say whether the caller, of a page or of the API, logged in lately."""
    return bool(import_module(settings.RECENT_LOGIN).is_recent(request))


def recent_login_required[**P](view: SignedInView[P]) -> SignedInView[P]:
    """Send whoever logged in long ago to the login, and back to this page."""

    @wraps(view)
    def guarded(
        request: SignedInRequest, /, *args: P.args, **kwargs: P.kwargs
    ) -> HttpResponse:
        if is_login_recent(request):
            return view(request, *args, **kwargs)
        messages.info(request, _ONCE_MORE)
        logins = import_module(settings.RECENT_LOGIN)
        return redirect(logins.login_address(request.path))

    return guarded
