from django.contrib import admin
from unfold.admin import ModelAdmin

from pizzeria.notifications.models import Notification


@admin.register(Notification)
class NotificationAdmin(ModelAdmin):  # type: ignore[misc]  # unfold is untyped
    list_display = ["title", "recipient", "kind", "created_at", "read_at"]
    list_filter = ["kind", "created_at"]
    raw_id_fields = ["recipient", "order"]
    list_select_related = ["recipient"]
