from http import HTTPStatus

from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.permissions import AllowAny

from pizzeria.access import by_token_only
from pizzeria.api_errors import documented
from pizzeria.menu.models import Pizza


class PricesSerializer(serializers.Serializer[dict[str, object]]):
    """The price of each size without extra toppings."""

    small = serializers.DecimalField(max_digits=8, decimal_places=2)
    medium = serializers.DecimalField(max_digits=8, decimal_places=2)
    large = serializers.DecimalField(max_digits=8, decimal_places=2)


class PizzaSerializer(serializers.ModelSerializer[Pizza]):
    toppings = serializers.ListField(child=serializers.CharField(), read_only=True)
    prices = PricesSerializer(read_only=True)

    class Meta:
        model = Pizza
        fields = [
            "id",
            "name",
            "description",
            "base_price",
            "toppings",
            "prices",
            "is_available",
        ]


@extend_schema(tags=["menu"], auth=[], summary="The whole menu")
class Menu(generics.ListAPIView[Pizza]):
    """Every pizza with its price by size; sold-out ones say so."""

    queryset = Pizza.objects.all()
    serializer_class = PizzaSerializer
    # Nobody has to say who they are, and reading the menu reads no cookie's session;
    # a token that is not valid is refused all the same.
    authentication_classes = by_token_only()
    permission_classes = [AllowAny]
    pagination_class = None


@extend_schema(
    tags=["menu"],
    auth=[],
    summary="One pizza",
    responses={200: PizzaSerializer, **documented(HTTPStatus.NOT_FOUND)},
)
class MenuPizza(generics.RetrieveAPIView[Pizza]):
    """One pizza of the menu."""

    queryset = Pizza.objects.all()
    serializer_class = PizzaSerializer
    # Nobody has to say who they are, and reading the menu reads no cookie's session;
    # a token that is not valid is refused all the same.
    authentication_classes = by_token_only()
    permission_classes = [AllowAny]
    lookup_url_kwarg = "pizza_id"
