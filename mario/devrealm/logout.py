"""The end-session endpoint: at once with an ID token, else after asking."""

import hashlib
import hmac

from authlib.oauth2 import OAuth2Error
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from mario.devrealm.login import IDENTITY_COOKIE, forget_cookie
from mario.devrealm.pages import error_page, page
from mario.devrealm.provider import server, sign_out
from mario.devrealm.runtime import realm


@require_http_methods(["GET", "POST"])
def logout(request: HttpRequest) -> HttpResponse:
    """End the sign-in of the hint; without a hint, ask whoever is there."""
    return _answer(request, is_confirmed=False)


@require_POST
def confirm(request: HttpRequest) -> HttpResponse:
    """End the sign-in of this browser, asked for by the page that asked."""
    code = request.POST.get("session_code", "")
    if not hmac.compare_digest(code.encode(), _session_code(request).encode()):
        return error_page("This page has expired. Nobody was logged out.")
    return _answer(request, is_confirmed=True)


def _answer(request: HttpRequest, *, is_confirmed: bool) -> HttpResponse:
    try:
        asked = server().validate_endpoint_request("end_session", request)
    except OAuth2Error as error:
        return error_page(error.description or error.error)
    except ValueError:
        # Authlib's description quotes what it may not.
        return error_page("Invalid parameter: id_token_hint")

    sign_in = realm().sign_ins.of_cookie(request.COOKIES.get(IDENTITY_COOKIE))
    if asked.needs_confirmation and sign_in and not is_confirmed:
        return _ask(request)
    if asked.needs_confirmation and sign_in:
        sign_out(sign_in.sid)
    response: HttpResponse = server().create_endpoint_response(
        "end_session", asked
    ) or page(request, "logged_out.html")
    if sign_in and realm().sign_ins.of_sid(sign_in.sid) is None:
        forget_cookie(response)
    return response


def _ask(request: HttpRequest) -> HttpResponse:
    params = request.GET.dict() | request.POST.dict()
    address = params.get("post_logout_redirect_uri", "")
    kept = {
        name: params[name]
        for name in ("client_id", "post_logout_redirect_uri", "state")
        if name in params
    }
    context = {
        "action": reverse("logout_confirm"),
        "fields": kept | {"session_code": _session_code(request)},
    }
    return page(
        request,
        "logout.html",
        context,
        form_targets=[address] if address else [],
    )


def _session_code(request: HttpRequest) -> str:
    """Return what only a page of this realm can send back for this browser."""
    cookie = request.COOKIES.get(IDENTITY_COOKIE, "")
    return hashlib.sha256(f"logout {cookie}".encode()).hexdigest()
