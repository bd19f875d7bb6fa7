import logging
from http import HTTPStatus

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
)
from django.shortcuts import render
from django.utils.csp import CSP
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.csp import csp_override
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST, require_safe

from mario.identity import logout, validator
from mario.identity.exceptions import InvalidToken, ProviderUnavailable
from mario.identity.limits import limited
from mario.identity.signals import token_refused
from sessions_backend import budget
from sessions_backend.exceptions import StorageUnavailable

logger = logging.getLogger(__name__)

# Bytes; Keycloak's logout token has about 900.
MAX_BODY_SIZE = 16 * 1024
_RETRY_AFTER = 10
_FRAMED_BY_KEYCLOAK = {
    **settings.SECURE_CSP,
    "frame-ancestors": [CSP.SELF, settings.KEYCLOAK_ORIGIN],
}


@never_cache
@require_POST
def log_out(request: HttpRequest) -> HttpResponse:
    state = logout.new_state()
    response = HttpResponseRedirect(logout.log_out_here(request, state=state))
    logout.remember_state(response, state)
    # Never "cookies": that would reach Keycloak's, and cookies know no ports.
    response["Clear-Site-Data"] = '"cache", "storage"'
    return response


@never_cache
@require_safe
def logged_out(request: HttpRequest) -> HttpResponse:
    """
    Say how far the logout went. The local one was done before Keycloak was asked.

    Whoever comes with another browser's `state`, or none, is told no more than
    what holds: that they are logged out here, or that they are not.
    """
    context = {
        "is_answer": logout.is_answer(request),
        "is_logged_in": request.user.is_authenticated,
    }
    response = render(request, "identity/logged_out.html", context)
    logout.forget_state(response)
    return response


@never_cache
@csrf_exempt
@login_not_required
@limited("back_channel_logout")
@require_POST
def back_channel_logout(request: HttpRequest) -> HttpResponse:
    """
    End the login that Keycloak names (OpenID Connect Back-Channel Logout 1.0).

    200 also when nobody here has that login; 400 for a token that must not be
    believed, with nothing deleted; 503 while Redis is away, when this process alone
    has obeyed.
    """
    length = request.headers.get("Content-Length", "0")
    if not length.isdecimal() or int(length) > MAX_BODY_SIZE:
        return _refused(request, "it is too large")
    if request.content_type != "application/x-www-form-urlencoded":
        return _refused(request, "it is no form")
    try:
        claims = validator.logout_token(request.POST.get("logout_token", ""))
        count = logout.honour(claims, request=request)
    except InvalidToken as error:
        return _refused(request, str(error))
    except ProviderUnavailable:
        return _try_again()
    except (logout.NotHeardByAll, StorageUnavailable):
        logger.warning(
            "A back-channel logout holds in this process; "
            "the others hear of it when Redis is back."
        )
        budget.current().outage = None
        return _try_again()
    logger.info("Back-channel logout: %d sessions have ended.", count)
    return HttpResponse(status=HTTPStatus.OK)


@never_cache
@xframe_options_exempt
@csp_override(_FRAMED_BY_KEYCLOAK)
@login_not_required
@limited("front_channel_logout")
@require_GET
def front_channel_logout(request: HttpRequest) -> HttpResponse:
    """
    End the login that Keycloak's logout page names, if the settings allow it.

    The frame it is shown in has no cookie of ours: only `sid` says which login, and
    whoever knows one may end it. A wrong issuer or `sid` gets the same blank page.
    """
    if not settings.OIDC_FRONTCHANNEL_LOGOUT:
        raise Http404
    issuer, sid = request.GET.get("iss", ""), request.GET.get("sid", "")
    if issuer == settings.OIDC_OP_ISSUER and _is_sid(sid):
        try:
            logout.end_login(issuer, sid, request=request)
        except StorageUnavailable:
            budget.current().outage = None
            return _try_again()
    return HttpResponse()


def _is_sid(text: str) -> bool:
    return 0 < len(text) <= validator.MAX_IDENTIFIER_LENGTH and text.isprintable()


def _refused(request: HttpRequest, reason: str) -> HttpResponse:
    logger.warning("A back-channel logout was refused: %s", reason)
    token_refused.send_robust(_refused, kind="logout", request=request, reason=reason)
    return JsonResponse({"error": "invalid_request"}, status=HTTPStatus.BAD_REQUEST)


def _try_again() -> HttpResponse:
    response = JsonResponse(
        {"error": "temporarily_unavailable"}, status=HTTPStatus.SERVICE_UNAVAILABLE
    )
    response["Retry-After"] = str(_RETRY_AFTER)
    return response
