"""A middleware that reads and writes the session of whoever has one."""

import time
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from tests.performance.records import sample_record


def count(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    def counted(request: HttpRequest) -> HttpResponse:
        session = request.session
        if "begin" in request.GET:
            # Under one key, so that the page is the same as without a session.
            session["performance"] = sample_record()
        elif settings.SESSION_COOKIE_NAME in request.COOKIES:
            session["performance"]["visited_at"] = time.time_ns()
            # Django's engines do not notice a change deep inside.
            session.modified = True
        return get_response(request)

    return counted
