from django import forms

from pizzeria.ratings.models import MAX_WORDS_LENGTH, MOST_STARS
from pizzeria.text import refuse_control_characters

_NAMES = ("bad", "poor", "all right", "good", "excellent")


class RatingForm(forms.Form):
    stars = forms.TypedChoiceField(
        label="How was it?",
        choices=[(n, f"{'★' * n} {_NAMES[n - 1]}") for n in range(MOST_STARS, 0, -1)],
        coerce=int,
        widget=forms.RadioSelect,
    )
    words = forms.CharField(
        label="In words",
        required=False,
        max_length=MAX_WORDS_LENGTH,
        widget=forms.Textarea(attrs={"rows": 3}),
        validators=[refuse_control_characters],
        help_text="The restaurant reads it, no other customer does.",
    )
