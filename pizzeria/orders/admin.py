from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline

from pizzeria.orders.models import Order, OrderLine


class _ReadOnly:
    """Orders are placed in the shop and moved by its rules, never edited."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class OrderLineInline(_ReadOnly, TabularInline):  # type: ignore[misc]  # untyped
    model = OrderLine
    fields = ["name", "size", "extra_toppings", "quantity", "unit_price"]
    extra = 0


@admin.register(Order)
class OrderAdmin(_ReadOnly, ModelAdmin):  # type: ignore[misc]  # unfold is untyped
    list_display = ["id", "status", "customer_name", "total_amount", "placed_at"]
    list_filter = ["status", "payment_method", "placed_at"]
    search_fields = ["=id", "customer_name", "customer_phone", "customer_address"]
    date_hierarchy = "placed_at"
    inlines = [OrderLineInline]
