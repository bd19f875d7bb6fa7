from collections.abc import Mapping
from datetime import date
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    extend_schema,
    extend_schema_field,
    extend_schema_view,
)
from rest_framework import generics, serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from pizzeria.access import Permitted
from pizzeria.api_errors import LoginTooOld, documented
from pizzeria.cart.api import CartSerializer
from pizzeria.cart.cart import Cart
from pizzeria.etags import IF_NONE_MATCH, NOT_MODIFIED, unless_unchanged
from pizzeria.exceptions import StatusConflict
from pizzeria.fields import WholeNumberField, WordField
from pizzeria.menu.pricing import CENT
from pizzeria.orders.contact import (
    MAX_ADDRESS_LENGTH,
    MAX_ALLERGY_LENGTH,
    MAX_NOTES_LENGTH,
    MAX_PHONE_LENGTH,
    MIN_ADDRESS_LENGTH,
    Contact,
    PaymentMethod,
    phone_number,
)
from pizzeria.orders.estimates import Estimate, estimate
from pizzeria.orders.forms import OrderFilter, valid_key
from pizzeria.orders.models import (
    MAX_REASON_LENGTH,
    Order,
    OrderLine,
    OrderQuerySet,
)
from pizzeria.orders.ordering import order_cart, reorder, take_back
from pizzeria.orders.services import move_order, refund_order
from pizzeria.orders.transitions import Fulfilment, Status
from pizzeria.people import person_of
from pizzeria.queries import read_query
from pizzeria.recent_login import is_login_recent
from pizzeria.roles import REFUND
from pizzeria.text import refuse_control_characters


class OrderLineSerializer(serializers.ModelSerializer[OrderLine]):
    toppings = serializers.ListField(child=serializers.CharField(), read_only=True)
    extra_toppings = serializers.ListField(
        child=serializers.CharField(), read_only=True
    )
    total = serializers.DecimalField(max_digits=12, decimal_places=2, read_only=True)

    class Meta:
        model = OrderLine
        fields = [
            "pizza",
            "name",
            "size",
            "toppings",
            "extra_toppings",
            "quantity",
            "unit_price",
            "total",
        ]
        read_only_fields = fields


class OrderSerializer(serializers.ModelSerializer[Order]):
    subtotal_amount = serializers.DecimalField(
        max_digits=12,
        decimal_places=2,
        read_only=True,
        help_text="Of the pizzas, before the discount.",
    )
    vat_amount = serializers.DecimalField(
        max_digits=12, decimal_places=2, read_only=True, help_text="Part of the total."
    )
    pizza_count = serializers.IntegerField(read_only=True)
    lines = OrderLineSerializer(many=True, read_only=True)

    class Meta:
        model = Order
        fields = [
            "id",
            "status",
            "subtotal_amount",
            "voucher_code",
            "discount_amount",
            "total_amount",
            "vat_percent",
            "vat_amount",
            "pizza_count",
            "lines",
            "customer_name",
            "customer_phone",
            "customer_address",
            "fulfilment",
            "payment_method",
            "allergies",
            "notes",
            "placed_at",
            "promised_at",
            "confirmed_at",
            "cooking_at",
            "ready_at",
            "delivering_at",
            "delivered_at",
            "handed_to",
            "delivery_note",
            "cancelled_at",
            "cancel_reason",
            "refunded_at",
            "refunded_amount",
            "refund_reason",
        ]
        read_only_fields = fields


class EstimateSerializer(serializers.Serializer[Estimate]):
    """From when to when the order is expected, at the door or at the counter."""

    earliest = serializers.DateTimeField()
    latest = serializers.DateTimeField()
    is_late = serializers.BooleanField(help_text="Later than was promised.")


class OneOrderSerializer(OrderSerializer):
    """An order with when to expect it and what the caller may do with it."""

    estimate = serializers.SerializerMethodField()
    can_become = serializers.SerializerMethodField()

    class Meta(OrderSerializer.Meta):
        fields = [*OrderSerializer.Meta.fields, "estimate", "can_become"]
        read_only_fields = fields

    @extend_schema_field(EstimateSerializer(allow_null=True))
    def get_estimate(self, order: Order) -> Any:
        # To the minute: a client that polls is told only what has changed.
        now = timezone.now().replace(second=0, microsecond=0)
        expected = estimate(order, now=now)
        return EstimateSerializer(expected).data if expected else None

    @extend_schema_field(
        serializers.ListField(child=serializers.ChoiceField(Status.choices))
    )
    def get_can_become(self, order: Order) -> list[str]:
        steps = order.steps_for(person_of(self.context["request"]))
        return [step.target.value for step in steps]


