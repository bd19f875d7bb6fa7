from django import forms

from pizzeria.orders.models import MAX_REASON_LENGTH
from pizzeria.orders.transitions import HandedTo
from pizzeria.text import refuse_control_characters


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
