"""What a visitor sees when a page cannot be shown: JSON under /api/, else a page."""

import sys
from http import HTTPStatus

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template import loader
from django.views.decorators.csrf import requires_csrf_token

_RETRY_AFTER = "5"
_MESSAGES = {
    HTTPStatus.BAD_REQUEST: ("bad_request", "The request could not be understood."),
    HTTPStatus.FORBIDDEN: ("permission_denied", "You may not do this."),
    HTTPStatus.NOT_FOUND: ("not_found", "There is nothing at this address."),
    HTTPStatus.INTERNAL_SERVER_ERROR: (
        "server_error",
        "Something went wrong on our side. Nothing you sent was half-done.",
    ),
    HTTPStatus.SERVICE_UNAVAILABLE: (
        "unavailable",
        "The shop is not answering as it should right now. Please try again.",
    ),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: (
        "too_large",
        "This is more than the shop reads. Nothing was done with it.",
    ),
    HTTPStatus.LENGTH_REQUIRED: (
        "length_required",
        "The request has to say how long it is, in Content-Length.",
    ),
}


def _answer(request: HttpRequest, status: HTTPStatus, template: str) -> HttpResponse:
    if request.path.startswith("/api/"):
        code, message = _MESSAGES[status]
        return JsonResponse(
            {"code": code, "message": message, "extra": {}}, status=status
        )
    # Rendered without a request: an error page asks no session and no database.
    return HttpResponse(loader.render_to_string(template), status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, HTTPStatus.BAD_REQUEST, "400.html")


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, HTTPStatus.FORBIDDEN, "403.html")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, HTTPStatus.NOT_FOUND, "404.html")


def server_error(request: HttpRequest) -> HttpResponse:
    # Django calls this while it handles what was raised. An unreachable database is
    # nobody's mistake, and passes.
    if isinstance(sys.exception(), OperationalError | InterfaceError):
        response = _answer(request, HTTPStatus.SERVICE_UNAVAILABLE, "503.html")
        response["Retry-After"] = _RETRY_AFTER
        return response
    return _answer(request, HTTPStatus.INTERNAL_SERVER_ERROR, "500.html")


def too_large(request: HttpRequest) -> HttpResponse:
    return _answer(request, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "413.html")


def without_length(request: HttpRequest) -> HttpResponse:
    return _answer(request, HTTPStatus.LENGTH_REQUIRED, "400.html")


@requires_csrf_token
def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return _answer(request, HTTPStatus.FORBIDDEN, "403_csrf.html")
