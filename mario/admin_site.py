from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.csp import CSP
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.views.decorators.csp import csp_override
from unfold.sites import UnfoldAdminSite

from mario.settings.security import SECURE_CSP

# unfold's Alpine evaluates expressions and its templates carry inline scripts and
# styles (django-unfold 0.110). Nothing outside the admin may.
ADMIN_CSP: dict[str, list[str]] = {
    **SECURE_CSP,
    "script-src": [CSP.SELF, CSP.UNSAFE_EVAL, CSP.UNSAFE_INLINE],
    "style-src": [CSP.SELF, CSP.UNSAFE_INLINE],
}


# The shop's daily work, by the names of the admin's addresses, and the way out. All
# else that is sent there changes who may do what, ends sessions, or cannot be undone.
HARMLESS = ("menu_", "kitchen_", "notifications_", "logout")


def _recent_where_it_matters(
    view: Callable[..., HttpResponse],
) -> Callable[..., HttpResponse]:
    """Ask for a recent login before what is sent there is done."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        from mario.identity import recent_login  # noqa: PLC0415  # has models

        match = request.resolver_match
        name = (match and match.url_name) or ""
        matters = not name.startswith(HARMLESS)
        if request.method == "POST" and matters and not recent_login.is_recent(request):
            return recent_login.ask_again(request)
        return view(request, *args, **kwargs)

    return guarded


class PizzeriaAdminSite(UnfoldAdminSite):  # type: ignore[misc]  # unfold is untyped
    """The admin, whose one way in is the realm."""

    def admin_view(
        self, view: Callable[..., HttpResponse], cacheable: bool = False
    ) -> Callable[..., HttpResponse]:
        guarded: Callable[..., HttpResponse] = super().admin_view(
            _recent_where_it_matters(view), cacheable
        )
        return csp_override(ADMIN_CSP)(guarded)

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Send a visitor to the realm; tell somebody without the role so."""
        if request.user.is_authenticated:
            return render(request, "identity/not_staff.html", status=403)
        target = request.GET.get(REDIRECT_FIELD_NAME, "")
        if not url_has_allowed_host_and_scheme(
            target, {request.get_host()}, require_https=request.is_secure()
        ):
            target = reverse("admin:index")
        query = urlencode({REDIRECT_FIELD_NAME: target})
        return HttpResponseRedirect(f"{reverse('login')}?{query}")

    def logout(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Leave by the shop's own logout, which also ends the realm's session."""
        from mario.identity.logout_views import log_out  # noqa: PLC0415

        return log_out(request)
