from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils import timezone
from unfold.admin import ModelAdmin
from unfold.forms import ActionForm
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminDecimalFieldWidget,
)

from pizzeria.admin_rules import ReadOnly, person_at
from pizzeria.exceptions import PizzeriaError
from pizzeria.menu import services
from pizzeria.menu.bulk import (
    HIGHEST_PERCENT,
    LOWEST_PERCENT,
    BulkAction,
    change_many,
)
from pizzeria.menu.models import MenuChange, Pizza, PizzaQuerySet
from pizzeria.menu.toppings import TOPPINGS, Allergen


class PizzaForm(forms.ModelForm):  # type: ignore[type-arg]  # not at run time
    toppings = forms.MultipleChoiceField(
        choices=[(topping, topping) for topping in TOPPINGS],
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )
    more_allergens = forms.MultipleChoiceField(
        choices=Allergen.choices,
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )

    class Meta:
        model = Pizza
        fields = list(services.EDITABLE)


class PriceActionForm(ActionForm):  # type: ignore[misc]  # unfold is untyped
    percent = forms.DecimalField(
        label="Percent, for a price",
        required=False,
        min_value=LOWEST_PERCENT,
        max_value=HIGHEST_PERCENT,
        max_digits=4,
        decimal_places=1,
        widget=UnfoldAdminDecimalFieldWidget,
    )


@admin.register(Pizza)
class PizzaAdmin(ModelAdmin):  # type: ignore[misc]  # unfold is untyped
    """The menu; a pizza retires and comes back, and is never deleted."""

    form = PizzaForm
    list_display = ["name", "category", "base_price", "topping_names", "on_sale"]
    list_filter = [
        "is_available",
        "category",
        "spice_level",
        ("retired_at", admin.EmptyFieldListFilter),
        ("available_until", admin.EmptyFieldListFilter),
    ]
    search_fields = ["name", "description"]
    actions = ["sold_out", "available", "retire", "restore", "price"]
    action_form = PriceActionForm

    @admin.display(description="Toppings")
    def topping_names(self, pizza: Pizza) -> str:
        return ", ".join(pizza.toppings) or "none"

    @admin.display(description="On sale", boolean=True)
    def on_sale(self, pizza: Pizza) -> bool:
        return pizza.is_on_sale

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_add_permission(self, request: HttpRequest) -> bool:
        may_add: bool = super().has_add_permission(request)
        return may_add and Pizza.objects.not_retired().count() < services.MAX_PIZZAS

    @admin.action(description="Mark as sold out", permissions=["change"])
    def sold_out(self, request: HttpRequest, queryset: PizzaQuerySet) -> None:
        _change(request, queryset, BulkAction.SOLD_OUT)

    @admin.action(description="Put on sale again", permissions=["change"])
    def available(self, request: HttpRequest, queryset: PizzaQuerySet) -> None:
        _change(request, queryset, BulkAction.AVAILABLE)

    @admin.action(description="Take off the menu", permissions=["change"])
    def retire(self, request: HttpRequest, queryset: PizzaQuerySet) -> None:
        _change(request, queryset, BulkAction.RETIRE)

    @admin.action(description="Bring back", permissions=["change"])
    def restore(self, request: HttpRequest, queryset: PizzaQuerySet) -> None:
        _change(request, queryset, BulkAction.RESTORE)

    @admin.action(description="Change the price by percent", permissions=["change"])
    def price(self, request: HttpRequest, queryset: PizzaQuerySet) -> None:
        asked = PriceActionForm(request.POST)
        del asked.fields["action"]
        if not asked.is_valid():
            messages.error(request, " ".join(asked.errors["percent"]))
            return
        percent = asked.cleaned_data["percent"]
        _change(request, queryset, BulkAction.PRICE, percent)

    def save_model(
        self, request: HttpRequest, obj: Pizza, form: PizzaForm, change: bool
    ) -> None:
        """Let the services write it, so that its history is whole."""
        person, now = person_at(request), timezone.now()
        fields = {name: form.cleaned_data[name] for name in services.EDITABLE}
        if change:
            services.edit_pizza(pizza_id=obj.pk, fields=fields, actor=person, now=now)
        else:
            obj.pk = services.add_pizza(fields=fields, actor=person, now=now).pk


def _change(
    request: HttpRequest,
    queryset: PizzaQuerySet,
    action: BulkAction,
    percent: Decimal | None = None,
) -> None:
    try:
        changed = change_many(
            action=action,
            versions=dict(queryset.values_list("pk", "version")),
            percent=percent,
            actor=person_at(request),
            now=timezone.now(),
        )
    except PizzeriaError as refusal:
        messages.error(request, refusal.message)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        names = ", ".join(pizza.name for pizza in changed)
        messages.success(request, f"Done, for {names}.")


@admin.register(MenuChange)
class MenuChangeAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]  # unfold is untyped
    """The menu's history, which the services write and nobody edits."""

    list_display = ["changed_at", "pizza", "action", "changed_by_name"]
    list_filter = ["action", "changed_at"]
    search_fields = ["pizza__name", "changed_by_name"]
    list_select_related = ["pizza"]
