from datetime import date
from http import HTTPStatus
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from pizzeria.access import Permitted
from pizzeria.api_errors import documented
from pizzeria.management import figures
from pizzeria.management.figures import VIP_ORDERS, VIP_SPENT
from pizzeria.management.forms import GROUPINGS, PeriodForm
from pizzeria.management.periods import LABELS
from pizzeria.orders.transitions import Status
from pizzeria.roles import VIEW_FIGURES

_REFUSED = documented(HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_PERIOD = [
    OpenApiParameter("period", str, enum=list(LABELS)),
    OpenApiParameter("start", date, description="For `custom`."),
    OpenApiParameter("end", date, description="For `custom`."),
]


class MaySeeFigures(Permitted):
    needs = VIEW_FIGURES


class NumbersSerializer(serializers.Serializer[Any]):
    """Cancelled orders are no orders sold and no revenue; they are counted apart."""

    orders = serializers.IntegerField()
    cancelled = serializers.IntegerField()
    delivered = serializers.IntegerField()
    revenue = serializers.DecimalField(14, 2, help_text="What was paid.")
    discounts = serializers.DecimalField(14, 2, help_text="By vouchers.")
    refunds = serializers.IntegerField(
        help_text="Recorded in that time, whenever it was ordered; in analytics."
    )
    refunded = serializers.DecimalField(14, 2, help_text="Not taken off the revenue.")
    average_value = serializers.DecimalField(14, 2)
    average_minutes = serializers.FloatField(allow_null=True)
    on_time_share = serializers.FloatField(allow_null=True)


class ChangeSerializer(serializers.Serializer[Any]):
    percent = serializers.IntegerField(
        allow_null=True, help_text="Null where there was nothing before."
    )
    direction = serializers.ChoiceField(["up", "down", "same"])


class PizzaOfTodaySerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    pizzas = serializers.IntegerField(source="numbers.pizzas")
    orders = serializers.IntegerField(source="numbers.orders")
    revenue = serializers.DecimalField(14, 2, source="numbers.revenue")


class OverviewSerializer(serializers.Serializer[Any]):
    now = serializers.DateTimeField()
    today = NumbersSerializer()
    yesterday = NumbersSerializer(help_text="Up to the same time of day.")
    orders_change = ChangeSerializer()
    revenue_change = ChangeSerializer()
    last_week = NumbersSerializer(help_text="That day up to the same time.")
    week_change = ChangeSerializer(help_text="Of the revenue.")
    pizzas = PizzaOfTodaySerializer(many=True, help_text="Most revenue first.")
    active = serializers.DictField(child=serializers.IntegerField())
    active_count = serializers.IntegerField()
    delivery = NumbersSerializer(help_text="What drivers brought today.")


class PeriodSerializer(serializers.Serializer[Any]):
    first = serializers.DateField()
    last = serializers.DateField()


class SpanSerializer(serializers.Serializer[Any]):
    start = serializers.DateField()
    numbers = NumbersSerializer()


class SoldPizzaSerializer(PizzaOfTodaySerializer):
    average_price = serializers.DecimalField(14, 2)
    share = serializers.FloatField()


class StatusShareSerializer(serializers.Serializer[Any]):
    status = serializers.ChoiceField(Status.choices)
    orders = serializers.IntegerField()
    share = serializers.FloatField()
    revenue = serializers.DecimalField(14, 2)


class AnalyticsSerializer(serializers.Serializer[Any]):
    period = PeriodSerializer()
    total = NumbersSerializer()
    before = NumbersSerializer(help_text="The span of the same length before.")
    orders_change = ChangeSerializer()
    revenue_change = ChangeSerializer()
    series = SpanSerializer(many=True)
    statuses = StatusShareSerializer(many=True)
    pizzas = SoldPizzaSerializer(many=True)


class RatedSerializer(serializers.Serializer[Any]):
    count = serializers.IntegerField()
    average = serializers.FloatField(allow_null=True, help_text="Of one to five stars.")


class SaidSerializer(serializers.Serializer[Any]):
    order = serializers.IntegerField(source="order_id")
    stars = serializers.IntegerField()
    words = serializers.CharField()
    rated_at = serializers.DateTimeField()


class StageSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    minutes = serializers.FloatField(
        allow_null=True, help_text="Of the newest deliveries in the period, on average."
    )
    orders_now = serializers.IntegerField()
    minutes_now = serializers.FloatField(
        allow_null=True, help_text="So far, on average."
    )
    is_longest = serializers.BooleanField()
    is_longest_now = serializers.BooleanField()


class StaffSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    numbers = NumbersSerializer()
    under_way = serializers.IntegerField(help_text="In hand at this moment.")
    rated = RatedSerializer(help_text="Ratings given in the period.")
    score = serializers.IntegerField(help_text="At most 100.")


class StaffDriverSerializer(StaffSerializer):
    completed_share = serializers.FloatField(
        help_text="Of what they took and is over; the rest was cancelled on tour."
    )


class LeaderSerializer(StaffSerializer):
    role = serializers.ChoiceField(["cook", "driver"])


class CustomerSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    email = serializers.CharField()
    is_vip = serializers.BooleanField(
        help_text=f"Spent more than {VIP_SPENT}, or ordered more than {VIP_ORDERS} "
        "times, in the period."
    )
    orders = serializers.IntegerField()
    spent = serializers.DecimalField(14, 2)
    average = serializers.DecimalField(14, 2)
    favourite = serializers.CharField()
    last_at = serializers.DateTimeField()


class HourSerializer(serializers.Serializer[Any]):
    hour = serializers.IntegerField()
    orders = serializers.IntegerField()


class WeekdaySerializer(serializers.Serializer[Any]):
    weekday = serializers.CharField()
    cells = HourSerializer(many=True)


class OperationsSerializer(serializers.Serializer[Any]):
    period = PeriodSerializer()
    total = NumbersSerializer()
    cooks = StaffSerializer(many=True)
    drivers = StaffDriverSerializer(many=True)
    leaderboard = LeaderSerializer(many=True, help_text="Both roles, by score.")
    stages = StageSerializer(many=True)
    rated = RatedSerializer()
    said = SaidSerializer(many=True, help_text="The newest ratings with words.")
    customers = CustomerSerializer(many=True)
    heat = WeekdaySerializer(many=True)


class Overview(APIView):
    permission_classes = [IsAuthenticated, MaySeeFigures]

    @extend_schema(
        tags=["management"],
        summary="How today goes",
        responses={200: OverviewSerializer, **_REFUSED},
    )
    def get(self, request: Request) -> Response:
        report = figures.overview(now=timezone.now())
        return Response(OverviewSerializer(report).data)


class Analytics(APIView):
    permission_classes = [IsAuthenticated, MaySeeFigures]

    @extend_schema(
        tags=["management"],
        summary="How sales went",
        parameters=[
            *_PERIOD,
            OpenApiParameter("grouping", str, enum=[name for name, _ in GROUPINGS]),
        ],
        responses={
            200: AnalyticsSerializer,
            **documented(HTTPStatus.BAD_REQUEST),
            **_REFUSED,
        },
    )
    def get(self, request: Request) -> Response:
        form = _form(request, default="month")
        report = figures.analytics(form.span, grouping=form.grouping_name)
        return Response(AnalyticsSerializer(report).data)


class Operations(APIView):
    permission_classes = [IsAuthenticated, MaySeeFigures]

    @extend_schema(
        tags=["management"],
        summary="Who did what, and when it was busy",
        parameters=_PERIOD,
        responses={
            200: OperationsSerializer,
            **documented(HTTPStatus.BAD_REQUEST),
            **_REFUSED,
        },
    )
    def get(self, request: Request) -> Response:
        span = _form(request, default="today").span
        report = figures.operations(span, now=timezone.now())
        return Response(OperationsSerializer(report).data)


def _form(request: Request, *, default: str) -> PeriodForm:
    form = PeriodForm(request.query_params, default=default)
    if not form.is_valid():
        raise ValidationError({x: [*map(str, said)] for x, said in form.errors.items()})
    return form
