from http import HTTPStatus
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from pizzeria.api_errors import documented
from pizzeria.fields import WordField
from pizzeria.orders.contact import (
    MAX_ADDRESS_LENGTH,
    MAX_NOTES_LENGTH,
    MAX_PHONE_LENGTH,
    MIN_ADDRESS_LENGTH,
    Contact,
    PaymentMethod,
    phone_number,
)
from pizzeria.orders.models import Order, OrderLine, OrderQuerySet
from pizzeria.orders.ordering import order_cart
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
    pizza_count = serializers.IntegerField(read_only=True)
    lines = OrderLineSerializer(many=True, read_only=True)

    class Meta:
        model = Order
        fields = [
            "id",
            "status",
            "total_amount",
            "pizza_count",
            "lines",
            "customer_name",
            "customer_phone",
            "customer_address",
            "payment_method",
            "notes",
            "placed_at",
            "confirmed_at",
            "cooking_at",
            "ready_at",
            "delivering_at",
            "delivered_at",
            "cancelled_at",
        ]
        read_only_fields = fields


class PlaceOrderSerializer(serializers.Serializer[Contact]):
    """Where the cart's pizzas go, how to reach you, how you pay."""

    customer_phone = serializers.CharField(
        max_length=MAX_PHONE_LENGTH, help_text="In any usual form."
    )
    customer_address = serializers.CharField(
        min_length=MIN_ADDRESS_LENGTH,
        max_length=MAX_ADDRESS_LENGTH,
        validators=[refuse_control_characters],
    )
    payment_method = WordField(PaymentMethod.choices)
    notes = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=MAX_NOTES_LENGTH,
        validators=[refuse_control_characters],
    )

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
        responses={200: OrderSerializer(many=True), **_NOT_IN},
    ),
)
class Orders(generics.ListAPIView[Order]):
    """The caller's own orders."""

    serializer_class = OrderSerializer

    def get_queryset(self) -> OrderQuerySet:
        return Order.objects.of(person_of(self.request)).with_lines()

    @extend_schema(
        tags=["orders"],
        summary="Order what is in the cart",
        request=PlaceOrderSerializer,
        responses={
            201: OrderSerializer,
            **documented(HTTPStatus.BAD_REQUEST, HTTPStatus.CONFLICT),
            **_NOT_IN,
        },
    )
    def post(self, request: Request) -> Response:
        """
        Each line of the cart is ordered once.

        Of two requests at the same moment both answer with the one order.
        """
        told = PlaceOrderSerializer(data=request.data)
        told.is_valid(raise_exception=True)
        contact: dict[str, Any] = told.validated_data
        order = order_cart(
            session=request.session,
            customer=person_of(request),
            contact=Contact(**contact),
            placed_at=timezone.now(),
        )
        return Response(OrderSerializer(order).data, status=HTTPStatus.CREATED)


@extend_schema(
    tags=["orders"],
    summary="One order",
    responses={200: OrderSerializer, **documented(HTTPStatus.NOT_FOUND), **_NOT_IN},
)
class OneOrder(generics.RetrieveAPIView[Order]):
    """One of the caller's orders; the kitchen sees everybody's."""

    # The schema is made without a caller; each request asks `get_queryset`.
    queryset = Order.objects.none()
    serializer_class = OrderSerializer
    lookup_url_kwarg = "order_id"

    def get_queryset(self) -> OrderQuerySet:
        return Order.objects.visible_to(person_of(self.request)).with_lines()


def person_of(request: Request) -> User:
    person = request.user
    assert isinstance(person, User)  # noqa: S101  # every view here asks for a login
    return person
