"""What a visitor sees when a page cannot be shown: JSON under /api/, else a page."""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template import loader
from django.views.decorators.csrf import requires_csrf_token

_MESSAGES = {
    HTTPStatus.BAD_REQUEST: ("bad_request", "The request could not be understood."),
    HTTPStatus.FORBIDDEN: ("permission_denied", "You may not do this."),
    HTTPStatus.NOT_FOUND: ("not_found", "There is nothing at this address."),
    HTTPStatus.INTERNAL_SERVER_ERROR: (
        "server_error",
        "Something went wrong on our side. Nothing you sent was half-done.",
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
    return _answer(request, HTTPStatus.INTERNAL_SERVER_ERROR, "500.html")


@requires_csrf_token
def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return _answer(request, HTTPStatus.FORBIDDEN, "403_csrf.html")
