from http import HTTPStatus
from typing import Any

from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from pizzeria.access import Permitted
from pizzeria.api_errors import documented
from pizzeria.delivery import services
from pizzeria.delivery.board import ready_orders, tour_of
from pizzeria.delivery.drivers import drivers_now
from pizzeria.fields import WholeNumberField, WordField
from pizzeria.orders.api import OrderSerializer, person_of
from pizzeria.orders.models import MAX_REASON_LENGTH, Order, OrderQuerySet
from pizzeria.orders.transitions import HandedTo
from pizzeria.restaurant.area import postcode_of
from pizzeria.roles import DELIVER, OVERSEE
from pizzeria.text import refuse_control_characters


class MayDeliver(Permitted):
    needs = DELIVER


class MayOversee(Permitted):
    needs = OVERSEE


class BringBackSerializer(serializers.Serializer[Any]):
    """Why it could not be handed over."""

    reason = serializers.CharField(
        required=False,
        allow_blank=True,
        default="",
        max_length=MAX_REASON_LENGTH,
        validators=[refuse_control_characters],
    )


class HandOverSerializer(serializers.Serializer[Any]):
    """How it was handed over; nothing of it has to be said."""

    handed_to = WordField(HandedTo.choices, required=False, allow_blank=True)
    note = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=MAX_REASON_LENGTH,
        validators=[refuse_control_characters],
    )


class TakeAllSerializer(serializers.Serializer[Any]):
    orders = serializers.ListField(
        child=WholeNumberField(min_value=1, max_value=2**63 - 1),
        allow_empty=False,
        max_length=services.MAX_STOPS,
    )


class ReadyOrderSerializer(OrderSerializer):
    postcode = serializers.SerializerMethodField(
        help_text="Read from the address; those of one are taken along together."
    )

    class Meta(OrderSerializer.Meta):
        fields = [*OrderSerializer.Meta.fields, "postcode"]
        read_only_fields = fields

    def get_postcode(self, order: Order) -> str | None:
        return postcode_of(order.customer_address)


class MoveStopSerializer(serializers.Serializer[Any]):
    """One place earlier (-1) or later (1)."""

    by = WordField([-1, 1])


