from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from pizzeria.kitchen.models import Kitchen


@admin.register(Kitchen)
class KitchenAdmin(ModelAdmin):  # type: ignore[misc]  # unfold is untyped
    list_display = ["__str__", "capacity"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        may_add: bool = super().has_add_permission(request)
        return may_add and not Kitchen.objects.exists()

    def has_delete_permission(
        self, request: HttpRequest, obj: Kitchen | None = None
    ) -> bool:
        return False
