"""The authorization endpoint and the login form behind it."""

import json
import secrets
import sqlite3
import time
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from authlib.oauth2 import OAuth2Error
from authlib.oidc.core.errors import LoginRequiredError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from mario.devrealm import throttle
from mario.devrealm.pages import error_page, page
from mario.devrealm.provider import AuthorizationRequest, server
from mario.devrealm.realm_file import RealmUser
from mario.devrealm.runtime import realm
from mario.devrealm.sign_ins import SignIn

# Cookies do not know ports: names of the realm's own, beside the shop's.
IDENTITY_COOKIE = "DEVREALM_IDENTITY"
_BROWSER_COOKIE = "DEVREALM_BROWSER"
# The same words for a wrong name, a wrong password and a locked account.
_REFUSED = "Invalid username or password."
_TOO_LATE = "Your login attempt timed out. Please start again."


@require_http_methods(["GET", "POST"])
def authorize(request: HttpRequest) -> HttpResponse:
    """Answer at once whoever is signed in; show everybody else the form."""
    sign_in = realm().sign_ins.of_cookie(request.COOKIES.get(IDENTITY_COOKIE))
    params = request.GET.dict() | request.POST.dict()
    end_user = sign_in if _is_recent(sign_in, params.get("max_age", "")) else None
    try:
        grant = server().get_consent_grant(request, end_user=end_user)
        if end_user is None and "none" in params.get("prompt", "").split():
            raise LoginRequiredError(
                redirect_uri=grant.redirect_uri, state=params.get("state")
            )
    except OAuth2Error as error:
        if error.redirect_uri:
            return _response(server().handle_error_response(None, error))
        return error_page(error.description or error.error)
    except ValueError:
        # Authlib quotes the parameter in its error and refuses its characters.
        return error_page("Invalid Request")

    if end_user is None or grant.prompt == "login":
        return _ask_who(request, params, sign_in)
    return _give_code(params, end_user)


def register(request: HttpRequest) -> HttpResponse:
    """Refuse as Keycloak does where registration is off: the people are the file's."""
    del request
    return error_page("Registration not allowed")


@require_http_methods(["GET", "POST"])
def authenticate(request: HttpRequest) -> HttpResponse:
    """Check the password and go on with the request that was kept."""
    attempt = _attempt_of(request)
    if attempt is None:
        return error_page(_TOO_LATE)
    if request.method != "POST":
        return _form(request, attempt)

    already = realm().sign_ins.of_cookie(request.COOKIES.get(IDENTITY_COOKIE))
    # Whoever is asked for the password again cannot become somebody else.
    login = request.POST.get("username", "")
    if attempt["sid"] and already:
        login = already.user.username
    user = realm().file.user_by_login(login)
    password = request.POST.get("password", "")
    if user is None or not throttle.admits(
        user, is_right=user.is_enabled and user.has_password(password)
    ):
        return _form(request, attempt, error=_REFUSED, username=login)
    return _signed_in(attempt, user, already)


def _signed_in(
    attempt: sqlite3.Row, user: RealmUser, already: SignIn | None
) -> HttpResponse:
    """Go on as this person, in the sign-in this browser already has, if any."""
    if already and already.user != user:
        return error_page(
            f"You are already authenticated as different user "
            f"'{already.user.username}' in this session. Please sign out first."
        )
    if not realm().store.change("DELETE FROM attempt WHERE id = :id", id=attempt["id"]):
        return error_page(_TOO_LATE)
    params = json.loads(attempt["params"])
    if already:
        realm().sign_ins.authenticated_again(already.sid)
        fresh = replace(already, auth_time=int(time.time()), acr="1")
        return _give_code(params, fresh)
    sign_in, cookie = realm().sign_ins.begin(user)
    response = _give_code(params, sign_in)
    _set_cookie(response, IDENTITY_COOKIE, cookie)
    return response


def forget_cookie(response: HttpResponse) -> None:
    response.delete_cookie(IDENTITY_COOKIE, path=_cookie_path(), samesite="Lax")


def _is_recent(sign_in: SignIn | None, max_age: str) -> bool:
    if sign_in is None:
        return False
    return not max_age.isdecimal() or time.time() - sign_in.auth_time <= int(max_age)


def _ask_who(
    request: HttpRequest, params: dict[str, str], sign_in: SignIn | None
) -> HttpResponse:
    """Keep the request, bound to this browser, and show the form."""
    browser = request.COOKIES.get(_BROWSER_COOKIE) or secrets.token_urlsafe(18)
    store, now = realm().store, time.time()
    store.change(
        "DELETE FROM attempt WHERE started_at < :old",
        old=now - realm().file.seconds("accessCodeLifespanLogin"),
    )
    attempt = {
        "id": secrets.token_urlsafe(24),
        "browser": browser,
        "params": json.dumps(params),
        "sid": sign_in.sid if sign_in else None,
    }
    store.change(
        "INSERT INTO attempt VALUES (:id, :browser, :params, :sid, :now)",
        **attempt,
        now=now,
    )
    response = _form(request, attempt, username=params.get("login_hint", ""))
    _set_cookie(response, _BROWSER_COOKIE, browser)
    return response


def _attempt_of(request: HttpRequest) -> sqlite3.Row | None:
    """Return the kept request if this browser is the one that made it."""
    return realm().store.row(
        "SELECT * FROM attempt WHERE id = :id AND browser = :browser "
        "AND started_at > :oldest",
        id=request.GET.get("session_code", ""),
        browser=request.COOKIES.get(_BROWSER_COOKIE, ""),
        oldest=time.time() - realm().file.seconds("accessCodeLifespanLogin"),
    )


def _form(
    request: HttpRequest,
    attempt: sqlite3.Row | dict[str, Any],
    *,
    error: str = "",
    username: str = "",
) -> HttpResponse:
    params = json.loads(attempt["params"])
    query = urlencode({"session_code": attempt["id"], "client_id": params["client_id"]})
    known = realm().sign_ins.of_sid(attempt["sid"]) if attempt["sid"] else None
    context = {
        "action": f"{realm().issuer}/login-actions/authenticate?{query}",
        "error": error,
        "username": known.user.username if known else username,
        "is_known": known is not None,
        "people": realm().file.people,
    }
    return page(request, "login.html", context, form_targets=[params["redirect_uri"]])


def _give_code(params: dict[str, str], sign_in: SignIn) -> HttpResponse:
    request = AuthorizationRequest(params)
    grant = server().get_authorization_grant(request)
    response = server().create_authorization_response(
        request, grant_user=sign_in, grant=grant
    )
    realm().sign_ins.seen(sign_in.sid)
    return _response(response)


def _response(response: Any) -> HttpResponse:
    """Name the type that Authlib, untyped, does not tell."""
    named: HttpResponse = response
    return named


def _cookie_path() -> str:
    return f"/realms/{realm().file.name}/"


def _set_cookie(response: HttpResponse, name: str, value: str) -> None:
    response.set_cookie(
        name,
        value,
        path=_cookie_path(),
        httponly=True,
        samesite="Lax",
        secure=realm().environment.public_url.startswith("https:"),
    )
