from collections.abc import Callable

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_cache_control

from mario.identity import answers, login_session
from mario.identity.middleware import PUBLIC_PAGES, show_as_to_a_visitor
from pizzeria.access import HtmxRequest, to_login
from pizzeria.exceptions import LoggedOut
from pizzeria.transactions import only_while
from sessions_backend.middleware import attach


class PrivatePagesMiddleware:
    """
    Keep what a logged-in person sees out of every cache.

    Otherwise the back button shows it to whoever sits there after the logout.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        is_personal = (
            settings.SESSION_COOKIE_NAME in request.COOKIES
            or settings.SESSION_COOKIE_NAME in response.cookies
            or "Authorization" in request.headers
        )
        if is_personal and not response.has_header("Cache-Control"):
            response["Cache-Control"] = "private, no-store"
        elif is_personal:
            # A page that may be asked for again by its tag is still one person's.
            patch_cache_control(response, private=True)
        return response


class LoginInForceMiddleware:
    """
    Let nothing be done for a login that ends while its request is under way.

    The shop's transactions ask, when they are to be committed, whether it still holds.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # By the time it is asked, a token may have led to another session.
        with only_while(lambda: login_session.is_in_force(request.session)):
            return self.get_response(request)

    def process_exception(
        self, request: HtmxRequest, exception: Exception
    ) -> HttpResponse | None:
        if not isinstance(exception, LoggedOut):
            return None
        messages.error(request, exception.message)
        # The browser's cookie may be of another login by now: it stays as it is.
        attach(request, login_session.empty_session(), is_stored=False)
        request.user = AnonymousUser()
        # What was posted may be at an address that shows nothing.
        view = request.resolver_match and request.resolver_match.func
        way_in = to_login(request, getattr(view, "back_to", ""))
        if answers.client_of(request) is not answers.Client.PROGRAM:
            return way_in
        return answers.login_needed(request, way_in["Location"])


class PublicPagesMiddleware:
    """
    Show the pages that need no session while the visitor's cannot be reached.

    They are shown as to somebody without one, with a notice that says so; cookie and
    session stay as they are. Every other page is answered with 503 by the engine.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *_: object) -> None:
        match = request.resolver_match
        if match is None or match.url_name not in PUBLIC_PAGES:
            return
        # A visitor without a cookie is not to make the page vary by it.
        if settings.SESSION_COOKIE_NAME not in request.COOKIES:
            return
        if not login_session.is_available(request.session):
            show_as_to_a_visitor(request)
