"""Where drivers go: the beginnings of postcodes, and no map."""

import re

from django.core.exceptions import ValidationError

MAX_PREFIXES = 200
_PREFIX = re.compile(r"[A-Z0-9][A-Z0-9 -]{0,9}")
# Four digits and more; or letters and digits as in SW1A 1AA and K1A 0B1.
_POSTCODE = re.compile(
    r"\b(?:\d{4,6}(?:-\d{3,4})?|[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}"
    r"|[A-Z]\d[A-Z] ?\d[A-Z]\d|\d{4} ?[A-Z]{2})\b"
)


def postcode_of(address: str) -> str | None:
    """Find the postcode in an address as people write it; the last one, if several."""
    found = _POSTCODE.findall(address.upper())
    return _bare(found[-1]) if found else None


def covers(prefixes: list[str], postcode: str) -> bool:
    return postcode.startswith(tuple(_bare(prefix) for prefix in prefixes))


def read_prefixes(text: str) -> list[str]:
    """
    Read them as people write them, with commas or line breaks between.

    :raises ValidationError: naming what is no beginning of a postcode
    """
    parts = re.split(r"[,;\n]", text)
    prefixes = list(dict.fromkeys(part.strip().upper() for part in parts))
    prefixes = [prefix for prefix in prefixes if prefix]
    check_prefixes(prefixes)
    return prefixes


def check_prefixes(prefixes: list[str]) -> None:
    """:raises ValidationError: if one is no beginning of a postcode, or all too many"""
    for prefix in prefixes:
        if not _PREFIX.fullmatch(prefix):
            raise ValidationError(
                f"“{prefix[:20]}” is no beginning of a postcode.", code="prefix"
            )
    if len(prefixes) > MAX_PREFIXES:
        raise ValidationError(f"Please give at most {MAX_PREFIXES} of them.")


def _bare(text: str) -> str:
    return text.replace(" ", "").replace("-", "")
