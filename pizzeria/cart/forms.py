from typing import Any

from django import forms

from pizzeria.cart.lines import MAX_QUANTITY
from pizzeria.menu.models import Pizza
from pizzeria.menu.pricing import Size
from pizzeria.menu.toppings import TOPPINGS
from pizzeria.text import refuse_control_characters
from pizzeria.vouchers.models import MAX_CODE_LENGTH

_NO_QUANTITY = f"The quantity is a whole number from 1 to {MAX_QUANTITY}."
_NO_NEW_QUANTITY = f"The quantity is a whole number from 0 to {MAX_QUANTITY}."


class AddForm(forms.Form):
    """What a click on the menu sends."""

    pizza = forms.ModelChoiceField(
        Pizza.objects.not_retired(),
        error_messages={
            "required": "Please choose a pizza.",
            "invalid_choice": "This pizza is not on the menu.",
        },
    )
    size = forms.ChoiceField(
        choices=Size.choices,
        error_messages={
            "required": "Please choose a size.",
            "invalid_choice": "Pizzas come small, medium and large.",
        },
    )
    quantity = forms.IntegerField(
        min_value=1,
        max_value=MAX_QUANTITY,
        required=False,
        error_messages=dict.fromkeys(
            ("invalid", "min_value", "max_value"), _NO_QUANTITY
        ),
    )
    extra_toppings = forms.MultipleChoiceField(
        choices=[(topping, topping) for topping in TOPPINGS],
        required=False,
        error_messages={"invalid_choice": "There is no such topping."},
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = self.cleaned_data
        if "size" in cleaned:
            cleaned["size"] = Size(cleaned["size"])
        if "quantity" in cleaned and cleaned["quantity"] is None:
            # A form without the field means one.
            cleaned["quantity"] = 1
        return cleaned


class EditForm(AddForm):
    """What the page of one row of the cart sends; the pizza is the row's."""

    pizza = None  # type: ignore[assignment]  # Django's way to leave a field out


class VoucherForm(forms.Form):
    """What a click on "Use it" sends; an empty code takes the voucher out."""

    code = forms.CharField(
        required=False,
        max_length=MAX_CODE_LENGTH,
        validators=[refuse_control_characters],
        error_messages={"max_length": "No code is as long as that."},
    )


class QuantityForm(forms.Form):
    """What a click in the cart sends."""

    quantity = forms.IntegerField(
        min_value=0,
        max_value=MAX_QUANTITY,
        error_messages=dict.fromkeys(
            ("required", "invalid", "min_value", "max_value"), _NO_NEW_QUANTITY
        ),
    )


def first_error(form: forms.Form) -> str:
    """Pick the sentence that a person reads first."""
    return str(next(iter(form.errors.values()))[0])
