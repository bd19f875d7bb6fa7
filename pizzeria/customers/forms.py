from typing import Any

from django import forms
from django.conf import settings

from pizzeria.customers.models import MAX_LABEL_LENGTH
from pizzeria.orders.contact import (
    MAX_ADDRESS_LENGTH,
    MAX_ALLERGY_LENGTH,
    MAX_PHONE_LENGTH,
    MIN_ADDRESS_LENGTH,
    PaymentMethod,
    phone_number,
)
from pizzeria.orders.transitions import Fulfilment
from pizzeria.text import refuse_control_characters

_NO_CHOICE = ("", "Ask me each time")


class ProfileForm(forms.Form):
    """What is filled in for the next order; everything can be left empty."""

    phone = forms.CharField(
        label="Phone",
        required=False,
        max_length=MAX_PHONE_LENGTH,
        widget=forms.TextInput(attrs={"type": "tel", "autocomplete": "tel"}),
    )
    allergies = forms.CharField(
        label="Allergies",
        required=False,
        max_length=MAX_ALLERGY_LENGTH,
        validators=[refuse_control_characters],
        help_text="Filled in at each order; the kitchen sees it first.",
    )
    fulfilment = forms.ChoiceField(
        label="Delivery or pick-up",
        required=False,
        choices=[_NO_CHOICE, *Fulfilment.choices],
        widget=forms.RadioSelect,
    )
    payment_method = forms.ChoiceField(
        label="Payment",
        required=False,
        choices=[_NO_CHOICE, *PaymentMethod.choices],
        widget=forms.RadioSelect,
    )
    wants_mail = forms.BooleanField(
        label="E-mail me when my order moves on", required=False
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not settings.MAIL_SERVER:
            # Nobody is asked for what the shop does not do.
            del self.fields["wants_mail"]

    def clean_phone(self) -> str:
        typed = self.cleaned_data["phone"]
        return phone_number(typed) if typed else ""


class AddressForm(forms.Form):
    """One entry of the address book."""

    label = forms.CharField(
        label="Name",
        max_length=MAX_LABEL_LENGTH,
        validators=[refuse_control_characters],
        help_text="Such as “Home” or “The office”.",
    )
    text = forms.CharField(
        label="Address",
        min_length=MIN_ADDRESS_LENGTH,
        max_length=MAX_ADDRESS_LENGTH,
        validators=[refuse_control_characters],
        widget=forms.Textarea(attrs={"rows": 2, "autocomplete": "street-address"}),
    )
    is_default = forms.BooleanField(
        label="Use this one if I do not say otherwise", required=False
    )
