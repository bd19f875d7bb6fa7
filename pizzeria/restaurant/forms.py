from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from pizzeria.restaurant.area import read_prefixes
from pizzeria.restaurant.hours import Weekday, check_overlaps, read_day
from pizzeria.restaurant.models import (
    DEFAULT_EXPIRY_HOURS,
    MAX_EXPIRY_HOURS,
    NOTHING,
    Restaurant,
    stored,
)
from pizzeria.seen import as_seen

_MAX_TEXT = 200


class RulesForm(forms.Form):
    """When it is open, where it delivers to, and from what sum on."""

    delivery_minimum = forms.DecimalField(
        label="Minimum of a delivery",
        required=False,
        min_value=NOTHING,
        max_digits=6,
        decimal_places=2,
        help_text="What the pizzas cost together. Empty: none.",
    )
    delivery_area = forms.CharField(
        label="Delivery area",
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="How postcodes begin, with commas between, such as 0015, 00184. "
        "Empty: everywhere.",
    )

    pickup_expires_hours = forms.IntegerField(
        label="Hours until a ready pick-up counts as picked up",
        required=False,
        min_value=1,
        max_value=MAX_EXPIRY_HOURS,
        help_text=f"Empty: {DEFAULT_EXPIRY_HOURS}.",
    )

    asks_approval = forms.BooleanField(
        label="Accept each order by hand",
        required=False,
        help_text="A new order waits on the kitchen's board until somebody accepts it.",
    )

    # What the page showed: a change of somebody else is not overwritten unseen.
    seen = forms.CharField(required=False, max_length=16, widget=forms.HiddenInput)

    def __init__(self, data: Any = None, *, restaurant: Restaurant) -> None:
        super().__init__(data, initial=_as_written(restaurant))
        for day in Weekday:
            self.fields[day.value] = forms.CharField(
                label=str(day.label), required=False, max_length=_MAX_TEXT
            )
            self.fields[day.value].is_asked = True  # type: ignore[attr-defined]

    @property
    def days(self) -> list[forms.BoundField]:
        return [self[day.value] for day in Weekday]

    def clean_delivery_area(self) -> list[str]:
        return read_prefixes(self.cleaned_data["delivery_area"])

    def clean_pickup_expires_hours(self) -> int:
        return self.cleaned_data["pickup_expires_hours"] or DEFAULT_EXPIRY_HOURS

    def clean_delivery_minimum(self) -> Any:
        return self.cleaned_data["delivery_minimum"] or NOTHING

    def clean(self) -> dict[str, Any]:
        periods = []
        for day in Weekday:
            try:
                periods += read_day(day, self.cleaned_data.get(day.value, ""))
            except ValidationError as error:
                self.add_error(day.value, error)
        if not self.errors:
            check_overlaps(periods)
            self.cleaned_data["hours"] = stored(periods)
        return self.cleaned_data

    @property
    def rules(self) -> dict[str, Any]:
        """What a valid form says."""
        names = {"hours", *self.base_fields} - {"seen"}
        return {name: self.cleaned_data[name] for name in names}


def _as_written(restaurant: Restaurant) -> dict[str, Any]:
    periods = restaurant.periods
    return {
        "seen": as_seen(restaurant),
        "delivery_minimum": restaurant.delivery_minimum or None,
        "asks_approval": restaurant.asks_approval,
        "pickup_expires_hours": restaurant.pickup_expires_hours,
        "delivery_area": ", ".join(restaurant.delivery_area),
        **{
            day.value: ", ".join(str(one) for one in periods if one.weekday == day)
            for day in Weekday
        },
    }
