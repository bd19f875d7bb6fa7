"""
SessionMiddleware, in the place of Django's: what an engine alone cannot do.

A session that cannot be known is answered with 503 and keeps its cookie. A session
attached by a token never sets one. A session that was deleted while its request was
under way ends quietly.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Any

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase, UpdateError
from django.contrib.sessions.middleware import SessionMiddleware as DjangoMiddleware
from django.http import HttpRequest, HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.utils.http import http_date

from sessions_backend import budget, failover
from sessions_backend.exceptions import StorageUnavailable
from sessions_backend.unavailable import unavailable_response

_ATTACHED = "_session_is_attached"
_SERVER_ERRORS = 500


def attach(request: Any, session: SessionBase, *, is_stored: bool = True) -> None:
    """
    Make `session` the request's, because a token and not the cookie leads to it.

    It is saved at the end, unless `is_stored` is False; the client's cookie is
    neither set nor deleted. A request of Django REST framework will do, too.
    """
    django_request = getattr(request, "_request", request)
    django_request.session = session
    setattr(django_request, _ATTACHED, "stored" if is_stored else "transient")


def _is_transient(request: HttpRequest) -> bool:
    return getattr(request, _ATTACHED, None) == "transient"


def _is_to_be_saved(session: Any) -> bool:
    # To tell whether it was modified, all of it is looked at.
    return bool(settings.SESSION_SAVE_EVERY_REQUEST or session.modified)


def _is_renewal_due(session: Any) -> bool:
    return bool(getattr(session, "is_renewal_due", False))


def _renewed(session: Any) -> bool:
    try:
        session.renew()
    except StorageUnavailable:
        # The page was made from a session that was known; the next one renews.
        return _forgiven()
    return True


async def _arenewed(session: Any) -> bool:
    try:
        await session.arenew()
    except StorageUnavailable:
        return _forgiven()
    return True


def _forgiven() -> bool:
    budget.current().outage = None
    return False


class SessionMiddleware(DjangoMiddleware):
    def __init__(self, get_response: Callable[..., Any]) -> None:
        super().__init__(get_response)
        failover.configure()

    def __call__(
        self, request: HttpRequest
    ) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.async_mode:
            return self.__acall__(request)
        with budget.of_one_request() as spent:
            self.process_request(request)
            response: Any = self.get_response(request)
            return self._finished(request, response, spent)

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        with budget.of_one_request() as spent:
            self.process_request(request)
            response = await self.get_response(request)  # type: ignore[misc]  # async
            return await self._afinished(request, response, spent)

    def process_exception(
        self, request: HttpRequest, exception: Exception
    ) -> HttpResponseBase | None:
        if isinstance(exception, StorageUnavailable):
            return unavailable_response(request, exception)
        return None

    def process_response(  # type: ignore[override]  # the stub is too narrow
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        """
        Save a changed session, renew one that was read, and see to the cookie.

        :raises StorageUnavailable: if a change cannot be kept
        """
        if not self._is_to_be_kept(request, response):
            return response
        session: Any = request.session
        try:
            if _is_to_be_saved(session):
                session.save()
                is_kept = True
            else:
                is_kept = _is_renewal_due(session) and _renewed(session)
        except UpdateError:
            return self._ended(request, response)
        return self._kept(request, response) if is_kept else response

    async def aprocess_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        """Do the same without leaving the event loop."""
        if not self._is_to_be_kept(request, response):
            return response
        session: Any = request.session
        try:
            if _is_to_be_saved(session):
                await session.asave()
                is_kept = True
            else:
                is_kept = _is_renewal_due(session) and await _arenewed(session)
        except UpdateError:
            return self._ended(request, response)
        return self._kept(request, response) if is_kept else response

    def _finished(
        self, request: HttpRequest, response: HttpResponseBase, spent: budget.Budget
    ) -> HttpResponseBase:
        outage = spent.outage
        if outage is None:
            try:
                return self.process_response(request, response)
            except StorageUnavailable as error:
                outage = error
        # Whatever the view or a template made of it, a page that asked for a session
        # which cannot be known is not the page of somebody without one.
        return unavailable_response(request, outage, instead_of=response)

    async def _afinished(
        self, request: HttpRequest, response: HttpResponseBase, spent: budget.Budget
    ) -> HttpResponseBase:
        outage = spent.outage
        if outage is None:
            try:
                return await self.aprocess_response(request, response)
            except StorageUnavailable as error:
                outage = error
        return unavailable_response(request, outage, instead_of=response)

    def _is_to_be_kept(self, request: HttpRequest, response: HttpResponseBase) -> bool:
        """Say whether there is a session to save or renew; an empty one goes."""
        session = getattr(request, "session", None)
        if session is None:
            return False
        if session.accessed:
            patch_vary_headers(response, ("Cookie",))
        if session.is_empty():
            if settings.SESSION_COOKIE_NAME in request.COOKIES:
                self._delete_cookie(request, response)
            return False
        return response.status_code < _SERVER_ERRORS and not _is_transient(request)

    def _ended(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        # Deleted while this request was under way: what the view has answered stands,
        # nothing is saved.
        self._delete_cookie(request, response)
        return response

    def _kept(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        # The browser has been given the new id of a rotated session by then.
        if not getattr(request.session, "is_superseded", False):
            self._set_cookie(request, response)
        return response

    def _set_cookie(self, request: HttpRequest, response: HttpResponseBase) -> None:
        if hasattr(request, _ATTACHED):
            return
        session = request.session
        max_age = expires = None
        if not session.get_expire_at_browser_close():
            max_age = session.get_expiry_age()
            expires = http_date(time.time() + max_age)
        response.set_cookie(
            settings.SESSION_COOKIE_NAME,
            session.session_key or "",
            max_age=max_age,
            expires=expires,
            domain=settings.SESSION_COOKIE_DOMAIN,
            path=settings.SESSION_COOKIE_PATH,
            secure=settings.SESSION_COOKIE_SECURE or False,
            httponly=settings.SESSION_COOKIE_HTTPONLY or False,
            samesite=settings.SESSION_COOKIE_SAMESITE,
        )
        patch_vary_headers(response, ("Cookie",))

    def _delete_cookie(self, request: HttpRequest, response: HttpResponseBase) -> None:
        if hasattr(request, _ATTACHED):
            return
        response.delete_cookie(
            settings.SESSION_COOKIE_NAME,
            path=settings.SESSION_COOKIE_PATH,
            domain=settings.SESSION_COOKIE_DOMAIN,
            samesite=settings.SESSION_COOKIE_SAMESITE,
        )
        patch_vary_headers(response, ("Cookie",))
