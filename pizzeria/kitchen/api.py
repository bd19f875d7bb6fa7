from http import HTTPStatus
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Case, When
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics, serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from pizzeria.access import Permitted
from pizzeria.api_errors import documented
from pizzeria.fields import WholeNumberField, WordField
from pizzeria.kitchen import services
from pizzeria.kitchen.board import WITH_PENDING, average_wait, board, orders_at
from pizzeria.kitchen.forms import KITCHEN_STEPS, StationForm
from pizzeria.kitchen.hours import hours_of_today
from pizzeria.kitchen.models import MAX_CAPACITY
from pizzeria.menu.models import Category
from pizzeria.orders.api import OrderSerializer, person_of
from pizzeria.orders.models import Order, OrderLine, OrderQuerySet, full_name
from pizzeria.orders.services import move_order
from pizzeria.orders.transitions import Status
from pizzeria.queries import read_query
from pizzeria.roles import COOK, OVERSEE


class MayCook(Permitted):
    needs = COOK


class MayOversee(Permitted):
    needs = OVERSEE


class MoveSerializer(serializers.Serializer[Any]):
    """The state that the order is to have next."""

    status = WordField(KITCHEN_STEPS)
    seen = WordField(
        Status.choices,
        required=False,
        help_text="The state it had when you decided: another one is a 409.",
    )


class CookSerializer(serializers.Serializer[Any]):
    """Whose the order is to be."""

    cook = WholeNumberField(
        min_value=1,
        max_value=2**63 - 1,
        required=False,
        allow_null=True,
        help_text="Of another than yourself only managers say so.",
    )


class KitchenOrderSerializer(OrderSerializer):
    """An order with what only the kitchen sees."""

    assigned_to = serializers.SerializerMethodField(
        help_text="The name of the cook whose it is."
    )

    class Meta(OrderSerializer.Meta):
        fields = [*OrderSerializer.Meta.fields, "assigned_to"]
        read_only_fields = fields

    def get_assigned_to(self, order: Order) -> str | None:
        known = getattr(order, "assignment", None)
        return full_name(known.cook) if known else None


class TickSerializer(serializers.Serializer[Any]):
    """Whether the line is done."""

    is_ticked = serializers.BooleanField()


class CapacitySerializer(serializers.Serializer[Any]):
    """How many orders fit into the oven."""

    capacity = WholeNumberField(min_value=1, max_value=MAX_CAPACITY)


class ToMakeSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    count = serializers.IntegerField()


class KitchenSerializer(serializers.Serializer[Any]):
    """How busy the kitchen is."""

    capacity = serializers.IntegerField()
    total_pending = serializers.IntegerField(help_text="Orders that wait.")
    total_cooking = serializers.IntegerField()
    total_ready = serializers.IntegerField()
    average_wait_minutes = serializers.FloatField(
        allow_null=True,
        help_text="From placed to ready, of the last orders that were delivered.",
    )
    to_make = ToMakeSerializer(many=True, help_text="Pizzas over all orders.")


