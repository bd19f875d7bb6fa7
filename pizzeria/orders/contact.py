"""Where an order goes and how its customer is reached."""

from dataclasses import dataclass

import phonenumbers
from django.core.exceptions import ValidationError
from django.db import models

from pizzeria.orders.transitions import Fulfilment
from pizzeria.text import refuse_control_characters

# A number without a country's code is read as one of these.
DEFAULT_REGION = "US"

MIN_ADDRESS_LENGTH = 5
MAX_ADDRESS_LENGTH = 200
MAX_NOTES_LENGTH = 500
MAX_PHONE_LENGTH = 40
MAX_ALLERGY_LENGTH = 200
# Digits, the country's included.
E164_LENGTHS = range(10, 16)


class PaymentMethod(models.TextChoices):
    CASH = "cash", "Cash"
    CREDIT_CARD = "credit_card", "Credit card"
    DEBIT_CARD = "debit_card", "Debit card"


@dataclass(frozen=True, kw_only=True)
class Contact:
    """What the customer said about this one order."""

    customer_phone: str
    payment_method: PaymentMethod
    # Empty for a pick-up.
    customer_address: str = ""
    fulfilment: Fulfilment = Fulfilment.DELIVERY
    allergies: str = ""
    notes: str = ""


def phone_number(typed: str) -> str:
    """
    Read a phone number in any usual form, and write it as +12025550143.

    :raises ValidationError: if nobody could be called at it
    """
    refuse_control_characters(typed)
    try:
        number = phonenumbers.parse(typed, DEFAULT_REGION)
    except phonenumbers.NumberParseException as error:
        raise _not_understood() from error
    if not phonenumbers.is_possible_number(number) and not _is_e164(typed, number):
        raise _not_understood()
    written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    # That format has no room for an extension.
    return f"{written} ext. {number.extension}" if number.extension else written


def _is_e164(typed: str, number: phonenumbers.PhoneNumber) -> bool:
    # Numbering plans change before the library knows. Whoever writes the country
    # along is believed, within the lengths that the older application took.
    digits = len(f"{number.country_code}{number.national_number}")
    return typed.strip().startswith("+") and digits in E164_LENGTHS


def _not_understood() -> ValidationError:
    return ValidationError(
        "This is no phone number that can be called. Write it like (202) 555-0143, "
        "or with its country like +39 06 1234 5678.",
        code="phone",
    )
