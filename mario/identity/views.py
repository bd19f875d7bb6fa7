import logging
from typing import Any

from django.conf import settings
from django.contrib import auth, messages
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render, resolve_url
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from mozilla_django_oidc.views import (
    OIDCAuthenticationCallbackView,
    OIDCAuthenticationRequestView,
    get_next_url,
)

from mario.identity import (
    answers,
    attempts,
    interrupted,
    jwks,
    links,
    login_session,
    pushed_requests,
)
from mario.identity.exceptions import (
    IdentityError,
    LoginEnded,
    LoginRefused,
    OutOfTime,
    ProviderUnavailable,
)
from mario.identity.signals import login_refused

logger = logging.getLogger(__name__)

REFUSED = "Keycloak did not let you in. You can try again."
NOT_FINISHED = "This login was not finished here, or took too long. Please try again."
WRONG_LINK = "The link that led here is not one of ours. You can log in without it."
ENDED = "This login has been ended. Please log in with your password."
CART_CAME_ALONG = "You are logged in, and your cart came along."
UNAVAILABLE = "The login service does not answer. Your cart is kept; try again shortly."

# A token that has just been made is never old.
WRONG_CLOCK = (
    "The clocks of the shop and of the login service disagree, so nobody can log in "
    "right now. Your cart is kept; please try again in a few minutes."
)


class LoginView(OIDCAuthenticationRequestView):  # type: ignore[misc]  # untyped
    """Send the browser to Keycloak, and remember the attempt in a cookie of its own."""

    # Whether Keycloak shows its form for new accounts first.
    is_registration = False

    def get(self, request: HttpRequest) -> HttpResponse:
        if answer := answers.login_needed(request):
            return answer
        next_url = _next_url(request)
        try:
            asked = links.asked_of_keycloak(request.GET)
            jwks.require_provider()
            return self._send_to_keycloak(request, asked, next_url)
        except ProviderUnavailable as error:
            # Better a page of ours than the browser's own about a dead address.
            logger.warning("Nobody can log in, Keycloak is unavailable: %s", error)
            return login_failed(request, UNAVAILABLE, status=503, next_url=next_url)
        except LoginRefused as error:
            logger.warning("A link to the login was refused: %s", error)
            return login_failed(request, WRONG_LINK, status=400, next_url=next_url)

    def get_extra_params(self, request: HttpRequest) -> dict[str, Any]:
        return self.asked

    def _send_to_keycloak(
        self, request: HttpRequest, asked: dict[str, Any], next_url: str
    ) -> HttpResponse:
        self.asked = asked
        if self.is_registration:
            self.OIDC_OP_AUTH_ENDPOINT = settings.OIDC_OP_REGISTRATION_ENDPOINT
        # The library keeps attempts in the session, where they would make a key for
        # every visitor: it is given a dict instead, whose content becomes a cookie.
        kept, request.session = request.session, {}  # type: ignore[assignment]
        try:
            response: HttpResponse = super().get(request)
            (state, entry), *_ = request.session["oidc_states"].items()
        finally:
            request.session = kept
        attempt = attempts.Attempt(
            state=state,
            nonce=entry["nonce"],
            code_verifier=entry["code_verifier"],
            next_url=next_url,
            max_age=int(asked["max_age"]) if "max_age" in asked else None,
            acr=asked.get("acr_values", ""),
        )
        if settings.OIDC_PUSHES_REQUESTS:
            response["Location"] = pushed_requests.push(response["Location"])
        attempts.remember(request, response, attempt)
        response["Cache-Control"] = "no-store"
        return response


