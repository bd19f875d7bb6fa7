from http import HTTPStatus
from typing import Any

from django.contrib.auth.models import User
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound, PermissionDenied, Throttled
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from mario.account import places
from mario.identity import limits, recent_login
from pizzeria.api_errors import documented


class RecentLoginRequired(PermissionDenied):
    default_code = "recent_login_required"
    default_detail = recent_login.CONFIRM


class PlaceSerializer(serializers.Serializer[Any]):
    handle = serializers.CharField(help_text="Names the session; opens nothing.")
    device = serializers.CharField()
    address = serializers.CharField()
    since = serializers.DateTimeField(allow_null=True)
    seen_at = serializers.DateTimeField(allow_null=True)
    is_this = serializers.BooleanField(help_text="Whether this request belongs to it.")


class EndedSerializer(serializers.Serializer[Any]):
    ended = serializers.IntegerField()


_NOT_IN = documented(HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_TOO_MANY = documented(HTTPStatus.TOO_MANY_REQUESTS)


class AccountSessions(APIView):
    """Where the caller is logged in."""

    @extend_schema(
        operation_id="account_sessions_list",
        responses={200: PlaceSerializer(many=True), **_NOT_IN},
    )
    def get(self, request: Request) -> Response:
        """List the caller's sessions, this one first."""
        found = places.places_of(_caller(request), this=request.session)
        return Response(PlaceSerializer(found, many=True).data)

    @extend_schema(
        operation_id="account_sessions_end_others",
        responses={200: EndedSerializer, **_NOT_IN, **_TOO_MANY},
    )
    def delete(self, request: Request) -> Response:
        """End all sessions but this one; asks for a recent login."""
        _require(request)
        count = places.end_others(_caller(request), this=request.session)
        return Response({"ended": count})


class AccountSession(APIView):
    """One of them."""

    @extend_schema(
        operation_id="account_sessions_end",
        responses={
            204: None,
            **_NOT_IN,
            **documented(HTTPStatus.NOT_FOUND),
            **_TOO_MANY,
        },
    )
    def delete(self, request: Request, handle: str) -> Response:
        """End one session; asks for a recent login."""
        _require(request)
        if not places.end_one(_caller(request), handle):
            raise NotFound
        return Response(status=HTTPStatus.NO_CONTENT)


def _caller(request: Request) -> User:
    assert isinstance(request.user, User)  # noqa: S101  # IsAuthenticated
    return request.user


def _require(request: Request) -> None:
    if seconds := limits.seconds_to_wait(request._request, "account"):  # noqa: SLF001
        raise Throttled(wait=seconds)
    # The token says when its person logged in; the browser's session does, too.
    claims = request.auth if isinstance(request.auth, dict) else None
    if not recent_login.is_recent(request._request, claims):  # noqa: SLF001
        raise RecentLoginRequired
