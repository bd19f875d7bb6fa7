from django.contrib import admin
from unfold.admin import ModelAdmin

from pizzeria.admin_rules import ReadOnly
from pizzeria.ratings.models import Rating


@admin.register(Rating)
class RatingAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]  # unfold is untyped
    """What customers said; theirs to change, not the admin's."""

    list_display = ["order", "stars", "words", "rated_at"]
    list_filter = ["stars", "rated_at"]
    list_select_related = ["order"]
    show_full_result_count = False
