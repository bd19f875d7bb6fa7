from django import forms

from pizzeria.kitchen.models import MAX_CAPACITY
from pizzeria.menu.models import Category
from pizzeria.orders.transitions import Status

# What the kitchen does with an order; the last two hand it out and take a step back.
KITCHEN_STEPS = [
    (status.value, status.label)
    for status in (Status.COOKING, Status.READY, Status.DELIVERED, Status.CONFIRMED)
]


class StationForm(forms.Form):
    station = forms.ChoiceField(choices=Category.choices, required=False)
    mine = forms.BooleanField(required=False)


class AdvanceForm(forms.Form):
    to = forms.ChoiceField(choices=KITCHEN_STEPS)
    # What the ticket said: a press on an old board is not to undo another cook's.
    seen = forms.ChoiceField(choices=Status.choices, required=False)


class CookForm(forms.Form):
    """Whose it is to be: "me", somebody's number, or nobody's."""

    cook = forms.RegexField(r"^(me|[0-9]{1,18})$", required=False)


class TickForm(forms.Form):
    is_ticked = forms.BooleanField(required=False)


class CapacityForm(forms.Form):
    capacity = forms.IntegerField(min_value=1, max_value=MAX_CAPACITY)
