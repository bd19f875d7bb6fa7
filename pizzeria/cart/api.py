from contextlib import suppress
from http import HTTPStatus
from typing import Any

from django.http import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from pizzeria.api_errors import documented
from pizzeria.cart.cart import Cart
from pizzeria.cart.lines import MAX_QUANTITY, CartRow
from pizzeria.cart.views import GONE
from pizzeria.etags import IF_NONE_MATCH, NOT_MODIFIED, unless_unchanged
from pizzeria.exceptions import CartChanged
from pizzeria.fields import WholeNumberField, WordField
from pizzeria.limits import refusal_of
from pizzeria.menu.models import Pizza
from pizzeria.menu.pricing import Size
from pizzeria.menu.toppings import TOPPINGS
from pizzeria.people import person_of
from pizzeria.text import refuse_control_characters
from pizzeria.vouchers.models import MAX_CODE_LENGTH


class CartItemSerializer(serializers.Serializer[CartRow]):
    """Equal pizzas of the cart, summed."""

    key = serializers.CharField()
    pizza = serializers.IntegerField(source="pizza.pk")
    name = serializers.CharField(source="pizza.name")
    size = serializers.ChoiceField(choices=Size.choices)
    extra_toppings = serializers.ListField(child=serializers.CharField())
    quantity = serializers.IntegerField()
    unit_price = serializers.DecimalField(max_digits=8, decimal_places=2)
    total = serializers.DecimalField(max_digits=12, decimal_places=2)
    is_available = serializers.BooleanField()


class CartSerializer(serializers.Serializer[Cart]):
    """The cart of the session that the caller's login has."""

    items = CartItemSerializer(many=True, source="rows")
    count = serializers.IntegerField()
    subtotal_amount = serializers.DecimalField(
        max_digits=12,
        decimal_places=2,
        source="subtotal",
        help_text="Of the pizzas, before the discount.",
    )
    voucher_code = serializers.CharField(help_text="Empty without a voucher.")
    voucher_problem = serializers.CharField(
        help_text="Why the voucher takes nothing off now; empty if it does."
    )
    discount_amount = serializers.DecimalField(
        max_digits=12, decimal_places=2, source="discount"
    )
    total_amount = serializers.DecimalField(
        max_digits=12, decimal_places=2, source="total", help_text="What is paid."
    )
    vat_amount = serializers.DecimalField(
        max_digits=12, decimal_places=2, source="vat", help_text="Part of the total."
    )


class AddItemSerializer(serializers.Serializer[Any]):
    """What is to go into the cart."""

    pizza = WholeNumberField(min_value=1)
    size = WordField(Size.choices)
    quantity = WholeNumberField(min_value=1, max_value=MAX_QUANTITY)
    extra_toppings = serializers.ListField(
        child=WordField(TOPPINGS),
        required=False,
        max_length=len(TOPPINGS),
    )

    def validate_pizza(self, pizza_id: int) -> Pizza:
        pizza = Pizza.objects.not_retired().filter(pk=pizza_id).first()
        if pizza is None:
            raise serializers.ValidationError("This pizza is not on the menu.")
        return pizza

    def validate_size(self, size: str) -> Size:
        return Size(size)


