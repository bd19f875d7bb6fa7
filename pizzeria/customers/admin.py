from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from pizzeria.customers.models import CustomerProfile


@admin.register(CustomerProfile)
class CustomerProfileAdmin(ModelAdmin):  # type: ignore[misc]  # unfold is untyped
    """Whom the shop knows. People change their own profile; the admin reads it."""

    list_display = ["user", "phone", "fulfilment", "payment_method", "created_at"]
    list_filter = ["fulfilment", "payment_method", "created_at"]
    search_fields = ["user__username", "user__last_name", "phone"]
    list_select_related = ["user"]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
