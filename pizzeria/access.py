"""Who may see a page, with the way to the login for those who are not in yet."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate
from urllib.parse import urlencode

from django.contrib.auth.models import User
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import resolve_url
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.views import APIView


class HtmxRequest(HttpRequest):
    """A request after django-htmx's middleware has seen it."""

    htmx: HtmxDetails


class SignedInRequest(HtmxRequest):
    """A request behind `login_required`."""

    user: User


type View[**P] = Callable[Concatenate[HtmxRequest, P], HttpResponse]
type SignedInView[**P] = Callable[Concatenate[SignedInRequest, P], HttpResponse]


def login_required[**P](
    *, back_to: str = "", permission: str = ""
) -> Callable[[SignedInView[P]], View[P]]:
    """
    Send anonymous visitors to the login, and back to `back_to` or this page.

    A fragment's request cannot follow a redirect to another host, so htmx is told
    to move the whole page. With a permission, others who are logged in get a 403.
    """

    def decorate(view: SignedInView[P]) -> View[P]:
        @wraps(view)
        def guarded(
            request: HtmxRequest, /, *args: P.args, **kwargs: P.kwargs
        ) -> HttpResponse:
            if not request.user.is_authenticated:
                return to_login(request, back_to)
            if permission and not request.user.has_perm(permission):
                raise PermissionDenied
            return view(request, *args, **kwargs)  # type: ignore[arg-type]

        guarded.needs = permission  # type: ignore[attr-defined]  # for needs_of
        # For whom a login ends while the view is at work.
        guarded.back_to = back_to  # type: ignore[attr-defined]
        return guarded

    return decorate


class Permitted(BasePermission):
    """Let in who has one permission; a subclass names it."""

    needs: str

    def has_permission(self, request: Request, view: APIView) -> bool:
        return request.user.has_perm(self.needs)


def needs_of(view: Any) -> str | None:
    """
    Tell what a page or a part of the API asks of its caller.

    A permission's name; "" if a login will do; None if anybody is let in.
    """
    api_view = getattr(view, "cls", None)
    if api_view is None:
        needs: str | None = getattr(view, "needs", None)
        return needs
    asked = api_view.permission_classes
    named = [one.needs for one in asked if issubclass(one, Permitted)]
    return named[0] if named else (None if AllowAny in asked else "")


def by_token_only() -> list[type[BaseAuthentication]]:
    """Name the API's ways to know a caller, but not the one by the cookie's session."""
    # The settings' names stand for classes by then.
    ways: Any = api_settings.DEFAULT_AUTHENTICATION_CLASSES
    return [way for way in ways if not issubclass(way, SessionAuthentication)]


def to_login(request: HtmxRequest, back_to: str = "") -> HttpResponse:
    """Send a browser to the login, and back to `back_to` or this page."""
    if back_to:
        target = resolve_url(back_to)
    else:
        target = request.htmx.current_url_abs_path or request.get_full_path()
    if request.htmx:
        query = urlencode({"next": target})
        return HttpResponseClientRedirect(f"{resolve_url('login')}?{query}")
    return redirect_to_login(target, login_url="login")