class PlaceOrderSerializer(serializers.Serializer[Contact]):
    """Where the cart's pizzas go, how to reach you, how you pay."""

    fulfilment = WordField(Fulfilment.choices, required=False)
    customer_phone = serializers.CharField(
        max_length=MAX_PHONE_LENGTH, help_text="In any usual form."
    )
    customer_address = serializers.CharField(
        required=False,
        min_length=MIN_ADDRESS_LENGTH,
        max_length=MAX_ADDRESS_LENGTH,
        validators=[refuse_control_characters],
        help_text="For a delivery, unless an entry of the address book is named.",
    )
    address = WholeNumberField(
        min_value=1,
        max_value=2**63 - 1,
        required=False,
        help_text="An entry of your address book, instead of `customer_address`.",
    )
    payment_method = WordField(PaymentMethod.choices)
    allergies = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=MAX_ALLERGY_LENGTH,
        validators=[refuse_control_characters],
    )
    notes = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=MAX_NOTES_LENGTH,
        validators=[refuse_control_characters],
    )

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        fields = super().get_fields()
        told = getattr(self, "initial_data", None)
        # A delivery needs one of the two; all that is missing is named at once.
        if isinstance(told, Mapping) and not (
            told.get("fulfilment") == Fulfilment.PICKUP or "address" in told
        ):
            fields["customer_address"].required = True
        return fields

    def validate_address(self, address_id: int) -> str:
        book = person_of(self.context["request"]).addresses
        address = book.filter(pk=address_id).first()
        if address is None:
            raise serializers.ValidationError("Your address book has no such entry.")
        return address.text

    def validate_fulfilment(self, fulfilment: str) -> Fulfilment:
        return Fulfilment(fulfilment)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        saved = attrs.pop("address", "")
        if attrs.get("fulfilment") == Fulfilment.PICKUP:
            attrs["customer_address"] = ""
        elif saved:
            attrs["customer_address"] = saved
        return attrs

    def validate_customer_phone(self, typed: str) -> str:
        try:
            return phone_number(typed)
        except ValidationError as error:
            raise serializers.ValidationError(error.messages) from error

    def validate_payment_method(self, method: str) -> PaymentMethod:
        return PaymentMethod(method)


_NOT_IN = documented(HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


@extend_schema_view(
    get=extend_schema(
        tags=["orders"],
        summary="Your orders, newest first",
        parameters=[
            OpenApiParameter("state", str, enum=list(OrderFilter.STATES)),
            OpenApiParameter("since", date, description="The restaurant's day."),
            OpenApiParameter("until", date, description="That day included."),
        ],
        responses={
            200: OrderSerializer(many=True),
            **documented(HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND),
            **_NOT_IN,
        },
    ),
)
class Orders(generics.ListAPIView[Order]):
    """The caller's own orders."""

    serializer_class = OrderSerializer

    def get_queryset(self) -> OrderQuerySet:
        mine = Order.objects.of(person_of(self.request)).with_lines()
        return read_query(OrderFilter, self.request).pick(mine)

    @extend_schema(
        tags=["orders"],
        summary="Order what is in the cart",
        parameters=[
            OpenApiParameter(
                "Idempotency-Key",
                str,
                OpenApiParameter.HEADER,
                description=(
                    "A name of your own for this request, 1 to 64 signs of ASCII. "
                    "Sent again, it answers with the same order, also while the first "
                    "request still runs; with other details it answers 422."
                ),
            )
        ],
        request=PlaceOrderSerializer,
        examples=[
            OpenApiExample(
                "Delivery",
                {
                    "customer_phone": "(202) 555-0143",
                    "customer_address": "1 Castle Road, Toadstool",
                    "payment_method": "cash",
                },
                request_only=True,
            ),
            OpenApiExample(
                "Pick-up",
                {
                    "fulfilment": "pickup",
                    "customer_phone": "+39 06 1234 5678",
                    "payment_method": "credit_card",
                },
                request_only=True,
            ),
        ],
        responses={
            201: OneOrderSerializer,
            **documented(
                HTTPStatus.BAD_REQUEST,
                HTTPStatus.CONFLICT,
                HTTPStatus.UNPROCESSABLE_ENTITY,
            ),
            **_NOT_IN,
        },
    )
    def post(self, request: Request) -> Response:
        """
        Each line of the cart is ordered once.

        Of two requests at the same moment both answer with the one order.
        """
        told = PlaceOrderSerializer(data=request.data, context={"request": request})
        told.is_valid(raise_exception=True)
        contact: dict[str, Any] = told.validated_data
        order = order_cart(
            session=request.session,
            customer=person_of(request),
            contact=Contact(**contact),
            placed_at=timezone.now(),
            key=_idempotency_key(request),
        )
        shown = OneOrderSerializer(order, context={"request": request})
        return Response(shown.data, status=HTTPStatus.CREATED)


class OneOrder(APIView):
    """One of the caller's orders; the kitchen sees everybody's."""

    @extend_schema(
        tags=["orders"],
        operation_id="orders_retrieve",
        summary="One order",
        parameters=[IF_NONE_MATCH],
        responses={
            200: OneOrderSerializer,
            **NOT_MODIFIED,
            **documented(HTTPStatus.NOT_FOUND),
            **_NOT_IN,
        },
    )
    def get(self, request: Request, order_id: int) -> HttpResponseBase:
        """Where it is, when it will be there, and what you may still do."""
        order = _visible(request, order_id)
        shown = OneOrderSerializer(order, context={"request": request})
        return unless_unchanged(request, shown.data)


class ReasonSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=MAX_REASON_LENGTH,
        validators=[refuse_control_characters],
    )


