"""
Things that matter ask for a login that is recent (OWASP ASVS 7.5.1 and 7.5.3).

A browser that is left open, or a stolen session, is not enough to take a role away or
to end somebody's logins: the password must have been typed within RECENT_LOGIN_SECONDS,
and at the level RECENT_LOGIN_ACR, where the settings name one.
"""

import time
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any, Concatenate
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django_htmx.http import HttpResponseClientRedirect

from mario.identity import login_session

CONFIRM = "Please log in once more, so that we know it is you. Then do it again."

type View[**P] = Callable[Concatenate[HttpRequest, P], HttpResponse]


def is_recent(request: HttpRequest, token: dict[str, Any] | None = None) -> bool:
    """
    Say whether the person of this request has logged in lately, and as asked.

    The claims of a bearer token, where there is one, count alone.
    """
    session = request.session
    return _is_recent(token or login_session.section(session, login_session.USER_INFO))


def recent_login_required[**P](view: View[P]) -> View[P]:
    """
    Send who logged in long ago to the login, and back to the page they come from.

    What they sent is not done then, and not kept: they are told to do it again. A
    program under /api/ is answered 403, `recent_login_required`.
    """

    @wraps(view)
    def guarded(
        request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs
    ) -> HttpResponse:
        if is_recent(request):
            return view(request, *args, **kwargs)
        return ask_again(request)

    return guarded


def ask_again(request: HttpRequest) -> HttpResponse:
    if request.path.startswith("/api/"):
        return JsonResponse(refusal(), status=HTTPStatus.FORBIDDEN)
    messages.info(request, CONFIRM)
    address = login_address(_page_of(request))
    if request.headers.get("HX-Request"):
        return HttpResponseClientRedirect(address)
    return HttpResponseRedirect(address)


def login_address(next_url: str) -> str:
    """Where a person proves who they are, and comes back from to `next_url`."""
    query = {"next": next_url, "max_age": settings.RECENT_LOGIN_SECONDS}
    if settings.RECENT_LOGIN_ACR:
        query["acr_values"] = settings.RECENT_LOGIN_ACR
    return f"{reverse('login')}?{urlencode(query)}"


def refusal() -> dict[str, Any]:
    return {
        "code": "recent_login_required",
        "message": CONFIRM,
        "extra": {"max_age_seconds": settings.RECENT_LOGIN_SECONDS},
    }


def _is_recent(claims: dict[str, Any]) -> bool:
    auth_time = claims.get("auth_time")
    return (
        type(auth_time) is int
        and time.time() - auth_time <= settings.RECENT_LOGIN_SECONDS
        # Keycloak lets a person leave a step out; who asked has to look.
        and settings.RECENT_LOGIN_ACR in ("", claims.get("acr"))
    )


def _page_of(request: HttpRequest) -> str:
    """The page to come back to: this one, or the one whose form was sent."""
    if request.method in {"GET", "HEAD"}:
        return request.get_full_path()
    referer = request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(
        referer, {request.get_host()}, require_https=request.is_secure()
    ):
        return "/"
    parts = urlsplit(referer)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
