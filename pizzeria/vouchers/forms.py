from typing import Any

from django import forms

from pizzeria.seen import as_seen
from pizzeria.vouchers.models import Voucher, written

FIELDS = [
    "code",
    "kind",
    "value",
    "minimum",
    "valid_from",
    "valid_until",
    "most_uses",
    "most_uses_each",
    "is_active",
]


class VoucherForm(forms.ModelForm):  # type: ignore[type-arg]  # not at run time
    """What a manager decides about a voucher."""

    # What the page showed: a change of somebody else is not overwritten unseen.
    seen = forms.CharField(required=False, max_length=16, widget=forms.HiddenInput)

    class Meta:
        model = Voucher
        fields = FIELDS
        labels = {
            "value": "How much",
            "minimum": "From what sum on",
            "valid_from": "First day",
            "valid_until": "Last day",
            "most_uses": "Uses in all",
            "most_uses_each": "Uses of one customer",
            "is_active": "Can be used",
        }
        widgets = {
            "code": forms.TextInput(
                attrs={"autocapitalize": "characters", "autocomplete": "off"}
            ),
            "kind": forms.RadioSelect,
            **dict.fromkeys(
                ("valid_from", "valid_until"),
                forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
            ),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["seen"] = as_seen(self.instance)

    def clean_code(self) -> str:
        return written(self.cleaned_data["code"])

    @property
    def terms(self) -> dict[str, Any]:
        """What a valid form says of the voucher."""
        return {name: self.cleaned_data[name] for name in FIELDS}
