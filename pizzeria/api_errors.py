"""One shape for every error of the API: `{"code", "message", "extra"}`."""

from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404
from rest_framework import exceptions, serializers
from rest_framework.response import Response
from rest_framework.views import exception_handler as answer_of_rest_framework

from pizzeria.exceptions import (
    Conflict,
    KeyReused,
    LoggedOut,
    NotServed,
    PizzeriaError,
    VoucherRefused,
)

NOTHING_HERE = "There is nothing at this address."
NOT_ALLOWED = "You may not do this."


class LoginTooOld(exceptions.PermissionDenied):
    default_code = "recent_login_required"
    default_detail = "This asks for a recent login. Log in once more, and do it again."


class ErrorSerializer(serializers.Serializer[Any]):
    """What every refused request answers."""

    code = serializers.CharField(help_text="A word for programs, such as `sold_out`.")
    message = serializers.CharField(help_text="A sentence for people.")
    extra = serializers.DictField(
        help_text="Details; for `invalid_input` the errors of each field."
    )


def documented(*statuses: HTTPStatus) -> dict[int, type[ErrorSerializer]]:
    """Name the errors that an operation answers, for its documentation."""
    return {status.value: ErrorSerializer for status in statuses}


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """
    Turn what a view raised into the API's one error shape.

    Answers None for what it does not know, so that the exception goes on to the
    session middleware and to the page for broken servers.
    """
    if isinstance(error, PizzeriaError):
        return _answer_of_the_shop(error)
    if isinstance(error, LoggedOut):
        return _way_back_in(error, context)
    response = answer_of_rest_framework(_in_our_words(error), context)
    if response is not None:
        response.data = _body(_in_our_words(error), response.data)
    return response


def _answer_of_the_shop(error: PizzeriaError) -> Response:
    return Response(
        {"code": error.code, "message": error.message, "extra": error.extra},
        status=status_of(error),
    )


def _way_back_in(error: LoggedOut, context: dict[str, Any]) -> Response:
    # RFC 9110, 15.5.2: a 401 names the way in.
    way_in = context["view"].get_authenticate_header(context["request"])
    return Response(
        {"code": error.code, "message": error.message, "extra": {}},
        status=HTTPStatus.UNAUTHORIZED,
        headers={"WWW-Authenticate": way_in},
    )


def status_of(error: PizzeriaError) -> HTTPStatus:
    if isinstance(error, (KeyReused, NotServed, VoucherRefused)):
        # draft-ietf-httpapi-idempotency-key-header, 2.7; its 409, for a request that
        # still runs, is not needed: the second waits for the first one's order.
        return HTTPStatus.UNPROCESSABLE_ENTITY
    if isinstance(error, Conflict):
        return HTTPStatus.CONFLICT
    return HTTPStatus.BAD_REQUEST


def _in_our_words(error: Exception) -> Exception:
    # Django's own sentences name models and query sets.
    if isinstance(error, Http404):
        return exceptions.NotFound(NOTHING_HERE)
    if isinstance(error, PermissionDenied):
        return exceptions.PermissionDenied(NOT_ALLOWED)
    if isinstance(error, ValidationError):
        # What a model or a service refuses.
        by_field = hasattr(error, "error_dict")
        return exceptions.ValidationError(
            error.message_dict if by_field else {"request": error.messages}
        )
    return error


def _body(error: Exception, answered: Any) -> dict[str, Any]:
    if isinstance(error, exceptions.ValidationError):
        return _body_of_invalid_input(answered)
    detail = getattr(error, "detail", "")
    wait = getattr(error, "wait", None)
    return {
        "code": getattr(detail, "code", "error"),
        "message": str(detail),
        "extra": {} if wait is None else {"retry_after_seconds": wait},
    }


def _body_of_invalid_input(answered: Any) -> dict[str, Any]:
    fields = answered if isinstance(answered, dict) else {"request": answered}
    return {
        "code": "invalid_input",
        "message": f"Please check: {', '.join(map(str, fields))}.",
        "extra": fields,
    }
