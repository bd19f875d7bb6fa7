from django.contrib import admin
from unfold.admin import ModelAdmin

from pizzeria.admin_rules import ReadOnly
from pizzeria.restaurant.models import Restaurant


@admin.register(Restaurant)
class RestaurantAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]  # unfold is untyped
    """What is set on the management's page, to be looked at."""

    list_display = ["__str__", "delivery_minimum", "delivery_area", "hours"]
