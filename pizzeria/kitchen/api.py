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
from pizzeria.fields import WordField
from pizzeria.kitchen.board import STAGES
from pizzeria.kitchen.forms import KITCHEN_STEPS
from pizzeria.orders.api import OrderSerializer, person_of
from pizzeria.orders.models import Order
from pizzeria.orders.services import move_order
from pizzeria.orders.transitions import Status
from pizzeria.roles import COOK


class MayCook(Permitted):
    needs = COOK


class MoveSerializer(serializers.Serializer[Any]):
    """The state that the order is to have next."""

    status = WordField([(x.value, x.label) for x in KITCHEN_STEPS])


_NOT_IN = documented(HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


@extend_schema(
    tags=["kitchen"],
    summary="What the kitchen has to do",
    responses={200: OrderSerializer(many=True), **_NOT_IN},
)
class KitchenOrders(generics.ListAPIView[Order]):
    """What waits, then what is in the oven, then what is ready; each oldest first."""

    permission_classes = [IsAuthenticated, MayCook]
    serializer_class = OrderSerializer
    # The names of the three states happen to sort as the stages follow each other.
    queryset = (
        Order.objects.filter(status__in=STAGES)
        .with_lines()
        .order_by("status", "placed_at", "id")
    )


class KitchenOrderStatus(APIView):
    """Where an order is moved on."""

    permission_classes = [IsAuthenticated, MayCook]

    @extend_schema(
        tags=["kitchen"],
        operation_id="kitchen_orders_status",
        summary="Start an order, or finish it",
        request=MoveSerializer,
        responses={
            200: OrderSerializer,
            **documented(
                HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT
            ),
            **_NOT_IN,
        },
    )
    def post(self, request: Request, order_id: int) -> Response:
        """Of two cooks at the same moment one succeeds; the other gets a 409."""
        wanted = MoveSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        try:
            order = move_order(
                order_id=order_id,
                to=Status(wanted.validated_data["status"]),
                actor=person_of(request),
                now=timezone.now(),
            )
        except Order.DoesNotExist as error:
            raise Http404 from error
        return Response(OrderSerializer(order).data)
