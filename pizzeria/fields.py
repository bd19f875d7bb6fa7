"""Fields of the API that are stricter than REST framework's own."""

from typing import Any

from rest_framework import serializers


class WholeNumberField(serializers.IntegerField):
    """A number of JSON without a fraction; no text, no true, no 2.0."""

    def to_internal_value(self, data: Any) -> int:
        if type(data) is not int:
            self.fail("invalid")
        return super().to_internal_value(data)


class WordField(serializers.ChoiceField):
    """One of a few words, which the refusal names instead of what was sent."""

    def __init__(self, choices: Any, **kwargs: Any) -> None:
        super().__init__(choices, **kwargs)
        words = ", ".join(map(str, self.choices))
        self.error_messages["invalid_choice"] = f"This is none of: {words}."