class CancelOrder(APIView):
    """Where an order is called off."""

    @extend_schema(
        tags=["orders"],
        operation_id="orders_cancel",
        summary="Cancel an order",
        request=ReasonSerializer,
        responses={
            200: OneOrderSerializer,
            **documented(
                HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT
            ),
            **_NOT_IN,
        },
    )
    def post(self, request: Request, order_id: int) -> Response:
        """Its customer may until the kitchen begins; then it answers 409."""
        order = _visible(request, order_id)
        told = ReasonSerializer(data=request.data)
        told.is_valid(raise_exception=True)
        try:
            order = move_order(
                order_id=order.pk,
                to=Status.CANCELLED,
                actor=person_of(request),
                now=timezone.now(),
                reason=told.validated_data.get("reason", ""),
            )
        except PermissionDenied as error:
            # For its customer it depends on how far it is, not on who they are.
            now_there = _visible(request, order_id)
            raise StatusConflict(
                "The kitchen has begun: it cannot be cancelled any more.",
                order=now_there.pk,
                status=now_there.status,
            ) from error
        shown = OneOrderSerializer(order, context={"request": request})
        return Response(shown.data)


class RefundSerializer(serializers.Serializer[Any]):
    """How much was given back, and why; the customer reads it."""

    amount = serializers.DecimalField(max_digits=12, decimal_places=2, min_value=CENT)
    reason = serializers.CharField(
        max_length=MAX_REASON_LENGTH, validators=[refuse_control_characters]
    )


class MayRefund(Permitted):
    needs = REFUND


class RefundOrder(APIView):
    """Where it is recorded that money was given back."""

    permission_classes = [IsAuthenticated, MayRefund]

    @extend_schema(
        tags=["orders"],
        operation_id="orders_refund",
        summary="Record that money was given back",
        request=RefundSerializer,
        responses={
            200: OneOrderSerializer,
            **documented(
                HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT
            ),
            **_NOT_IN,
        },
    )
    def post(self, request: Request, order_id: int) -> Response:
        """Once, for an order that is over. Asks for a recent login."""
        if not is_login_recent(request):
            raise LoginTooOld
        told = RefundSerializer(data=request.data)
        told.is_valid(raise_exception=True)
        try:
            order = refund_order(
                order_id=order_id,
                **told.validated_data,
                actor=person_of(request),
                now=timezone.now(),
            )
        except Order.DoesNotExist as error:
            raise Http404 from error
        shown = OneOrderSerializer(order, context={"request": request})
        return Response(shown.data)


class ChangeOrder(APIView):
    """Where an order becomes a cart again."""

    @extend_schema(
        tags=["orders"],
        operation_id="orders_change",
        summary="Take an order back into the cart, to change it",
        request=None,
        responses={
            200: CartSerializer,
            **documented(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
            **_NOT_IN,
        },
    )
    def post(self, request: Request, order_id: int) -> Response:
        """Cancels it, as long as its customer may; else 409. Answers the cart."""
        try:
            take_back(
                session=request.session,
                order_id=order_id,
                customer=person_of(request),
                now=timezone.now(),
            )
        except Order.DoesNotExist as error:
            raise Http404 from error
        return Response(CartSerializer(Cart(request.session)).data)


class NamesSerializer(serializers.Serializer[Any]):
    """What could not come along."""

    missing = serializers.ListField(child=serializers.CharField())


class OrderAgain(APIView):
    """Where an old order becomes a cart."""

    @extend_schema(
        tags=["orders"],
        operation_id="orders_again",
        summary="Put an old order into the cart",
        request=None,
        responses={
            200: NamesSerializer,
            **documented(HTTPStatus.NOT_FOUND),
            **_NOT_IN,
        },
    )
    def post(self, request: Request, order_id: int) -> Response:
        """At today's prices; names what cannot be had now. The cart keeps its own."""
        orders = Order.objects.of(person_of(request)).with_lines()
        order = get_object_or_404(orders, pk=order_id)
        missing = reorder(session=request.session, order=order)
        return Response(NamesSerializer({"missing": missing}).data)


def _visible(request: Request, order_id: int) -> Order:
    orders = Order.objects.visible_to(person_of(request)).with_lines()
    return get_object_or_404(orders, pk=order_id)


def _idempotency_key(request: Request) -> str:
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return ""
    try:
        valid_key(key)
    except ValidationError as error:
        raise serializers.ValidationError(
            {"Idempotency-Key": error.messages}
        ) from error
    return key


__all__ = ["OrderSerializer", "person_of"]
