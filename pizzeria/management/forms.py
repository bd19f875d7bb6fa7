from typing import Any

from django import forms
from django.utils import timezone

from pizzeria.management.periods import (
    DAYS_OF,
    LABELS,
    MOST_DAYS,
    Period,
    local_day,
)

GROUPINGS = [("day", "Days"), ("week", "Weeks"), ("month", "Months")]


class PeriodForm(forms.Form):
    """A span of days from a page's address; what is left out has a default."""

    period = forms.ChoiceField(choices=LABELS.items(), required=False)
    start = forms.DateField(
        label="From", required=False, widget=forms.DateInput({"type": "date"})
    )
    end = forms.DateField(
        label="To", required=False, widget=forms.DateInput({"type": "date"})
    )
    grouping = forms.ChoiceField(label="By", choices=GROUPINGS, required=False)

    def __init__(self, data: Any, *, default: str) -> None:
        values = data.dict() if hasattr(data, "dict") else dict(data)
        values.setdefault("period", default)
        values.setdefault("grouping", "day")
        super().__init__(values)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        today = local_day(timezone.now())
        name = cleaned.get("period") or "month"
        if name != "custom":
            cleaned["span"] = Period.until(today, days=DAYS_OF[name])
            return cleaned
        start, end = cleaned.get("start"), cleaned.get("end")
        if not start or not end:
            if not self.errors:
                raise forms.ValidationError("Please give both dates.")
            return cleaned
        if end < start:
            raise forms.ValidationError("The last day is before the first.")
        if (end - start).days >= MOST_DAYS:
            raise forms.ValidationError("Please choose at most five years.")
        cleaned["span"] = Period(start, end)
        return cleaned

    @property
    def span(self) -> Period:
        """The period that was asked for; the default's where that makes no sense."""
        if self.is_valid():
            found: Period = self.cleaned_data["span"]
            return found
        return Period.until(local_day(timezone.now()), days=DAYS_OF["month"])

    @property
    def grouping_name(self) -> str:
        return (self.is_valid() and self.cleaned_data["grouping"]) or "day"