class ChangeItemSerializer(serializers.Serializer[Any]):
    """What of an item is to be otherwise; the rest stays."""

    quantity = WholeNumberField(min_value=1, max_value=MAX_QUANTITY, required=False)
    size = WordField(Size.choices, required=False)
    extra_toppings = serializers.ListField(
        child=WordField(TOPPINGS), required=False, max_length=len(TOPPINGS)
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs:
            raise serializers.ValidationError(
                {"quantity": ["Name a quantity, a size or extra toppings."]}
            )
        return attrs


class VoucherCodeSerializer(serializers.Serializer[Any]):
    code = serializers.CharField(
        max_length=MAX_CODE_LENGTH, validators=[refuse_control_characters]
    )


_NOT_IN = documented(HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_NOT_ADDED = documented(HTTPStatus.BAD_REQUEST)
_NOT_FOUND = documented(HTTPStatus.NOT_FOUND)


class CartOfCaller(APIView):
    """The cart as a whole."""

    @extend_schema(
        tags=["cart"],
        operation_id="cart_retrieve",
        summary="What is in the cart",
        parameters=[IF_NONE_MATCH],
        responses={200: CartSerializer, **NOT_MODIFIED, **_NOT_IN},
    )
    def get(self, request: Request) -> HttpResponseBase:
        """The same cart that the pages show to this login."""
        cart = Cart(request.session)
        # Whoever reads sees what is left; whoever orders is told.
        with suppress(CartChanged):
            cart.drop_stale_lines()
        return unless_unchanged(request, CartSerializer(cart).data)

    @extend_schema(
        tags=["cart"],
        operation_id="cart_clear",
        summary="Empty the cart",
        responses={204: None, **_NOT_IN},
    )
    def delete(self, request: Request) -> Response:
        """Take everything out."""
        Cart(request.session).clear()
        return Response(status=HTTPStatus.NO_CONTENT)


class CartItems(APIView):
    """Where pizzas are added."""

    @extend_schema(
        tags=["cart"],
        operation_id="cart_items_create",
        summary="Add a pizza",
        request=AddItemSerializer,
        responses={201: CartSerializer, **_NOT_ADDED, **_NOT_IN},
    )
    def post(self, request: Request) -> Response:
        """Answers the whole cart; equal pizzas are one item of it."""
        chosen = AddItemSerializer(data=request.data)
        chosen.is_valid(raise_exception=True)
        cart = Cart(request.session)
        cart.add(**chosen.validated_data)
        return _show(cart, HTTPStatus.CREATED)


class CartItem(APIView):
    """One item of the cart, by its key."""

    @extend_schema(
        tags=["cart"],
        operation_id="cart_items_update",
        summary="Change how many, the size or the toppings",
        request=ChangeItemSerializer,
        responses={200: CartSerializer, **_NOT_ADDED, **_NOT_IN, **_NOT_FOUND},
    )
    def patch(self, request: Request, key: str) -> Response:
        """Answers the whole cart; another size or topping makes another key."""
        wanted = ChangeItemSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        changes = wanted.validated_data
        cart = Cart(request.session)
        row = _row(cart, key)
        if changes.keys() == {"quantity"}:
            cart.set_quantity(row, changes["quantity"])
        else:
            cart.replace(
                row,
                size=Size(changes.get("size", row.size)),
                quantity=changes.get("quantity", row.quantity),
                extra_toppings=changes.get("extra_toppings", row.extra_toppings),
            )
        return _show(cart)

    @extend_schema(
        tags=["cart"],
        operation_id="cart_items_destroy",
        summary="Take it out",
        responses={204: None, **_NOT_IN, **_NOT_FOUND},
    )
    def delete(self, request: Request, key: str) -> Response:
        """The other items stay."""
        cart = Cart(request.session)
        cart.remove(_row(cart, key))
        return Response(status=HTTPStatus.NO_CONTENT)


class CartVoucher(APIView):
    """The voucher that the next order is to be cheaper by."""

    @extend_schema(
        tags=["cart"],
        operation_id="cart_voucher_put",
        summary="Put a voucher in",
        request=VoucherCodeSerializer,
        responses={
            200: CartSerializer,
            **_NOT_ADDED,
            **_NOT_IN,
            **documented(HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.TOO_MANY_REQUESTS),
        },
    )
    def put(self, request: Request) -> HttpResponseBase:
        """In the place of another one. Answers the whole cart; 429 to who guesses."""
        told = VoucherCodeSerializer(data=request.data)
        told.is_valid(raise_exception=True)
        if too_many := refusal_of(request._request, "voucher"):  # noqa: SLF001
            return too_many
        cart = Cart(request.session)
        cart.put_in_voucher(told.validated_data["code"], customer=person_of(request))
        return _show(cart)

    @extend_schema(
        tags=["cart"],
        operation_id="cart_voucher_destroy",
        summary="Take the voucher out",
        responses={204: None, **_NOT_IN},
    )
    def delete(self, request: Request) -> Response:
        Cart(request.session).drop_voucher()
        return Response(status=HTTPStatus.NO_CONTENT)


class CartUndo(APIView):
    """Where the last removal is undone."""

    @extend_schema(
        tags=["cart"],
        operation_id="cart_undo",
        summary="Put back what was removed last",
        request=None,
        responses={200: CartSerializer, **_NOT_ADDED, **_NOT_IN},
    )
    def post(self, request: Request) -> Response:
        """Answers the whole cart; a second call changes nothing."""
        cart = Cart(request.session)
        cart.put_back()
        return _show(cart)


def _row(cart: Cart, key: str) -> CartRow:
    row = cart.row(key)
    if row is None:
        raise NotFound(GONE)
    return row


def _show(cart: Cart, status: HTTPStatus = HTTPStatus.OK) -> Response:
    return Response(CartSerializer(cart).data, status=status)
