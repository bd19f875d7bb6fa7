from django import forms
from django.contrib import admin
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from pizzeria.menu.models import Pizza
from pizzeria.menu.toppings import TOPPINGS


class PizzaForm(forms.ModelForm):  # type: ignore[type-arg]  # not at run time
    toppings = forms.MultipleChoiceField(
        choices=[(topping, topping) for topping in TOPPINGS],
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )

    class Meta:
        model = Pizza
        fields = ["name", "description", "base_price", "toppings", "is_available"]


@admin.register(Pizza)
class PizzaAdmin(ModelAdmin):  # type: ignore[misc]  # unfold is untyped
    form = PizzaForm
    list_display = ["name", "base_price", "topping_names", "is_available"]
    list_editable = ["is_available"]
    list_filter = ["is_available"]
    search_fields = ["name", "description"]

    @admin.display(description="Toppings")
    def topping_names(self, pizza: Pizza) -> str:
        return ", ".join(pizza.toppings) or "none"
