from django.contrib import admin
from unfold.admin import ModelAdmin

from pizzeria.admin_rules import ReadOnly
from pizzeria.customers.models import CustomerProfile


@admin.register(CustomerProfile)
class CustomerProfileAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]  # untyped
    """Whom the shop knows. People change their own profile; the admin reads it."""

    list_display = ["user", "phone", "fulfilment", "payment_method", "created_at"]
    list_filter = ["fulfilment", "payment_method", "created_at"]
    search_fields = ["user__username", "user__last_name", "phone"]
    list_select_related = ["user"]
