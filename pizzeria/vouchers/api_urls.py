from django.urls import path

from pizzeria.vouchers import api

urlpatterns = [
    path(
        "management/vouchers/",
        api.ManagementVouchers.as_view(),
        name="api_management_vouchers",
    ),
    path(
        "management/vouchers/<int:voucher_id>/",
        api.ManagementVoucher.as_view(),
        name="api_management_voucher",
    ),
]
