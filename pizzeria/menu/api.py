from http import HTTPStatus
from typing import Any

from django.http import Http404, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import generics, serializers
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from pizzeria.access import Permitted, by_token_only
from pizzeria.api_errors import documented
from pizzeria.etags import IF_NONE_MATCH, NOT_MODIFIED, unless_unchanged
from pizzeria.fields import WholeNumberField, WordField
from pizzeria.menu import services
from pizzeria.menu.bulk import (
    HIGHEST_PERCENT,
    LOWEST_PERCENT,
    MOST_AT_ONCE,
    BulkAction,
    change_many,
)
from pizzeria.menu.forms import MAX_SEARCH_LENGTH, MenuFilter
from pizzeria.menu.models import Category, MenuChange, Pizza, PizzaQuerySet, Spice
from pizzeria.menu.nutrition import FACTS
from pizzeria.menu.pricing import Size
from pizzeria.menu.toppings import TOPPINGS, Allergen, allergens_of
from pizzeria.people import person_of
from pizzeria.queries import read_query
from pizzeria.roles import ADD_TO_MENU, CHANGE_MENU
from pizzeria.text import refuse_control_characters


class PricesSerializer(serializers.Serializer[dict[str, object]]):
    """The price of each size without extra toppings."""

    small = serializers.DecimalField(max_digits=8, decimal_places=2)
    medium = serializers.DecimalField(max_digits=8, decimal_places=2)
    large = serializers.DecimalField(max_digits=8, decimal_places=2)


class AmountsSerializer(serializers.Serializer[dict[str, object]]):
    """What is in one; kcal, and grams of the others. Null is unknown."""

    kcal = serializers.IntegerField(allow_null=True)
    fat = serializers.DecimalField(max_digits=6, decimal_places=1, allow_null=True)
    saturates = serializers.DecimalField(
        max_digits=6, decimal_places=1, allow_null=True
    )
    carbohydrate = serializers.DecimalField(
        max_digits=6, decimal_places=1, allow_null=True
    )
    sugars = serializers.DecimalField(max_digits=6, decimal_places=1, allow_null=True)
    protein = serializers.DecimalField(max_digits=6, decimal_places=1, allow_null=True)
    salt = serializers.DecimalField(max_digits=6, decimal_places=1, allow_null=True)


class NutritionSerializer(serializers.Serializer[dict[str, object]]):
    """What each size feeds, as it comes."""

    small = AmountsSerializer()
    medium = AmountsSerializer()
    large = AmountsSerializer()


class PizzaSerializer(serializers.ModelSerializer[Pizza]):
    toppings = serializers.ListField(child=serializers.CharField(), read_only=True)
    prices = PricesSerializer(read_only=True)
    nutrition = NutritionSerializer(read_only=True, allow_null=True)
    is_vegetarian = serializers.BooleanField(read_only=True)
    allergens = serializers.ListField(
        child=serializers.ChoiceField(Allergen.choices), read_only=True
    )

    class Meta:
        model = Pizza
        fields = [
            "id",
            "name",
            "description",
            "category",
            "base_price",
            "toppings",
            "prices",
            "is_vegetarian",
            "allergens",
            "spice_level",
            "nutrition",
            "available_from",
            "available_until",
            "is_available",
        ]


FILTERS = [
    OpenApiParameter("q", str, description=f"At most {MAX_SEARCH_LENGTH} characters."),
    OpenApiParameter("category", str, enum=Category.values),
    OpenApiParameter("topping", str, enum=TOPPINGS),
    OpenApiParameter("vegetarian", bool),
    OpenApiParameter("seasonal", bool, description="Only what is there for a season."),
    OpenApiParameter(
        "spice", int, enum=Spice.values, many=True, description="0 is mild."
    ),
    OpenApiParameter("sort", str, enum=["name", "price", "spice"]),
    OpenApiParameter("without", str, enum=Allergen.values, many=True),
]


class Menu(APIView):
    """The menu as guests see it."""

    # Nobody has to say who they are, and reading the menu reads no cookie's session;
    # a token that is not valid is refused all the same.
    authentication_classes = by_token_only()
    permission_classes = [AllowAny]

    @extend_schema(
        tags=["menu"],
        operation_id="menu_list",
        auth=[],
        summary="The whole menu",
        parameters=[*FILTERS, IF_NONE_MATCH],
        responses={
            200: PizzaSerializer(many=True),
            **NOT_MODIFIED,
            **documented(HTTPStatus.BAD_REQUEST),
        },
    )
    def get(self, request: Request) -> HttpResponseBase:
        """
        Every pizza with its price by size; sold-out ones say so.

        It comes whole: a menu holds at most 200 pizzas.
        """
        wanted = read_query(MenuFilter, request)
        pizzas = wanted.pick(Pizza.objects.on_menu()[: services.MAX_PIZZAS])
        return unless_unchanged(request, PizzaSerializer(pizzas, many=True).data)


