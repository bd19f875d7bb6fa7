from http import HTTPStatus
from typing import Any

from django.core.exceptions import ValidationError
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from pizzeria.api_errors import LoginTooOld, documented
from pizzeria.customers import services
from pizzeria.customers.knowledge import Statistics, everything_about, statistics_of
from pizzeria.customers.models import (
    MAX_LABEL_LENGTH,
    Address,
    CustomerProfile,
    profile_of,
)
from pizzeria.fields import WordField
from pizzeria.menu.api import PizzaSerializer
from pizzeria.menu.models import Pizza
from pizzeria.orders.contact import (
    MAX_ADDRESS_LENGTH,
    MAX_ALLERGY_LENGTH,
    MAX_PHONE_LENGTH,
    MIN_ADDRESS_LENGTH,
    PaymentMethod,
    phone_number,
)
from pizzeria.orders.transitions import Fulfilment
from pizzeria.people import person_of
from pizzeria.recent_login import is_login_recent
from pizzeria.text import refuse_control_characters

_NOT_IN = documented(HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_WRONG = documented(HTTPStatus.BAD_REQUEST)
_NOT_FOUND = documented(HTTPStatus.NOT_FOUND)
_CONFLICT = documented(HTTPStatus.CONFLICT)


class ProfileSerializer(serializers.Serializer[CustomerProfile]):
    """What is filled in for the next order; an empty field is not."""

    name = serializers.CharField(source="user.get_full_name", read_only=True)
    email = serializers.CharField(source="user.email", read_only=True)
    phone = serializers.CharField(
        allow_blank=True,
        max_length=MAX_PHONE_LENGTH,
        help_text="In any usual form; kept as +12025550143.",
    )
    allergies = serializers.CharField(
        allow_blank=True,
        max_length=MAX_ALLERGY_LENGTH,
        validators=[refuse_control_characters],
    )
    payment_method = WordField(PaymentMethod.choices, allow_blank=True)
    fulfilment = WordField(Fulfilment.choices, allow_blank=True)
    wants_mail = serializers.BooleanField(
        required=False, help_text="About your orders, where the shop sends mails."
    )

    def validate_phone(self, typed: str) -> str:
        if not typed:
            return ""
        try:
            return phone_number(typed)
        except ValidationError as error:
            raise serializers.ValidationError(error.messages) from error


class Profile(APIView):
    """What is known of the caller."""

    @extend_schema(
        tags=["profile"],
        operation_id="profile_retrieve",
        summary="Your profile",
        responses={200: ProfileSerializer, **_NOT_IN},
    )
    def get(self, request: Request) -> Response:
        """Reading writes nothing."""
        return Response(ProfileSerializer(profile_of(person_of(request))).data)

    @extend_schema(
        tags=["profile"],
        operation_id="profile_replace",
        summary="Set all of your profile",
        request=ProfileSerializer,
        responses={200: ProfileSerializer, **_WRONG, **_NOT_IN},
    )
    def put(self, request: Request) -> Response:
        """An empty text clears a field."""
        return self._update(request, is_partial=False)

    @extend_schema(
        tags=["profile"],
        operation_id="profile_change",
        summary="Set some of your profile",
        request=ProfileSerializer(partial=True),
        responses={200: ProfileSerializer, **_WRONG, **_NOT_IN},
    )
    def patch(self, request: Request) -> Response:
        """What is left out stays; an empty text clears a field."""
        return self._update(request, is_partial=True)

    @extend_schema(
        tags=["profile"],
        operation_id="profile_erase",
        summary="Be forgotten",
        responses={204: None, **_NOT_IN, **_CONFLICT},
    )
    def delete(self, request: Request) -> Response:
        """
        For good. Orders stay in the books without name, phone, address and notes.

        Asks for a recent login (`recent_login_required`), and for no order to be
        under way.
        """
        if not is_login_recent(request):
            raise LoginTooOld
        services.erase_customer(user=person_of(request))
        request.session.flush()
        return Response(status=HTTPStatus.NO_CONTENT)

    def _update(self, request: Request, *, is_partial: bool) -> Response:
        told = ProfileSerializer(data=request.data, partial=is_partial)
        told.is_valid(raise_exception=True)
        profile = services.update_profile(
            user=person_of(request), fields=told.validated_data
        )
        return Response(ProfileSerializer(profile).data)


class ProfileExport(APIView):
    """All that is stored of the caller."""

    @extend_schema(
        tags=["profile"],
        operation_id="profile_export",
        summary="Everything that is stored of you",
        responses={200: OpenApiTypes.OBJECT, **_NOT_IN},
    )
    def get(self, request: Request) -> Response:
        """Asks for a recent login (`recent_login_required`)."""
        if not is_login_recent(request):
            raise LoginTooOld
        return Response(everything_about(person_of(request), now=timezone.now()))


class StatisticsSerializer(serializers.Serializer[Statistics]):
    orders = serializers.IntegerField()
    delivered = serializers.IntegerField()
    cancelled = serializers.IntegerField()
    spent = serializers.DecimalField(
        14, 2, help_text="For what was delivered; cancelled orders cost nothing."
    )
    favourite_pizza = serializers.CharField(allow_null=True)
    points = serializers.IntegerField(help_text="One for each whole dollar spent.")
    stage = serializers.CharField(help_text="By delivered orders.")
    orders_to_next_stage = serializers.IntegerField(allow_null=True)


class ProfileStatistics(APIView):
    """The caller's orders in figures."""

    @extend_schema(
        tags=["profile"],
        operation_id="profile_statistics",
        summary="Your orders in figures",
        responses={200: StatisticsSerializer, **_NOT_IN},
    )
    def get(self, request: Request) -> Response:
        return Response(StatisticsSerializer(statistics_of(person_of(request))).data)


class AddressSerializer(serializers.Serializer[Address]):
    id = serializers.IntegerField(read_only=True)
    label = serializers.CharField(  # type: ignore[assignment]  # a name of its own
        max_length=MAX_LABEL_LENGTH, validators=[refuse_control_characters]
    )
    text = serializers.CharField(
        min_length=MIN_ADDRESS_LENGTH,
        max_length=MAX_ADDRESS_LENGTH,
        validators=[refuse_control_characters],
    )
    is_default = serializers.BooleanField(required=False)


_HOME = OpenApiExample(
    "Home",
    {"label": "Home", "text": "1 Castle Road, Toadstool", "is_default": True},
    request_only=True,
)


class Addresses(generics.ListAPIView[Address]):
    """The caller's address book."""

    serializer_class = AddressSerializer
    queryset = Address.objects.none()

    def get_queryset(self) -> Any:
        return person_of(self.request).addresses.all()

    @extend_schema(
        tags=["profile"],
        summary="Your address book",
        responses={200: AddressSerializer(many=True), **_NOT_IN, **_NOT_FOUND},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The default one first."""
        return super().get(request, *args, **kwargs)

    @extend_schema(
        tags=["profile"],
        summary="Add an address",
        request=AddressSerializer,
        examples=[_HOME],
        responses={201: AddressSerializer, **_WRONG, **_NOT_IN},
    )
    def post(self, request: Request) -> Response:
        """At most twenty; the first is the default."""
        told = AddressSerializer(data=request.data)
        told.is_valid(raise_exception=True)
        address = services.save_address(user=person_of(request), **told.validated_data)
        return Response(AddressSerializer(address).data, status=HTTPStatus.CREATED)


class OneAddress(APIView):
    """An entry of the caller's address book; others' are not there."""

    @extend_schema(
        tags=["profile"],
        operation_id="profile_addresses_retrieve",
        summary="One address",
        responses={200: AddressSerializer, **_NOT_IN, **_NOT_FOUND},
    )
    def get(self, request: Request, address_id: int) -> Response:
        return Response(AddressSerializer(_mine(request, address_id)).data)

    @extend_schema(
        tags=["profile"],
        operation_id="profile_addresses_replace",
        summary="Write an address anew",
        request=AddressSerializer,
        examples=[_HOME],
        responses={200: AddressSerializer, **_WRONG, **_NOT_IN, **_NOT_FOUND},
    )
    def put(self, request: Request, address_id: int) -> Response:
        """Old orders keep the text that they were placed with."""
        return self._update(request, address_id, is_partial=False)

    @extend_schema(
        tags=["profile"],
        operation_id="profile_addresses_change",
        summary="Change some of an address",
        request=AddressSerializer(partial=True),
        responses={200: AddressSerializer, **_WRONG, **_NOT_IN, **_NOT_FOUND},
    )
    def patch(self, request: Request, address_id: int) -> Response:
        """What is left out stays."""
        return self._update(request, address_id, is_partial=True)

    @extend_schema(
        tags=["profile"],
        operation_id="profile_addresses_destroy",
        summary="Take an address out",
        responses={204: None, **_NOT_IN, **_NOT_FOUND},
    )
    def delete(self, request: Request, address_id: int) -> Response:
        """Old orders keep it."""
        _mine(request, address_id)
        services.remove_address(user=person_of(request), address_id=address_id)
        return Response(status=HTTPStatus.NO_CONTENT)

    def _update(
        self, request: Request, address_id: int, *, is_partial: bool
    ) -> Response:
        address = _mine(request, address_id)
        told = AddressSerializer(data=request.data, partial=is_partial)
        told.is_valid(raise_exception=True)
        known: dict[str, Any] = {"label": address.label, "text": address.text}
        if is_partial:
            known["is_default"] = address.is_default
        address = services.save_address(
            user=person_of(request),
            address_id=address_id,
            **{**known, **told.validated_data},
        )
        return Response(AddressSerializer(address).data)


class Favourites(generics.ListAPIView[Pizza]):
    """The caller's favourites."""

    serializer_class = PizzaSerializer
    queryset = Pizza.objects.none()

    def get_queryset(self) -> Any:
        mine = person_of(self.request).favourites.values("pizza")
        return Pizza.objects.on_menu().filter(pk__in=mine)

    @extend_schema(
        tags=["profile"],
        summary="Your favourites that are on the menu",
        responses={200: PizzaSerializer(many=True), **_NOT_IN, **_NOT_FOUND},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class OneFavourite(APIView):
    """Whether a pizza is one of the caller's favourites."""

    @extend_schema(
        tags=["profile"],
        operation_id="profile_favourites_add",
        summary="Make it a favourite",
        request=None,
        responses={204: None, **_WRONG, **_NOT_IN, **_NOT_FOUND},
    )
    def put(self, request: Request, pizza_id: int) -> Response:
        """A second call changes nothing."""
        return self._set(request, pizza_id, is_favourite=True)

    @extend_schema(
        tags=["profile"],
        operation_id="profile_favourites_remove",
        summary="No longer a favourite",
        responses={204: None, **_NOT_IN, **_NOT_FOUND},
    )
    def delete(self, request: Request, pizza_id: int) -> Response:
        """One that was none stays none."""
        return self._set(request, pizza_id, is_favourite=False)

    def _set(self, request: Request, pizza_id: int, *, is_favourite: bool) -> Response:
        pizza = get_object_or_404(Pizza.objects.not_retired(), pk=pizza_id)
        services.set_favourite(
            user=person_of(request), pizza=pizza, is_favourite=is_favourite
        )
        return Response(status=HTTPStatus.NO_CONTENT)


def _mine(request: Request, address_id: int) -> Address:
    return get_object_or_404(Address, user=person_of(request), pk=address_id)
