from http import HTTPStatus
from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import generics, serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from pizzeria.access import Permitted
from pizzeria.api_errors import documented
from pizzeria.fields import WordField
from pizzeria.people import person_of
from pizzeria.roles import CHANGE_VOUCHERS
from pizzeria.vouchers.forms import FIELDS
from pizzeria.vouchers.models import MAX_CODE_LENGTH, Voucher, written
from pizzeria.vouchers.services import save_voucher

_NOT_IN = documented(HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_WRONG = documented(HTTPStatus.BAD_REQUEST)
_NOT_FOUND = documented(HTTPStatus.NOT_FOUND)


class MayChangeVouchers(Permitted):
    needs = CHANGE_VOUCHERS


class VoucherSerializer(serializers.ModelSerializer[Voucher]):
    """Dates are the restaurant's days, and the last one counts; null is no limit."""

    # The service says what of it makes no sense, once it is written as it is kept.
    code = serializers.CharField(max_length=MAX_CODE_LENGTH)
    kind = WordField(Voucher.Kind.choices, required=False)
    uses = serializers.IntegerField(
        read_only=True, help_text="Orders with it; a cancelled one gives it back."
    )

    class Meta:
        model = Voucher
        fields = ["id", *FIELDS, "uses"]

    def validate_code(self, code: str) -> str:
        return written(code)


class ManagementVouchers(generics.ListAPIView[Voucher]):
    """All vouchers, those that can be used first."""

    permission_classes = [IsAuthenticated, MayChangeVouchers]
    serializer_class = VoucherSerializer

    def get_queryset(self) -> Any:
        return Voucher.objects.with_uses()

    @extend_schema(
        tags=["management"],
        operation_id="management_vouchers_list",
        summary="All vouchers",
        responses={200: VoucherSerializer(many=True), **_NOT_IN},
    )
    def get(self, request: Request) -> Response:
        return super().get(request)

    @extend_schema(
        tags=["management"],
        operation_id="management_vouchers_create",
        summary="Make a voucher",
        request=VoucherSerializer,
        examples=[
            OpenApiExample(
                "A fifth off, once for each",
                {
                    "code": "PIZZA20",
                    "kind": "percent",
                    "value": "20.00",
                    "minimum": "25.00",
                    "valid_until": "2026-12-31",
                    "most_uses": 500,
                    "most_uses_each": 1,
                },
                request_only=True,
            )
        ],
        responses={201: VoucherSerializer, **_WRONG, **_NOT_IN},
    )
    def post(self, request: Request) -> Response:
        """Its code is kept in capitals."""
        told = VoucherSerializer(data=request.data)
        told.is_valid(raise_exception=True)
        voucher = save_voucher(
            fields=told.validated_data, actor=person_of(request), now=timezone.now()
        )
        return Response(_shown(voucher.pk), status=HTTPStatus.CREATED)


class ManagementVoucher(APIView):
    """One voucher."""

    permission_classes = [IsAuthenticated, MayChangeVouchers]

    @extend_schema(
        tags=["management"],
        operation_id="management_vouchers_retrieve",
        summary="One voucher",
        responses={200: VoucherSerializer, **_NOT_FOUND, **_NOT_IN},
    )
    def get(self, request: Request, voucher_id: int) -> Response:
        return Response(_shown(voucher_id))

    @extend_schema(
        tags=["management"],
        operation_id="management_vouchers_change",
        summary="Change a voucher, or switch it off",
        request=VoucherSerializer(partial=True),
        responses={200: VoucherSerializer, **_WRONG, **_NOT_FOUND, **_NOT_IN},
    )
    def patch(self, request: Request, voucher_id: int) -> Response:
        """What is left out stays, and so does what was ordered with it."""
        voucher = get_object_or_404(Voucher, pk=voucher_id)
        told = VoucherSerializer(voucher, data=request.data, partial=True)
        told.is_valid(raise_exception=True)
        save_voucher(
            fields=told.validated_data,
            actor=person_of(request),
            now=timezone.now(),
            voucher_id=voucher_id,
        )
        return Response(_shown(voucher_id))


def _shown(voucher_id: int) -> object:
    voucher = get_object_or_404(Voucher.objects.with_uses(), pk=voucher_id)
    return VoucherSerializer(voucher).data
