"""LoginMiddleware: what every request of somebody logged in needs before its view."""

import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import cache
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import Resolver404, resolve, reverse

from mario.identity import answers, interrupted, login_session, refresh
from mario.identity.kept_tokens import KeptTokens
from mario.identity.refresh import Outcome
from sessions_backend.middleware import attach

# On a request during which a login has ended: whose it was.
_FORMER_USER = "_former_user_id"
# Pages that are worth something without a session: shown as to a visitor while the
# session, or its login, cannot be known.
PUBLIC_PAGES = frozenset({"home", "menu", "menu_pizza", "offline", "service_worker"})


class LoginMiddleware:
    """
    Keep the login of the request's session fresh, whatever the request is.

    A login that Keycloak has ended makes the request one of a visitor, who keeps the
    cart. A page that needs a login then leads to it as it does for every visitor.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(
        self, request: HttpRequest
    ) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.is_async:
            return self._in_an_event_loop(request)
        response: HttpResponseBase
        response = self._refusal(request) or self.get_response(request)
        return _with_form_kept(request, response)

    async def _in_an_event_loop(self, request: HttpRequest) -> HttpResponseBase:
        response: HttpResponseBase | None = None
        if _is_concerned(request):
            # Waiting for Keycloak blocks.
            look = sync_to_async(self._refusal, thread_sensitive=False)
            response = await look(request)
        response = response or await self.get_response(request)
        return _with_form_kept(request, response)

    def _refusal(self, request: HttpRequest) -> HttpResponse | None:
        """Renew what is due; answer only if there is nothing to go on with."""
        if not _is_concerned(request):
            return None
        if not login_session.is_available(request.session):
            return None
        outcome = refresh.ensure_fresh(request.session)
        if outcome is Outcome.AWAY:
            return _while_keycloak_is_away(request)
        if outcome is not Outcome.UNCHANGED:
            # New tokens and roles, or a visitor's session by now.
            if outcome is Outcome.ENDED:
                setattr(request, _FORMER_USER, request.session.get(SESSION_KEY))
            session_key = request.session.session_key
            request.session = login_session.empty_session(session_key)
        return None


def _with_form_kept(
    request: HttpRequest, response: HttpResponseBase
) -> HttpResponseBase:
    user_id = getattr(request, _FORMER_USER, None)
    if user_id is not None:
        interrupted.keep(request, response, user_id=user_id)
    return response


def show_as_to_a_visitor(request: HttpRequest) -> None:
    """Go on without the session, which stays as it is, cookie and all."""
    attach(request, login_session.empty_session(), is_stored=False)
    request.user = AnonymousUser()
    request.is_session_away = True  # type: ignore[attr-defined]  # for the page


def _is_concerned(request: HttpRequest) -> bool:
    # The login's own addresses are there for who has none, and to end one.
    return bool(request.session.session_key) and not request.path_info.startswith(
        _login_addresses()
    )


def _while_keycloak_is_away(request: HttpRequest) -> HttpResponse | None:
    tokens = KeptTokens.of(request.session)
    if tokens is None or tokens.is_within_grace(time.time()):
        return None
    with suppress(Resolver404):
        if resolve(request.path_info).url_name in PUBLIC_PAGES:
            show_as_to_a_visitor(request)
            return None
    return answers.login_cannot_be_renewed(request)


@cache
def _login_addresses() -> str:
    return reverse("login").removesuffix("login")
