from django import forms

from pizzeria.orders.transitions import Status

# What the kitchen does with an order.
KITCHEN_STEPS = (Status.COOKING, Status.READY)


class AdvanceForm(forms.Form):
    to = forms.ChoiceField(choices=[(x.value, x.label) for x in KITCHEN_STEPS])
