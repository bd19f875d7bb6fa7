from typing import Any

from django import forms

from pizzeria.orders.models import MAX_REASON_LENGTH
from pizzeria.orders.transitions import HandedTo
from pizzeria.text import refuse_control_characters


class _OrderNumbers(forms.Field):
    """Several hidden fields of one name, each a number that a database can hold."""

    widget = forms.SelectMultiple
    _number = forms.IntegerField(min_value=1, max_value=2**63 - 1)

    def to_python(self, value: Any) -> list[int]:
        return [self._number.clean(one) for one in value]


class TakeAllForm(forms.Form):
    orders = _OrderNumbers()


class BringBackForm(forms.Form):
    reason = forms.CharField(
        required=False,
        max_length=MAX_REASON_LENGTH,
        validators=[refuse_control_characters],
    )


class HandOverForm(forms.Form):
    """How it was handed over; nothing of it has to be said."""

    handed_to = forms.ChoiceField(required=False, choices=HandedTo.choices)
    note = forms.CharField(
        required=False,
        max_length=MAX_REASON_LENGTH,
        validators=[refuse_control_characters],
    )


class MoveStopForm(forms.Form):
    by = forms.TypedChoiceField(choices=[("-1", "Earlier"), ("1", "Later")], coerce=int)
