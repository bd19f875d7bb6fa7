import json
from http import HTTPStatus
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from pizzeria.access import Permitted
from pizzeria.api_errors import documented
from pizzeria.events.services import receive
from pizzeria.fields import WordField
from pizzeria.orders.api import person_of
from pizzeria.parsers import BoundedJSONParser
from pizzeria.roles import SEND_EVENTS
from pizzeria.text import refuse_control_characters

_MAX_TEXT = 200


class CloudEventParser(BoundedJSONParser):
    """An event in the structured mode of the HTTP binding."""

    media_type = "application/cloudevents+json"


class MaySendEvents(Permitted):
    needs = SEND_EVENTS


def refuse_what_no_database_keeps(data: Any) -> None:
    """:raises ValidationError: if PostgreSQL would refuse a text in it"""
    try:
        text = json.dumps(data, ensure_ascii=False)
        text.encode()
    except (UnicodeEncodeError, RecursionError) as error:
        raise serializers.ValidationError("This cannot be kept.") from error
    if "\\u0000" in text:
        raise serializers.ValidationError("This holds a zero character.")


class CloudEventSerializer(serializers.Serializer[Any]):
    """A CloudEvent 1.0; attributes that are not listed here are let through."""

    specversion = WordField([("1.0", "1.0")])
    id = serializers.CharField(
        max_length=_MAX_TEXT, validators=[refuse_control_characters]
    )
    source = serializers.CharField(  # type: ignore[assignment]  # the attribute's name
        max_length=_MAX_TEXT, validators=[refuse_control_characters]
    )
    type = serializers.CharField(
        max_length=_MAX_TEXT, validators=[refuse_control_characters]
    )
    subject = serializers.CharField(
        required=False, max_length=_MAX_TEXT, validators=[refuse_control_characters]
    )
    time = serializers.DateTimeField(required=False)
    data = serializers.JSONField(  # type: ignore[assignment]  # the attribute's name
        required=False, allow_null=True, validators=[refuse_what_no_database_keeps]
    )


class ReceiptSerializer(serializers.Serializer[Any]):
    """That the event is here, and whether it was here before."""

    is_new = serializers.BooleanField()


class Events(APIView):
    """Where other systems tell the shop what happened to them."""

    permission_classes = [IsAuthenticated, MaySendEvents]
    parser_classes = [CloudEventParser]

    @extend_schema(
        tags=["events"],
        operation_id="events_receive",
        summary="Tell the shop that something happened",
        request=CloudEventSerializer,
        responses={
            202: ReceiptSerializer,
            **documented(
                HTTPStatus.BAD_REQUEST,
                HTTPStatus.UNAUTHORIZED,
                HTTPStatus.FORBIDDEN,
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            ),
        },
        examples=[
            OpenApiExample(
                "The oven was serviced",
                request_only=True,
                value={
                    "specversion": "1.0",
                    "id": "f81d4fae7dec11d0a76500a0c91e6bf6",
                    "source": "https://ovens.example.com",
                    "type": "com.example.oven.serviced.v1",
                    "data": {"oven": 1},
                },
            )
        ],
    )
    def post(self, request: Request) -> Response:
        """An event counts once, however often it is sent: by its source and id."""
        told = CloudEventSerializer(data=request.data)
        told.is_valid(raise_exception=True)
        event = dict(told.validated_data)
        del event["specversion"]
        is_new = receive(
            source=event.pop("source"),
            event_id=event.pop("id"),
            sender=person_of(request),
            received_at=timezone.now(),
            attributes=event,
        )
        return Response({"is_new": is_new}, status=HTTPStatus.ACCEPTED)
