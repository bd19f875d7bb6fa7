from django.contrib import admin
from unfold.admin import ModelAdmin

from pizzeria.admin_rules import ReadOnly
from pizzeria.notifications.models import Notification


@admin.register(Notification)
class NotificationAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]  # untyped
    """What people were told; made by what happened, and theirs to dismiss."""

    list_display = ["title", "recipient", "kind", "created_at", "read_at", "mailed_at"]
    list_filter = ["kind", ("read_at", admin.EmptyFieldListFilter), "created_at"]
    search_fields = ["recipient__username", "=order__id", "title"]
    list_select_related = ["recipient"]
