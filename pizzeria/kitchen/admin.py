from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from unfold.admin import ModelAdmin

from pizzeria.admin_rules import person_at
from pizzeria.kitchen.models import MAX_CAPACITY, Kitchen
from pizzeria.kitchen.services import set_capacity
from pizzeria.roles import OVERSEE


class KitchenForm(forms.ModelForm):  # type: ignore[type-arg]  # not at run time
    capacity = forms.IntegerField(min_value=1, max_value=MAX_CAPACITY)

    class Meta:
        model = Kitchen
        fields = ["capacity"]


@admin.register(Kitchen)
class KitchenAdmin(ModelAdmin):  # type: ignore[misc]  # unfold is untyped
    """The places in the oven, changed as on the managers' page."""

    list_display = ["__str__", "capacity"]
    form = KitchenForm

    def has_add_permission(self, request: HttpRequest) -> bool:
        return _may(request) and not Kitchen.objects.exists()

    def has_change_permission(
        self, request: HttpRequest, obj: Kitchen | None = None
    ) -> bool:
        return _may(request)

    def has_delete_permission(
        self, request: HttpRequest, obj: Kitchen | None = None
    ) -> bool:
        return False

    def save_model(
        self, request: HttpRequest, obj: Kitchen, form: KitchenForm, change: bool
    ) -> None:
        """Let the service write it, under the cooks' lock and with its event."""
        set_capacity(
            capacity=obj.capacity, actor=person_at(request), now=timezone.now()
        )
        obj.pk = Kitchen.ONLY_ID


def _may(request: HttpRequest) -> bool:
    return person_at(request).has_perm(OVERSEE)