class CallbackView(OIDCAuthenticationCallbackView):  # type: ignore[misc]  # untyped
    """Take the browser back from Keycloak."""

    def get(self, request: HttpRequest) -> HttpResponse:
        state = _only(request, "state") or ""
        attempt = attempts.recall(request, state)
        if attempt is None:
            response = self._without_attempt(request)
        else:
            response = self._finish(request, attempt)
            attempts.forget(response, state)
        response["Cache-Control"] = "no-store"
        return response

    def _without_attempt(self, request: HttpRequest) -> HttpResponse:
        # The back button, a repeated callback, or somebody else's link. Whoever is
        # logged in stays so.
        if _is_known(request):
            return HttpResponseRedirect(resolve_url(settings.LOGIN_REDIRECT_URL))
        return login_failed(request, NOT_FINISHED, status=400)

    def _finish(self, request: HttpRequest, attempt: attempts.Attempt) -> HttpResponse:
        was_known = _is_known(request)
        try:
            self._open(request, attempt)
        except ProviderUnavailable as error:
            logger.warning("A login failed, Keycloak is unavailable: %s", error)
            return login_failed(
                request, UNAVAILABLE, status=503, next_url=attempt.next_url
            )
        except LoginEnded as error:
            logger.warning("A login was refused: %s", error)
            return login_failed(
                request, ENDED, status=400, next_url=attempt.next_url, prompt="login"
            )
        except (IdentityError, SuspiciousOperation) as error:
            logger.warning("A login was refused: %s", error)
            reason = WRONG_CLOCK if isinstance(error, OutOfTime) else REFUSED
            return login_failed(request, reason, status=400, next_url=attempt.next_url)
        if not was_known and request.session.get("cart"):
            messages.success(request, CART_CAME_ALONG)
        return HttpResponseRedirect(attempt.next_url)

    def _open(self, request: HttpRequest, attempt: attempts.Attempt) -> None:
        # RFC 9207: Keycloak says who answers. Another issuer's answer is mixed up with
        # another login; one without a name may be.
        if _only(request, "iss") != settings.OIDC_OP_ISSUER:
            raise LoginRefused("the answer is of another issuer")
        if not _only(request, "code"):
            error = request.GET.get("error", "")
            raise LoginRefused(f"Keycloak said {error[:64]!r}")
        user: Any = auth.authenticate(
            request,
            nonce=attempt.nonce,
            code_verifier=attempt.code_verifier,
            max_age=attempt.max_age,
            acr=attempt.acr,
        )
        if user is None:
            raise LoginRefused("no user came of it")
        login_session.open_for_browser(
            request, user, user.claims, tokens=user.token_response
        )


def _is_known(request: HttpRequest) -> bool:
    return login_session.is_available(request.session) and bool(
        request.user.is_authenticated
    )


def _only(request: HttpRequest, name: str) -> str | None:
    """Return a parameter that stands there once; RFC 6749 3.1 allows no second."""
    values = request.GET.getlist(name)
    return values[0] if len(values) == 1 else None


def _next_url(request: HttpRequest) -> str:
    """Where to go after the login: a page of this shop, never another host."""
    next_url = get_next_url(request, auth.REDIRECT_FIELD_NAME) or ""
    if 0 < len(next_url) <= attempts.MAX_NEXT_URL_LENGTH:
        return next_url
    return resolve_url(settings.LOGIN_REDIRECT_URL)


def login_failed(
    request: HttpRequest,
    reason: str,
    *,
    status: int,
    next_url: str = "/",
    prompt: str = "",
) -> HttpResponse:
    """
    Say that nobody was logged in, change nothing, and offer the way back.

    Keycloak may still know whose login was ended here, and would send them back with
    the same one for ever: `prompt` makes it ask.
    """
    retry_url = links.login_url(next_url, prompt=prompt)
    context = {
        "reason": reason,
        "retry_url": retry_url,
        # Whoever was logged in is so still, whatever has failed.
        "is_logged_in": login_session.is_available(request.session)
        and request.user.is_authenticated,
    }
    response = render(request, "identity/login_failed.html", context, status=status)
    login_refused.send_robust(login_failed, request=request, reason=reason)
    if status == 503:  # noqa: PLR2004  # as in the caller's line
        response["Retry-After"] = "10"
    return response


@never_cache
@require_safe
def interrupted_form(request: HttpRequest) -> HttpResponse:
    """Show what somebody sent when their login had ended, for them to send again."""
    if not request.user.is_authenticated:
        return HttpResponseRedirect(links.login_url(request.path))
    kept = interrupted.take(request.session)
    if kept is None:
        return HttpResponseRedirect(resolve_url(settings.LOGIN_REDIRECT_URL))
    path, fields = kept
    shown = interrupted.in_words(fields)
    context = {"path": path, "fields": fields, "shown": shown}
    return render(request, "identity/interrupted.html", context)
