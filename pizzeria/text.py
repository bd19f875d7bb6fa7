"""Text that people type: what of it is refused before it is stored or printed."""

import unicodedata

from django.core.exceptions import ValidationError

_LINE_BREAKS = frozenset("\n\r\t")


def refuse_control_characters(text: str) -> None:
    """
    Let through what can be read, line breaks included.

    :raises ValidationError: if there is a character that no keyboard types
    """
    for character in text:
        if character in _LINE_BREAKS:
            continue
        if unicodedata.category(character) in {"Cc", "Cs"}:
            raise ValidationError(
                "This text holds a character that cannot be printed. "
                "Please type it again.",
                code="control_character",
            )
