import re
from collections.abc import Callable, Iterable
from typing import Any

from django import forms

from pizzeria.menu.bulk import HIGHEST_PERCENT, LOWEST_PERCENT, BulkAction
from pizzeria.menu.models import Category, Pizza, Spice
from pizzeria.menu.nutrition import FACTS
from pizzeria.menu.toppings import TOPPINGS, Allergen
from pizzeria.text import refuse_control_characters

MAX_SEARCH_LENGTH = 60
_SORTS = [
    ("name", "By name"),
    ("price", "Cheapest first"),
    ("spice", "Hottest first"),
]
_SORT_KEYS: dict[str, Callable[[Pizza], Any]] = {
    "name": lambda pizza: pizza.name.casefold(),
    "price": lambda pizza: pizza.base_price,
    "spice": lambda pizza: -pizza.spice_level,
}
_TOPPING_CHOICES = [(topping, topping) for topping in TOPPINGS]


class MenuFilter(forms.Form):
    """What somebody looks for on the menu, as GET parameters."""

    q = forms.CharField(
        label="Search",
        required=False,
        max_length=MAX_SEARCH_LENGTH,
        validators=[refuse_control_characters],
        widget=forms.TextInput(attrs={"type": "search"}),
    )
    category = forms.ChoiceField(
        label="Kind", required=False, choices=[("", "All kinds"), *Category.choices]
    )
    topping = forms.ChoiceField(
        label="With", required=False, choices=[("", "Any topping"), *_TOPPING_CHOICES]
    )
    vegetarian = forms.BooleanField(label="Vegetarian", required=False)
    seasonal = forms.BooleanField(label="Only for a season", required=False)
    spice = forms.TypedMultipleChoiceField(
        label="How hot",
        required=False,
        coerce=int,
        choices=Spice.choices,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"invalid_choice": "Heat goes from 0 to 3."},
    )
    without = forms.MultipleChoiceField(
        label="Without",
        required=False,
        choices=Allergen.choices,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"invalid_choice": "There is no such allergen."},
    )

    sort = forms.ChoiceField(
        label="Sorted", required=False, choices=[("", "As on the menu"), *_SORTS]
    )

    @property
    def is_used(self) -> bool:
        return self.is_valid() and any(self.cleaned_data.values())

    def pick(self, pizzas: Iterable[Pizza]) -> list[Pizza]:
        """
        Leave of these what is looked for, sorted; all of them if that is not clear.

        What a pizza contains follows from its toppings, which are JSON: a menu is
        short enough to be read through.
        """
        wanted = self.cleaned_data if self.is_valid() else {}
        fitting = [pizza for pizza in pizzas if _fits(pizza, wanted)]
        key = _SORT_KEYS.get(wanted.get("sort", ""))
        return sorted(fitting, key=key) if key else fitting


def _fits(pizza: Pizza, wanted: dict[str, Any]) -> bool:
    words = str(wanted.get("q", "")).casefold().split()
    text = " ".join([pizza.name, pizza.description, *pizza.toppings]).casefold()
    return (
        all(word in text for word in words)
        and wanted.get("category", "") in ("", pizza.category)
        and (not wanted.get("topping") or wanted["topping"] in pizza.toppings)
        and (not wanted.get("vegetarian") or pizza.is_vegetarian)
        and (not wanted.get("seasonal") or pizza.is_seasonal)
        and (not wanted.get("spice") or pizza.spice_level in wanted["spice"])
        and not set(wanted.get("without", ())) & set(pizza.allergens)
    )


def _seen(value: str) -> tuple[int, int]:
    """
    Read the number of a pizza and its version, as the page names them: 12:3.

    :raises ValueError: if it is neither
    """
    number, _, version = value.partition(":")
    if not re.fullmatch(r"[0-9]{1,9}:[0-9]{1,9}", value):
        raise ValueError(value)
    return int(number), int(version)


class BulkForm(forms.Form):
    """What a manager does to the pizzas that are chosen in the list."""

    action = forms.ChoiceField(
        label="With what is chosen", choices=[("", "Choose"), *BulkAction.choices]
    )
    percent = forms.DecimalField(
        label="Percent",
        required=False,
        min_value=LOWEST_PERCENT,
        max_value=HIGHEST_PERCENT,
        max_digits=4,
        decimal_places=1,
        help_text="For a price: 5 is dearer, -5 is cheaper.",
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = self.cleaned_data
        is_about_price = cleaned.get("action") == BulkAction.PRICE
        if is_about_price and cleaned.get("percent", 0) is None:
            self.add_error("percent", "Say by how many percent.")
        return cleaned

    @property
    def chosen(self) -> list[str]:
        """What is ticked, as the page has to tick it again."""
        return self.data.getlist("pizza") if self.is_bound else []  # type: ignore[attr-defined]  # a QueryDict

    @property
    def versions(self) -> dict[int, int]:
        """:raises ValueError: if the page never said so"""
        return dict(_seen(value) for value in self.chosen)


class _DateInput(forms.DateInput):
    """What browsers have a calendar for; they want the date as ISO writes it."""

    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


class PizzaForm(forms.ModelForm):  # type: ignore[type-arg]  # not at run time
    """What a manager decides about a pizza."""

    toppings = forms.MultipleChoiceField(
        choices=_TOPPING_CHOICES,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"invalid_choice": "There is no such topping."},
    )
    more_allergens = forms.MultipleChoiceField(
        label="More allergens",
        choices=Allergen.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Beyond what dough, cheese and the toppings bring.",
        error_messages={"invalid_choice": "There is no such allergen."},
    )
    spice_level = forms.TypedChoiceField(
        label="How hot",
        choices=Spice.choices,
        required=False,
        coerce=int,
        empty_value=0,  # type: ignore[arg-type]  # the stubs know words alone
    )
    # What the page showed: a change of somebody else is not overwritten unseen.
    version = forms.IntegerField(
        required=False, min_value=1, max_value=2**31, widget=forms.HiddenInput
    )

    class Meta:
        model = Pizza
        fields = [
            "name",
            "description",
            "category",
            "base_price",
            "toppings",
            "more_allergens",
            "spice_level",
            "available_from",
            "available_until",
            *FACTS,
            "is_available",
        ]
        labels = {
            "base_price": "Price of a small one",
            "is_available": "On sale",
            "available_from": "In season from",
            "available_until": "In season until",
            **FACTS,
        }
        widgets = {
            "description": forms.Textarea(attrs={"rows": 2}),
            "available_from": _DateInput,
            "available_until": _DateInput,
        }
        help_texts = {"is_available": "Off: the menu shows it as sold out."}
