import secrets
from datetime import datetime, time, timedelta
from typing import Any

from django import forms
from django.core.validators import RegexValidator
from django.utils import timezone

from pizzeria.menu.pricing import CENT
from pizzeria.orders.contact import (
    MAX_ADDRESS_LENGTH,
    MAX_ALLERGY_LENGTH,
    MAX_NOTES_LENGTH,
    MAX_PHONE_LENGTH,
    MIN_ADDRESS_LENGTH,
    Contact,
    PaymentMethod,
    phone_number,
)
from pizzeria.orders.models import MAX_REASON_LENGTH, OrderQuerySet
from pizzeria.orders.transitions import FINAL, Fulfilment, Status
from pizzeria.text import refuse_control_characters

MAX_KEY_LENGTH = 64
valid_key = RegexValidator(
    rf"\A[!-~]{{1,{MAX_KEY_LENGTH}}}\Z",
    f"A key is 1 to {MAX_KEY_LENGTH} letters, digits and signs of ASCII.",
)
_NO_ADDRESS = "Please say where the pizza goes."
_TWO_ADDRESSES = (
    "You chose an address from your book and wrote another one. Please leave one."
)


class CheckoutForm(forms.Form):
    """Delivery or pick-up, where to, how to reach you, how you pay."""

    fulfilment = forms.ChoiceField(
        label="How do you get it?",
        required=False,
        choices=Fulfilment.choices,
        widget=forms.RadioSelect,
    )
    saved_address = forms.ChoiceField(
        label="From your address book", required=False, widget=forms.RadioSelect
    )
    customer_address = forms.CharField(
        label="Address",
        required=False,
        min_length=MIN_ADDRESS_LENGTH,
        max_length=MAX_ADDRESS_LENGTH,
        validators=[refuse_control_characters],
        widget=forms.Textarea(attrs={"rows": 2, "autocomplete": "street-address"}),
        help_text="For a delivery.",
    )
    customer_phone = forms.CharField(
        label="Phone",
        max_length=MAX_PHONE_LENGTH,
        widget=forms.TextInput(attrs={"type": "tel", "autocomplete": "tel"}),
        error_messages={"required": "Please leave a number that we can call."},
    )
    payment_method = forms.ChoiceField(
        label="Payment",
        choices=PaymentMethod.choices,
        widget=forms.RadioSelect,
        error_messages={"required": "Please choose how you pay."},
    )
    allergies = forms.CharField(
        label="Allergies",
        required=False,
        max_length=MAX_ALLERGY_LENGTH,
        validators=[refuse_control_characters],
        help_text="The kitchen sees this first.",
    )
    notes = forms.CharField(
        label="Notes",
        required=False,
        max_length=MAX_NOTES_LENGTH,
        validators=[refuse_control_characters],
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    remember = forms.BooleanField(
        label="Keep this for next time", required=False, initial=True
    )

    # What the page showed: nobody is charged another sum than they agreed to.
    seen_total = forms.DecimalField(
        label="Total", required=False, widget=forms.HiddenInput
    )
    # One page orders once, however often and however late it is sent.
    order_key = forms.CharField(
        required=False, validators=[valid_key], widget=forms.HiddenInput
    )

    def __init__(self, *args: Any, addresses: Any = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # No "if you like" beside it, though a pick-up goes without.
        self.fields["customer_address"].is_asked = True  # type: ignore[attr-defined]
        self._addresses = {str(address.pk): address.text for address in addresses}
        if self._addresses:
            choices = [(str(x.pk), f"{x.label}: {x.text}") for x in addresses]
            another = ("", "Another address, written below")
            saved = self.fields["saved_address"]
            saved.choices = [*choices, another]  # type: ignore[attr-defined]
        else:
            del self.fields["saved_address"]

    def clean_customer_phone(self) -> str:
        return phone_number(self.cleaned_data["customer_phone"])

    def clean(self) -> dict[str, Any]:
        cleaned = self.cleaned_data
        if "fulfilment" in cleaned:
            cleaned["fulfilment"] = Fulfilment(
                cleaned["fulfilment"] or Fulfilment.DELIVERY
            )
        if cleaned.get("fulfilment") == Fulfilment.PICKUP:
            # Whatever stands there by now: nobody drives to it.
            cleaned["customer_address"] = ""
            self.errors.pop("customer_address", None)
            return cleaned
        saved = self._addresses.get(cleaned.get("saved_address", ""))
        if saved and cleaned.get("customer_address") not in ("", saved):
            # Whichever was meant, the pizza must not go to the other one.
            self.add_error("customer_address", _TWO_ADDRESSES)
        elif saved and "customer_address" not in self.errors:
            cleaned["customer_address"] = saved
        if not cleaned.get("customer_address", "-"):
            self.add_error("customer_address", _NO_ADDRESS)
        return cleaned

    @property
    def contact(self) -> Contact:
        """What a valid form says."""
        cleaned = self.cleaned_data
        return Contact(
            customer_phone=cleaned["customer_phone"],
            customer_address=cleaned["customer_address"],
            fulfilment=cleaned["fulfilment"],
            payment_method=PaymentMethod(cleaned["payment_method"]),
            allergies=cleaned["allergies"],
            notes=cleaned["notes"],
        )

    @property
    def is_new_address(self) -> bool:
        return bool(
            self.cleaned_data["customer_address"]
            and not self.cleaned_data.get("saved_address")
        )


def new_key() -> str:
    return secrets.token_urlsafe(16)


class ReasonForm(forms.Form):
    """Why somebody cancels, if they like to say."""

    reason = forms.CharField(
        label="Why?",
        required=False,
        max_length=MAX_REASON_LENGTH,
        validators=[refuse_control_characters],
    )


class RefundForm(forms.Form):
    """How much is given back, and why."""

    amount = forms.DecimalField(
        label="How much", max_digits=12, decimal_places=2, min_value=CENT
    )
    reason = forms.CharField(
        label="Why",
        max_length=MAX_REASON_LENGTH,
        validators=[refuse_control_characters],
        help_text="The customer reads it.",
    )


class OrderFilter(forms.Form):
    """Which of one's orders to see, as GET parameters."""

    STATES = {
        "current": ("Under way", [x.value for x in Status if x not in FINAL]),
        "delivered": ("Delivered", [Status.DELIVERED.value]),
        "cancelled": ("Cancelled", [Status.CANCELLED.value]),
    }

    state = forms.ChoiceField(
        label="Which",
        required=False,
        choices=[("", "All"), *((key, label) for key, (label, _) in STATES.items())],
    )
    since = forms.DateField(
        label="From",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    until = forms.DateField(
        label="To",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )

    @property
    def is_used(self) -> bool:
        return self.is_valid() and any(self.cleaned_data.values())

    def pick(self, orders: OrderQuerySet) -> OrderQuerySet:
        """Leave the orders that are looked for; days are the restaurant's."""
        wanted = self.cleaned_data if self.is_valid() else {}
        if state := wanted.get("state"):
            orders = orders.filter(status__in=self.STATES[state][1])
        if since := wanted.get("since"):
            orders = orders.filter(placed_at__gte=_midnight(since))
        if until := wanted.get("until"):
            # That day included.
            orders = orders.filter(placed_at__lt=_midnight(until + timedelta(days=1)))
        return orders

    def clean(self) -> dict[str, Any]:
        cleaned = self.cleaned_data
        since, until = cleaned.get("since"), cleaned.get("until")
        # The calendar's ends have no day before or after.
        for name, day in (("since", since), ("until", until)):
            if day and not 2000 <= day.year < 3000:  # noqa: PLR2004
                self.add_error(name, "Please give a day between 2000 and 2999.")
        if since and until and since > until:
            self.add_error("until", "This day is before the first one.")
        return cleaned


def _midnight(day: Any) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))
