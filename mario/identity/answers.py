"""How the login answers who asked: a page, htmx, or a program."""

from enum import Enum

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django_htmx.http import HttpResponseClientRedirect

from mario.identity.refresh import REST


class Client(Enum):
    PAGE = "a browser that shows what it gets"
    HTMX = "a fragment's request"
    PROGRAM = "a script's fetch, an event stream, an API client"


def client_of(request: HttpRequest) -> Client:
    """Tell who asks; only a page can be sent to Keycloak's own host."""
    if request.headers.get("HX-Request") == "true":
        return Client.HTMX
    accepted = request.headers.get("Accept", "")
    is_program = (
        request.headers.get("Sec-Fetch-Mode", "navigate") != "navigate"
        or request.headers.get("X-Requested-With") == "XMLHttpRequest"
        or ("text/html" not in accepted and _asks_for_data(accepted))
        or request.path_info.startswith("/api/")
    )
    return Client.PROGRAM if is_program else Client.PAGE


def _asks_for_data(accepted: str) -> bool:
    return "application/json" in accepted or "text/event-stream" in accepted


def login_needed(request: HttpRequest, address: str = "") -> HttpResponse | None:
    """
    Tell who cannot follow a redirect to Keycloak what to do; None for a page.

    The way in is the address; that of the request itself, if none is named.
    """
    address = address or request.get_full_path()
    client = client_of(request)
    if client is Client.HTMX:
        return HttpResponseClientRedirect(address)
    if client is Client.PROGRAM:
        response: HttpResponse = JsonResponse(
            {
                "code": "not_authenticated",
                "message": "Log in first.",
                "extra": {"login_url": address},
            },
            status=401,
        )
        response["WWW-Authenticate"] = 'Bearer realm="pizzeria"'
        return response
    return None


def login_cannot_be_renewed(request: HttpRequest) -> HttpResponse:
    """Say that the login is left as it is, and nothing was done."""
    response: HttpResponse
    if client_of(request) is Client.PAGE:
        response = render(request, "identity/renewal_failed.html", status=503)
    else:
        response = JsonResponse(
            {
                "code": "login_unavailable",
                "message": "Your login cannot be renewed right now. Nothing is lost, "
                "and nothing was done; please try again shortly.",
                "extra": {"retry_after": REST},
            },
            status=503,
        )
    response["Retry-After"] = str(REST)
    response["Cache-Control"] = "no-store"
    return response
