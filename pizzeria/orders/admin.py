from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.utils import timezone
from unfold.admin import ModelAdmin, TabularInline

from pizzeria.admin_rules import ReadOnly, person_at
from pizzeria.exceptions import Conflict
from pizzeria.orders.models import Order, OrderLine, OrderQuerySet
from pizzeria.orders.services import move_order
from pizzeria.orders.transitions import Status
from pizzeria.roles import CANCEL


class OrderLineInline(ReadOnly, TabularInline):  # type: ignore[misc]  # untyped
    model = OrderLine
    fields = ["name", "size", "extra_toppings", "quantity", "unit_price"]
    extra = 0


@admin.register(Order)
class OrderAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]  # unfold is untyped
    """Orders, placed in the shop and moved by its table of steps."""

    list_display = [
        "id",
        "status",
        "fulfilment",
        "customer_name",
        "total_amount",
        "placed_at",
        "driver",
    ]
    list_filter = ["status", "fulfilment", "payment_method", "placed_at"]
    search_fields = ["=id", "customer_name", "customer_phone", "customer_address"]
    list_select_related = ["driver"]
    date_hierarchy = "placed_at"
    show_full_result_count = False
    inlines = [OrderLineInline]
    actions = ["cancel"]

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return person_at(request).has_perm(CANCEL)

    @admin.action(description="Cancel, where the rules allow", permissions=["cancel"])
    def cancel(self, request: HttpRequest, queryset: OrderQuerySet) -> None:
        cancelled = 0
        for order in queryset.order_by("pk"):
            try:
                move_order(
                    order_id=order.pk,
                    to=Status.CANCELLED,
                    actor=person_at(request),
                    now=timezone.now(),
                    reason="Cancelled by the restaurant.",
                )
            except Conflict as refusal:
                messages.warning(request, refusal.message)
            except PermissionDenied:
                messages.warning(request, f"Order {order.pk} is not yours to cancel.")
            else:
                cancelled += 1
        messages.success(request, f"{cancelled} cancelled.")
