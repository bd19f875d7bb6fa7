from http import HTTPStatus
from typing import Any

from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from pizzeria.api_errors import documented
from pizzeria.fields import WholeNumberField
from pizzeria.orders.models import Order
from pizzeria.people import person_of
from pizzeria.ratings.models import MAX_WORDS_LENGTH, MOST_STARS, Rating
from pizzeria.ratings.services import rate_order
from pizzeria.text import refuse_control_characters


class RatingSerializer(serializers.Serializer[Any]):
    stars = WholeNumberField(min_value=1, max_value=MOST_STARS)
    words = serializers.CharField(
        required=False,
        allow_blank=True,
        default="",
        max_length=MAX_WORDS_LENGTH,
        validators=[refuse_control_characters],
    )
    rated_at = serializers.DateTimeField(read_only=True)


_ANSWERS = {
    200: RatingSerializer,
    **documented(HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND),
}


class OrderRating(APIView):
    """What the caller thought of an order of theirs."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        tags=["orders"],
        operation_id="orders_rating_retrieve",
        summary="What you thought of an order",
        responses=_ANSWERS,
    )
    def get(self, request: Request, order_id: int) -> Response:
        """Answer 404 as long as it is not rated."""
        mine = Rating.objects.filter(order__customer=person_of(request))
        return Response(RatingSerializer(get_object_or_404(mine, pk=order_id)).data)

    @extend_schema(
        tags=["orders"],
        operation_id="orders_rating_update",
        summary="Say what you thought of an order",
        request=RatingSerializer,
        responses={
            **_ANSWERS,
            **documented(HTTPStatus.BAD_REQUEST, HTTPStatus.CONFLICT),
        },
    )
    def put(self, request: Request, order_id: int) -> Response:
        """Once it was delivered; you may think again for a day."""
        said = RatingSerializer(data=request.data)
        said.is_valid(raise_exception=True)
        try:
            rating = rate_order(
                order_id=order_id,
                customer=person_of(request),
                now=timezone.now(),
                **said.validated_data,
            )
        except Order.DoesNotExist as error:
            raise Http404 from error
        return Response(RatingSerializer(rating).data)
