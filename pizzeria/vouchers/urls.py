from django.urls import path

from pizzeria.vouchers import views

urlpatterns = [
    path("management/vouchers/", views.management_vouchers, name="management_vouchers"),
    path(
        "management/vouchers/add/",
        views.management_voucher_add,
        name="management_voucher_add",
    ),
    path(
        "management/vouchers/<int:voucher_id>/",
        views.management_voucher_edit,
        name="management_voucher_edit",
    ),
]