@extend_schema(
    tags=["menu"],
    auth=[],
    summary="One pizza",
    responses={200: PizzaSerializer, **documented(HTTPStatus.NOT_FOUND)},
)
class MenuPizza(generics.RetrieveAPIView[Pizza]):
    """One pizza of the menu."""

    queryset = Pizza.objects.none()
    serializer_class = PizzaSerializer
    # Nobody has to say who they are, and reading the menu reads no cookie's session;
    # a token that is not valid is refused all the same.
    authentication_classes = by_token_only()
    permission_classes = [AllowAny]
    lookup_url_kwarg = "pizza_id"

    def get_queryset(self) -> PizzaQuerySet:
        return Pizza.objects.on_menu()


class ChoiceSerializer(serializers.Serializer[Any]):
    size = WordField(Size.choices)
    extra_toppings = serializers.ListField(
        child=WordField(TOPPINGS), required=False, max_length=len(TOPPINGS)
    )


class QuoteSerializer(serializers.Serializer[Any]):
    """What one such pizza costs, and what is in it."""

    unit_price = serializers.DecimalField(max_digits=8, decimal_places=2)
    allergens = serializers.ListField(child=serializers.ChoiceField(Allergen.choices))


class MenuPizzaPrice(APIView):
    """What a pizza costs as chosen."""

    authentication_classes = by_token_only()
    permission_classes = [AllowAny]

    @extend_schema(
        tags=["menu"],
        operation_id="menu_price",
        auth=[],
        summary="What it costs with extras",
        parameters=[
            OpenApiParameter("size", str, enum=Size.values, required=True),
            OpenApiParameter("extra_toppings", str, enum=TOPPINGS, many=True),
        ],
        responses={
            200: QuoteSerializer,
            **documented(HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND),
        },
    )
    def get(self, request: Request, pizza_id: int) -> Response:
        """The price that cart and bill will say; a topping it has costs nothing."""
        pizza = get_object_or_404(Pizza.objects.on_menu(), pk=pizza_id)
        chosen = ChoiceSerializer(data=request.query_params)
        chosen.is_valid(raise_exception=True)
        extras = chosen.validated_data.get("extra_toppings", [])
        quote = {
            "unit_price": pizza.unit_price(Size(chosen.validated_data["size"]), extras),
            "allergens": allergens_of([*pizza.toppings, *extras], pizza.more_allergens),
        }
        return Response(QuoteSerializer(quote).data)


class ManagedPizzaSerializer(PizzaSerializer):
    """A pizza with what only managers see."""

    more_allergens = serializers.ListField(
        child=serializers.CharField(), read_only=True
    )

    class Meta(PizzaSerializer.Meta):
        fields = [
            *PizzaSerializer.Meta.fields,
            "more_allergens",
            *FACTS,
            "retired_at",
            "version",
        ]


def _grams() -> serializers.DecimalField:
    return serializers.DecimalField(
        max_digits=5, decimal_places=1, min_value=0, required=False, allow_null=True
    )


class EditPizzaSerializer(serializers.Serializer[Any]):
    """What a manager decides about a pizza."""

    name = serializers.CharField(max_length=100, validators=[refuse_control_characters])
    description = serializers.CharField(
        max_length=500, allow_blank=True, validators=[refuse_control_characters]
    )
    base_price = serializers.DecimalField(
        max_digits=6, decimal_places=2, help_text="Of a small one; more than 0."
    )
    category = WordField(Category.choices)
    toppings = serializers.ListField(
        child=WordField(TOPPINGS), max_length=len(TOPPINGS)
    )
    more_allergens = serializers.ListField(
        child=WordField(Allergen.choices), max_length=len(Allergen), required=False
    )
    spice_level = WholeNumberField(
        min_value=0, max_value=max(Spice.values), required=False, help_text="0 is mild."
    )
    available_from = serializers.DateField(
        required=False, allow_null=True, help_text="The first day of its season."
    )
    available_until = serializers.DateField(
        required=False, allow_null=True, help_text="The last day of its season."
    )
    kcal = WholeNumberField(
        min_value=0,
        max_value=9999,
        required=False,
        allow_null=True,
        help_text="Of a small one, like the grams that follow.",
    )
    fat = _grams()
    saturates = _grams()
    carbohydrate = _grams()
    sugars = _grams()
    protein = _grams()
    salt = _grams()
    is_available = serializers.BooleanField(required=False)
    version = WholeNumberField(
        min_value=1,
        max_value=2**31 - 1,
        required=False,
        help_text="The version that was seen; 409 if there is a newer one.",
    )