_NOT_IN = documented(HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_CHANGED = {
    200: OrderSerializer,
    **documented(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
    **_NOT_IN,
}


class _DriversView(APIView):
    permission_classes = [IsAuthenticated, MayDeliver]


@extend_schema(
    tags=["delivery"],
    summary="What may be taken along, what has waited longest first",
    responses={200: ReadyOrderSerializer(many=True), **_NOT_IN},
)
class ReadyOrders(generics.ListAPIView[Order]):
    permission_classes = [IsAuthenticated, MayDeliver]
    serializer_class = ReadyOrderSerializer
    queryset = Order.objects.none()

    def get_queryset(self) -> OrderQuerySet:
        return ready_orders().with_lines()


@extend_schema(
    tags=["delivery"],
    summary="Your own tour, in the order of its stops",
    responses={200: OrderSerializer(many=True), **_NOT_IN},
)
class Tour(generics.ListAPIView[Order]):
    permission_classes = [IsAuthenticated, MayDeliver]
    serializer_class = OrderSerializer
    queryset = Order.objects.none()

    def get_queryset(self) -> OrderQuerySet:
        return tour_of(person_of(self.request)).with_lines()


class StopSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    customer_address = serializers.CharField()
    delivering_at = serializers.DateTimeField()
    promised_at = serializers.DateTimeField(allow_null=True)
    is_late = serializers.BooleanField(help_text="Beyond what was promised.")


class DriverSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    is_on_tour = serializers.BooleanField()
    since = serializers.DateTimeField(allow_null=True)
    stops = StopSerializer(many=True)
    delivered_today = serializers.IntegerField()
    average_minutes = serializers.FloatField(
        allow_null=True, help_text="On the road, today."
    )
    busy_share = serializers.FloatField(
        allow_null=True,
        help_text="Of the time since the first departure today: with an order in hand.",
    )


class WaitingSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    customer_address = serializers.CharField()
    ready_at = serializers.DateTimeField(allow_null=True)
    age_minutes = serializers.IntegerField()
    age = serializers.ChoiceField(["fresh", "waiting", "late"])


class DriversSerializer(serializers.Serializer[Any]):
    now = serializers.DateTimeField()
    on_tour_count = serializers.IntegerField()
    drivers_count = serializers.IntegerField()
    drivers = DriverSerializer(many=True, help_text="A hundred at most.")
    ready_count = serializers.IntegerField()
    longest_minutes = serializers.IntegerField(allow_null=True)
    ready = WaitingSerializer(many=True, help_text="Fifty at most, longest first.")


class Drivers(APIView):
    permission_classes = [IsAuthenticated, MayOversee]

    @extend_schema(
        tags=["delivery"],
        summary="All drivers at this moment, and what waits for one",
        responses={200: DriversSerializer, **_NOT_IN},
    )
    def get(self, request: Request) -> Response:
        return Response(DriversSerializer(drivers_now(now=timezone.now())).data)


class TakeOrder(_DriversView):
    @extend_schema(
        tags=["delivery"],
        operation_id="delivery_take",
        summary="Put an order on your tour",
        request=None,
        responses=_CHANGED,
    )
    def post(self, request: Request, order_id: int) -> Response:
        """Of two drivers at the same moment one gets it; the other gets a 409."""
        try:
            order = services.take(
                order_id=order_id, driver=person_of(request), now=timezone.now()
            )
        except Order.DoesNotExist as error:
            raise Http404 from error
        return Response(OrderSerializer(order).data)


class TakeAll(_DriversView):
    @extend_schema(
        tags=["delivery"],
        operation_id="delivery_take_all",
        summary="Put several orders on your tour",
        request=TakeAllSerializer,
        responses={
            **_CHANGED,
            200: OrderSerializer(many=True),
            **documented(HTTPStatus.BAD_REQUEST),
        },
    )
    def post(self, request: Request) -> Response:
        """All of them, or none; `extra.order` names the one that is in the way."""
        chosen = TakeAllSerializer(data=request.data)
        chosen.is_valid(raise_exception=True)
        try:
            taken = services.take_all(
                order_ids=chosen.validated_data["orders"],
                driver=person_of(request),
                now=timezone.now(),
            )
        except Order.DoesNotExist as error:
            raise Http404 from error
        return Response(OrderSerializer(taken, many=True).data)


class DeliverOrder(_DriversView):
    @extend_schema(
        tags=["delivery"],
        operation_id="delivery_deliver",
        summary="Hand an order over",
        request=HandOverSerializer,
        responses={**_CHANGED, **documented(HTTPStatus.BAD_REQUEST)},
    )
    def post(self, request: Request, order_id: int) -> Response:
        """Only what is on your own tour; managers step in."""
        told = HandOverSerializer(data=request.data)
        told.is_valid(raise_exception=True)
        try:
            order = services.deliver(
                order_id=order_id,
                driver=person_of(request),
                now=timezone.now(),
                **told.validated_data,
            )
        except Order.DoesNotExist as error:
            raise Http404 from error
        return Response(OrderSerializer(order).data)


class UndoDelivery(_DriversView):
    @extend_schema(
        tags=["delivery"],
        operation_id="delivery_undo",
        summary="Say that it was not handed over after all",
        request=None,
        responses=_CHANGED,
    )
    def post(self, request: Request, order_id: int) -> Response:
        """For a quarter of an hour; it is on your tour again."""
        try:
            order = services.undo_delivery(
                order_id=order_id, driver=person_of(request), now=timezone.now()
            )
        except Order.DoesNotExist as error:
            raise Http404 from error
        return Response(OrderSerializer(order).data)


class BringBackOrder(_DriversView):
    @extend_schema(
        tags=["delivery"],
        operation_id="delivery_return",
        summary="Bring an order back",
        request=BringBackSerializer,
        responses={**_CHANGED, **documented(HTTPStatus.BAD_REQUEST)},
    )
    def post(self, request: Request, order_id: int) -> Response:
        """It is ready again, for whoever takes it next."""
        told = BringBackSerializer(data=request.data)
        told.is_valid(raise_exception=True)
        try:
            order = services.bring_back(
                order_id=order_id,
                driver=person_of(request),
                now=timezone.now(),
                reason=told.validated_data["reason"],
            )
        except Order.DoesNotExist as error:
            raise Http404 from error
        return Response(OrderSerializer(order).data)


class MoveStop(_DriversView):
    @extend_schema(
        tags=["delivery"],
        operation_id="delivery_move",
        summary="Move a stop of your tour",
        request=MoveStopSerializer,
        responses={
            204: None,
            **documented(HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND),
            **_NOT_IN,
        },
    )
    def post(self, request: Request, order_id: int) -> Response:
        wanted = MoveStopSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        try:
            services.move_stop(
                order_id=order_id,
                driver=person_of(request),
                by=wanted.validated_data["by"],
            )
        except Order.DoesNotExist as error:
            raise Http404 from error
        return Response(status=HTTPStatus.NO_CONTENT)
