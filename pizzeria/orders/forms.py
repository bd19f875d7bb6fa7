from django import forms

from pizzeria.orders.contact import (
    MAX_ADDRESS_LENGTH,
    MAX_NOTES_LENGTH,
    MAX_PHONE_LENGTH,
    MIN_ADDRESS_LENGTH,
    Contact,
    PaymentMethod,
    phone_number,
)
from pizzeria.text import refuse_control_characters


class CheckoutForm(forms.Form):
    """Where to, how to reach you, how you pay."""

    customer_phone = forms.CharField(
        label="Phone",
        max_length=MAX_PHONE_LENGTH,
        widget=forms.TextInput(attrs={"type": "tel", "autocomplete": "tel"}),
        error_messages={"required": "Please leave a number that we can call."},
    )
    customer_address = forms.CharField(
        label="Address",
        min_length=MIN_ADDRESS_LENGTH,
        max_length=MAX_ADDRESS_LENGTH,
        validators=[refuse_control_characters],
        widget=forms.Textarea(attrs={"rows": 2, "autocomplete": "street-address"}),
        error_messages={"required": "Please say where the pizza goes."},
    )
    payment_method = forms.ChoiceField(
        label="Payment",
        choices=PaymentMethod.choices,
        widget=forms.RadioSelect,
        error_messages={"required": "Please choose how you pay."},
    )
    notes = forms.CharField(
        label="Notes",
        required=False,
        max_length=MAX_NOTES_LENGTH,
        validators=[refuse_control_characters],
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    # What the page showed: nobody is charged another sum than they agreed to.
    seen_total = forms.DecimalField(
        label="Total", required=False, widget=forms.HiddenInput
    )

    def clean_customer_phone(self) -> str:
        return phone_number(self.cleaned_data["customer_phone"])

    @property
    def contact(self) -> Contact:
        """What a valid form says."""
        cleaned = self.cleaned_data
        return Contact(
            customer_phone=cleaned["customer_phone"],
            customer_address=cleaned["customer_address"],
            payment_method=PaymentMethod(cleaned["payment_method"]),
            notes=cleaned["notes"],
        )