class MenuChangeSerializer(serializers.ModelSerializer[MenuChange]):
    changes = serializers.DictField(
        child=serializers.ListField(), help_text="Field: what it was, what it is."
    )

    class Meta:
        model = MenuChange
        fields = ["action", "changes", "changed_by_name", "changed_at"]


# What a PUT that does not name it makes of it.
_LEFT_OUT: dict[str, Any] = {
    "more_allergens": [],
    "spice_level": Spice.MILD,
    "available_from": None,
    "available_until": None,
    **dict.fromkeys(FACTS),
    "is_available": True,
}


class MayChangeMenu(Permitted):
    needs = CHANGE_MENU


class MayAddToMenu(Permitted):
    needs = CHANGE_MENU

    def has_permission(self, request: Request, view: APIView) -> bool:
        is_adding = request.method == "POST"
        may_add = not is_adding or request.user.has_perm(ADD_TO_MENU)
        return may_add and super().has_permission(request, view)


_NOT_IN = documented(HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_WRONG = documented(HTTPStatus.BAD_REQUEST)
_NOT_FOUND = documented(HTTPStatus.NOT_FOUND)
_CONFLICT = documented(HTTPStatus.CONFLICT)
_EXAMPLE = OpenApiExample(
    "Diavola",
    {
        "name": "Diavola",
        "description": "Hot salami and olives.",
        "base_price": "15.50",
        "category": "special",
        "toppings": ["Pepperoni", "Olives"],
    },
    request_only=True,
)


class ManagedMenu(generics.ListAPIView[Pizza]):
    """Every pizza, retired ones too."""

    permission_classes = [IsAuthenticated, MayAddToMenu]
    serializer_class = ManagedPizzaSerializer
    queryset = Pizza.objects.order_by("retired_at", "name", "id")

    @extend_schema(
        tags=["menu management"],
        summary="All pizzas, retired ones too",
        responses={200: ManagedPizzaSerializer(many=True), **_NOT_IN, **_NOT_FOUND},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        tags=["menu management"],
        summary="Put a pizza on the menu",
        request=EditPizzaSerializer,
        examples=[_EXAMPLE],
        responses={201: ManagedPizzaSerializer, **_WRONG, **_NOT_IN},
    )
    def post(self, request: Request) -> Response:
        """Answers the pizza with its number."""
        fields = EditPizzaSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        pizza = services.add_pizza(
            fields=fields.validated_data, actor=person_of(request), now=timezone.now()
        )
        shown = ManagedPizzaSerializer(pizza).data
        return Response(shown, status=HTTPStatus.CREATED)


class SeenPizzaSerializer(serializers.Serializer[Any]):
    """A pizza, and the version that was seen; 409 if there is a newer one."""

    id = WholeNumberField(min_value=1, max_value=2**31 - 1)
    version = WholeNumberField(min_value=1, max_value=2**31 - 1)


class BulkSerializer(serializers.Serializer[Any]):
    """One thing that is done to all of these pizzas, or to none."""

    action = WordField(BulkAction.choices)
    pizzas = serializers.ListField(
        child=SeenPizzaSerializer(), allow_empty=False, max_length=MOST_AT_ONCE
    )
    percent = serializers.DecimalField(
        max_digits=4,
        decimal_places=1,
        min_value=LOWEST_PERCENT,
        max_value=HIGHEST_PERCENT,
        required=False,
        help_text="For a price: 5 is dearer, -5 is cheaper.",
    )

    def validate_pizzas(self, pizzas: list[dict[str, int]]) -> dict[int, int]:
        versions = {pizza["id"]: pizza["version"] for pizza in pizzas}
        if len(versions) < len(pizzas):
            raise serializers.ValidationError("A pizza is named twice.")
        return versions


class ManagedMenuBulk(APIView):
    """Where several pizzas change at once."""

    permission_classes = [IsAuthenticated, MayChangeMenu]

    @extend_schema(
        tags=["menu management"],
        operation_id="management_menu_bulk",
        summary="Do one thing to several pizzas",
        request=BulkSerializer,
        examples=[
            OpenApiExample(
                "Five percent more",
                {
                    "action": "price",
                    "percent": "5.0",
                    "pizzas": [{"id": 1, "version": 1}, {"id": 2, "version": 4}],
                },
                request_only=True,
            )
        ],
        responses={
            200: ManagedPizzaSerializer(many=True),
            **_WRONG,
            **_NOT_IN,
            **_NOT_FOUND,
            **_CONFLICT,
        },
    )
    def post(self, request: Request) -> Response:
        """All of them change, or none does; answers what they are then."""
        told = BulkSerializer(data=request.data)
        told.is_valid(raise_exception=True)
        try:
            changed = change_many(
                action=BulkAction(told.validated_data["action"]),
                versions=told.validated_data["pizzas"],
                percent=told.validated_data.get("percent"),
                actor=person_of(request),
                now=timezone.now(),
            )
        except Pizza.DoesNotExist as error:
            raise Http404 from error
        return Response(ManagedPizzaSerializer(changed, many=True).data)


class ManagedPizza(APIView):
    """One pizza, for managers."""

    permission_classes = [IsAuthenticated, MayChangeMenu]

    @extend_schema(
        tags=["menu management"],
        operation_id="management_menu_retrieve",
        summary="One pizza, with its version",
        responses={200: ManagedPizzaSerializer, **_NOT_IN, **_NOT_FOUND},
    )
    def get(self, request: Request, pizza_id: int) -> Response:
        pizza = get_object_or_404(Pizza, pk=pizza_id)
        return Response(ManagedPizzaSerializer(pizza).data)

    @extend_schema(
        tags=["menu management"],
        operation_id="management_menu_replace",
        summary="Set every field",
        request=EditPizzaSerializer,
        examples=[_EXAMPLE],
        responses={
            200: ManagedPizzaSerializer,
            **_WRONG,
            **_NOT_IN,
            **_NOT_FOUND,
            **_CONFLICT,
        },
    )
    def put(self, request: Request, pizza_id: int) -> Response:
        """What may be left out is then as for a new pizza."""
        return self._edit(request, pizza_id, is_partial=False)

    @extend_schema(
        tags=["menu management"],
        operation_id="management_menu_change",
        summary="Set some fields",
        request=EditPizzaSerializer(partial=True),
        responses={
            200: ManagedPizzaSerializer,
            **_WRONG,
            **_NOT_IN,
            **_NOT_FOUND,
            **_CONFLICT,
        },
    )
    def patch(self, request: Request, pizza_id: int) -> Response:
        """What is left out stays as it is."""
        return self._edit(request, pizza_id, is_partial=True)

    @extend_schema(
        tags=["menu management"],
        operation_id="management_menu_retire",
        summary="Take it off the menu",
        responses={204: None, **_NOT_IN, **_NOT_FOUND},
    )
    def delete(self, request: Request, pizza_id: int) -> Response:
        """It retires: orders that hold it stay, and it can be brought back."""
        get_object_or_404(Pizza, pk=pizza_id)
        services.retire_pizza(
            pizza_id=pizza_id, actor=person_of(request), now=timezone.now()
        )
        return Response(status=HTTPStatus.NO_CONTENT)

    def _edit(self, request: Request, pizza_id: int, *, is_partial: bool) -> Response:
        get_object_or_404(Pizza, pk=pizza_id)
        told = EditPizzaSerializer(data=request.data, partial=is_partial)
        told.is_valid(raise_exception=True)
        fields = dict(told.validated_data)
        version = fields.pop("version", None)
        if not is_partial:
            fields = {**_LEFT_OUT, **fields}
        pizza = services.edit_pizza(
            pizza_id=pizza_id,
            fields=fields,
            actor=person_of(request),
            now=timezone.now(),
            version=version,
        )
        return Response(ManagedPizzaSerializer(pizza).data)


class ManagedPizzaRestore(APIView):
    """Where a retired pizza comes back."""

    permission_classes = [IsAuthenticated, MayChangeMenu]

    @extend_schema(
        tags=["menu management"],
        operation_id="management_menu_restore",
        summary="Bring a retired pizza back",
        request=None,
        responses={200: ManagedPizzaSerializer, **_WRONG, **_NOT_IN, **_NOT_FOUND},
    )
    def post(self, request: Request, pizza_id: int) -> Response:
        """One that is on the menu stays there."""
        get_object_or_404(Pizza, pk=pizza_id)
        pizza = services.restore_pizza(
            pizza_id=pizza_id, actor=person_of(request), now=timezone.now()
        )
        return Response(ManagedPizzaSerializer(pizza).data)


@extend_schema(
    tags=["menu management"],
    summary="Who changed it, when, from what to what",
    responses={200: MenuChangeSerializer(many=True), **_NOT_IN, **_NOT_FOUND},
)
class ManagedPizzaHistory(generics.ListAPIView[MenuChange]):
    """A pizza's changes, newest first."""

    permission_classes = [IsAuthenticated, MayChangeMenu]
    serializer_class = MenuChangeSerializer
    queryset = MenuChange.objects.none()

    def get_queryset(self) -> Any:
        pizza = get_object_or_404(Pizza, pk=self.kwargs["pizza_id"])
        return pizza.history.all()