_NOT_IN = documented(HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_CHANGED = {
    200: OrderSerializer,
    **documented(HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
    **_NOT_IN,
}


class KitchenStatus(APIView):
    permission_classes = [IsAuthenticated, MayCook]

    @extend_schema(
        tags=["kitchen"],
        operation_id="kitchen_status",
        summary="How busy the kitchen is",
        responses={200: KitchenSerializer, **_NOT_IN},
    )
    def get(self, request: Request) -> Response:
        shown = board(now=timezone.now())
        wait = average_wait()
        counts = {column["status"]: column["count"] for column in shown["columns"]}
        return Response(
            {
                "capacity": shown["capacity"],
                "total_pending": counts[Status.CONFIRMED],
                "total_cooking": counts[Status.COOKING],
                "total_ready": counts[Status.READY],
                "average_wait_minutes": None
                if wait is None
                else round(wait.total_seconds() / 60, 1),
                "to_make": shown["all_day"],
            }
        )


class KitchenHourSerializer(serializers.Serializer[Any]):
    begins_at = serializers.DateTimeField()
    orders = serializers.IntegerField(help_text="Without cancelled ones.")
    pizzas = serializers.IntegerField()
    average_minutes = serializers.FloatField(
        allow_null=True, help_text="From placed to ready, of those that are."
    )


class KitchenHours(APIView):
    permission_classes = [IsAuthenticated, MayCook]

    @extend_schema(
        tags=["kitchen"],
        operation_id="kitchen_hours",
        summary="What was ordered today, hour by hour",
        responses={200: KitchenHourSerializer(many=True), **_NOT_IN},
    )
    def get(self, request: Request) -> Response:
        """Only hours that had an order, in the restaurant's time zone."""
        hours = hours_of_today(now=timezone.now())
        return Response(KitchenHourSerializer(hours, many=True).data)


class KitchenCapacity(APIView):
    permission_classes = [IsAuthenticated, MayOversee]

    @extend_schema(
        tags=["kitchen"],
        operation_id="kitchen_capacity",
        summary="Say how many orders fit into the oven",
        request=CapacitySerializer,
        responses={
            200: CapacitySerializer,
            **documented(HTTPStatus.BAD_REQUEST),
            **_NOT_IN,
        },
    )
    def put(self, request: Request) -> Response:
        """What is in the oven already stays there."""
        wanted = CapacitySerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        kitchen = services.set_capacity(
            capacity=wanted.validated_data["capacity"],
            actor=person_of(request),
            now=timezone.now(),
        )
        return Response({"capacity": kitchen.capacity})


@extend_schema(
    tags=["kitchen"],
    summary="What the kitchen has to do",
    parameters=[
        OpenApiParameter(
            "station",
            str,
            enum=Category.values,
            description="Only orders with such a pizza; they come whole.",
        ),
        OpenApiParameter("mine", bool, description="Only those assigned to you."),
    ],
    responses={
        200: KitchenOrderSerializer(many=True),
        **documented(HTTPStatus.BAD_REQUEST),
        **_NOT_IN,
    },
)
class KitchenOrders(generics.ListAPIView[Order]):
    """
    What waits, then what is in the oven, then what is ready; each oldest first.

    Before them comes what is `pending`: the status `confirmed` accepts it.
    """

    permission_classes = [IsAuthenticated, MayCook]
    serializer_class = KitchenOrderSerializer

    def get_queryset(self) -> OrderQuerySet:
        asked = read_query(StationForm, self.request).cleaned_data
        mine = person_of(self.request) if asked["mine"] else None
        orders = orders_at(asked["station"], cook=mine).with_lines()
        orders = orders.select_related("assignment__cook")
        stages = [When(status=x, then=n) for n, x in enumerate(WITH_PENDING)]
        return orders.order_by(Case(*stages), "placed_at", "id")


class KitchenOrderStatus(APIView):
    """Where an order is moved on."""

    permission_classes = [IsAuthenticated, MayCook]

    @extend_schema(
        tags=["kitchen"],
        operation_id="kitchen_orders_status",
        summary="Start an order, finish it, hand it out, or take a step back",
        request=MoveSerializer,
        responses=_CHANGED,
    )
    def post(self, request: Request, order_id: int) -> Response:
        """Of two cooks at the same moment one succeeds; the other gets a 409."""
        wanted = MoveSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        seen = wanted.validated_data.get("seen")
        try:
            order = move_order(
                order_id=order_id,
                to=Status(wanted.validated_data["status"]),
                actor=person_of(request),
                now=timezone.now(),
                seen=Status(seen) if seen else None,
            )
        except Order.DoesNotExist as error:
            raise Http404 from error
        return Response(OrderSerializer(order).data)


class KitchenLineTick(APIView):
    permission_classes = [IsAuthenticated, MayCook]

    @extend_schema(
        tags=["kitchen"],
        operation_id="kitchen_orders_tick",
        summary="Tick a line off, or on again",
        request=TickSerializer,
        responses=_CHANGED,
    )
    def post(self, request: Request, order_id: int, line_id: int) -> Response:
        """With its last line the order is ready."""
        wanted = TickSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        try:
            order = services.tick_line(
                order_id=order_id,
                line_id=line_id,
                is_ticked=wanted.validated_data["is_ticked"],
                actor=person_of(request),
                now=timezone.now(),
            )
        except (Order.DoesNotExist, OrderLine.DoesNotExist) as error:
            raise Http404 from error
        return Response(OrderSerializer(order).data)


class KitchenOrderCook(APIView):
    permission_classes = [IsAuthenticated, MayCook]

    @extend_schema(
        tags=["kitchen"],
        operation_id="kitchen_orders_cook",
        summary="Say whose an order is",
        request=CookSerializer,
        responses={
            200: KitchenOrderSerializer,
            **documented(
                HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT
            ),
            **_NOT_IN,
        },
    )
    def post(self, request: Request, order_id: int) -> Response:
        """Without a cook it is yours; with null nobody's. Others may start it, too."""
        wanted = CookSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        person = person_of(request)
        number = wanted.validated_data.get("cook", person.pk)
        cook = None if number is None else get_object_or_404(User, pk=number)
        try:
            order = services.assign(
                order_id=order_id, cook=cook, actor=person, now=timezone.now()
            )
        except Order.DoesNotExist as error:
            raise Http404 from error
        return Response(KitchenOrderSerializer(order).data)


class KitchenCancellationSeen(APIView):
    permission_classes = [IsAuthenticated, MayCook]

    @extend_schema(
        tags=["kitchen"],
        operation_id="kitchen_orders_seen",
        summary="Take note of a cancellation",
        request=None,
        responses=_CHANGED,
    )
    def post(self, request: Request, order_id: int) -> Response:
        """A second time changes nothing."""
        try:
            order = services.take_note_of_cancellation(
                order_id=order_id, actor=person_of(request), now=timezone.now()
            )
        except Order.DoesNotExist as error:
            raise Http404 from error
        return Response(OrderSerializer(order).data)
