from datetime import datetime
from http import HTTPStatus
from typing import Any

from django.core.exceptions import ValidationError
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from pizzeria.access import Permitted, by_token_only
from pizzeria.api_errors import documented
from pizzeria.fields import WholeNumberField, WordField
from pizzeria.people import person_of
from pizzeria.restaurant.area import MAX_PREFIXES, check_prefixes
from pizzeria.restaurant.hours import (
    MAX_PERIODS,
    Opening,
    Period,
    Weekday,
    check_overlaps,
)
from pizzeria.restaurant.models import MAX_EXPIRY_HOURS, NOTHING, Restaurant, stored
from pizzeria.restaurant.services import change_rules
from pizzeria.roles import CHANGE_RULES


class MayChangeRules(Permitted):
    needs = CHANGE_RULES


class OpeningPeriodSerializer(serializers.Serializer[Period]):
    """One that closes at or before its opening closes on the next day."""

    weekday = WordField(Weekday.choices)
    opens = serializers.TimeField(format="%H:%M", input_formats=["%H:%M"])
    closes = serializers.TimeField(format="%H:%M", input_formats=["%H:%M"])


class RulesSerializer(serializers.Serializer[Restaurant]):
    """When it is open, where it delivers to, and from what sum on."""

    hours = serializers.ListField(
        child=OpeningPeriodSerializer(),
        source="periods",
        max_length=MAX_PERIODS,
        help_text="On the clock of `time_zone`. An empty list: always.",
    )
    delivery_minimum = serializers.DecimalField(
        max_digits=6, decimal_places=2, min_value=NOTHING
    )
    delivery_area = serializers.ListField(
        child=serializers.CharField(max_length=10),
        max_length=MAX_PREFIXES,
        help_text="How postcodes begin. An empty list: everywhere.",
    )

    pickup_expires_hours = WholeNumberField(
        min_value=1,
        max_value=MAX_EXPIRY_HOURS,
        help_text="Ready for so long, and a pick-up counts as picked up.",
    )

    asks_approval = serializers.BooleanField(
        help_text="A new order is `pending` until somebody of the kitchen accepts it."
    )

    def validate_hours(self, told: list[dict[str, Any]]) -> list[Period]:
        periods = [Period(Weekday(one.pop("weekday")), **one) for one in told]
        return _checked(check_overlaps, periods)

    def validate_delivery_area(self, told: list[str]) -> list[str]:
        prefixes = list(dict.fromkeys(prefix.strip().upper() for prefix in told))
        return _checked(check_prefixes, prefixes)


class RestaurantSerializer(RulesSerializer):
    """The same, and how it is at this moment."""

    is_open = serializers.SerializerMethodField()
    changes_at = serializers.SerializerMethodField(
        help_text="When it closes, or opens; null if it never does."
    )
    words = serializers.SerializerMethodField(help_text="The same for people.")
    time_zone = serializers.SerializerMethodField()

    def get_is_open(self, restaurant: Restaurant) -> bool:
        return self._opening(restaurant).is_open

    def get_changes_at(self, restaurant: Restaurant) -> datetime | None:
        return self._opening(restaurant).changes_at

    def get_words(self, restaurant: Restaurant) -> str:
        return self._opening(restaurant).words

    def get_time_zone(self, restaurant: Restaurant) -> str:
        return timezone.get_default_timezone_name()

    def _opening(self, restaurant: Restaurant) -> Opening:
        return restaurant.opening_at(self.context["now"])


class TheRestaurant(APIView):
    """What whoever orders wants to know before."""

    permission_classes = [AllowAny]
    authentication_classes = by_token_only()

    @extend_schema(
        tags=["restaurant"],
        operation_id="restaurant_retrieve",
        summary="When it is open, and where it delivers to",
        responses={200: RestaurantSerializer},
    )
    def get(self, request: Request) -> Response:
        return Response(_shown(Restaurant.the_one()))


class ManagementRestaurant(APIView):
    """Where managers change it."""

    permission_classes = [IsAuthenticated, MayChangeRules]

    @extend_schema(
        tags=["management"],
        operation_id="management_restaurant_change",
        summary="Set hours, delivery area and minimum",
        request=RulesSerializer,
        examples=[
            OpenApiExample(
                "Friday evenings",
                {
                    "hours": [
                        {"weekday": "friday", "opens": "17:00", "closes": "01:00"}
                    ],
                    "delivery_minimum": "15.00",
                    "delivery_area": ["0015", "00184"],
                    "pickup_expires_hours": 12,
                    "asks_approval": False,
                },
                request_only=True,
            )
        ],
        responses={
            200: RestaurantSerializer,
            **documented(
                HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN
            ),
        },
    )
    def put(self, request: Request) -> Response:
        """All of them at once; they hold for orders from then on."""
        told = RulesSerializer(data=request.data)
        told.is_valid(raise_exception=True)
        fields = dict(told.validated_data)
        fields["hours"] = stored(fields.pop("periods"))
        restaurant = change_rules(
            fields=fields, actor=person_of(request), now=timezone.now()
        )
        return Response(_shown(restaurant))


def _shown(restaurant: Restaurant) -> Any:
    return RestaurantSerializer(restaurant, context={"now": timezone.now()}).data


def _checked[T](check: Any, told: T) -> T:
    try:
        check(told)
    except ValidationError as error:
        raise serializers.ValidationError(error.messages) from error
    return told
