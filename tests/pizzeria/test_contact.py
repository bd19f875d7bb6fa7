from contextlib import suppress

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from pizzeria.orders.contact import MAX_PHONE_LENGTH, phone_number
from pizzeria.orders.forms import CheckoutForm
from tests.pizzeria.conftest import CHECKOUT


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("(202) 555-0143", "+12025550143"),
        ("202.555.0143", "+12025550143"),
        ("  202 555 0143 ", "+12025550143"),
        ("+1 202 555 0143", "+12025550143"),
        ("1-202-555-0143", "+12025550143"),
        ("+39 06 1234 5678", "+390612345678"),
        ("0039 06 1234 5678", None),
        ("+1234567890", "+1234567890"),
        ("+44 20 7946 0958", "+442079460958"),
        ("202-555-0143 x12", "+12025550143 ext. 12"),
        ("٢٠٢٥٥٥٠١٤٣", "+12025550143"),
        ("", None),
        ("12", None),
        ("call me", None),
        ("+", None),
        ("+999 123456789", None),
        ("1" * 40, None),
        ("2025550143\x00", None),
        ("202\x1b5550143", None),
    ],
)
def test_reads_numbers_in_any_usual_form(typed, number):
    if number is None:
        with pytest.raises(ValidationError):
            phone_number(typed)
    else:
        assert phone_number(typed) == number


@given(st.text(max_size=MAX_PHONE_LENGTH))
def test_nothing_typed_breaks_it_or_outgrows_its_column(typed):
    with suppress(ValidationError):
        assert len(phone_number(typed)) <= MAX_PHONE_LENGTH


def test_reading_a_number_twice_changes_nothing():
    number = phone_number("202-555-0143 x12")

    assert phone_number(number) == number


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("customer_phone", "12", "no phone number that can be called"),
        ("customer_phone", "1" * 10_000, "at most 40 characters"),
        ("customer_address", "Rome", "at least 5 characters"),
        ("customer_address", "    a    ", "at least 5 characters"),
        ("customer_address", "a" * 201, "at most 200 characters (it has 201)"),
        ("customer_address", "a" * 10_000, "at most 200 characters (it has 10000)"),
        ("customer_address", "1 Castle\x00Road", "cannot be printed"),
        ("customer_address", "1 Castle\x1b[2JRoad", "cannot be printed"),
        ("customer_address", "1 Castle\x85Road", "cannot be printed"),
        ("payment_method", "gold", "not one of the available choices"),
        ("notes", "a" * 501, "at most 500 characters"),
        ("notes", "ring\x07the bell", "cannot be printed"),
    ],
)
def test_the_form_says_what_is_wrong(field, value, words):
    form = CheckoutForm({**CHECKOUT, field: value})

    assert not form.is_valid()
    assert form.errors.keys() == {field}
    assert words in form.errors[field][0]


@pytest.mark.parametrize(
    "field", ["customer_phone", "customer_address", "payment_method"]
)
def test_the_form_asks_for_what_is_missing(field):
    form = CheckoutForm({name: CHECKOUT[name] for name in CHECKOUT if name != field})

    assert form.errors.keys() == {field}


@pytest.mark.parametrize(
    "address", ["Via Roma 1\n80133 Napoli", "🏰 1 Castle Rd", "a" * 200]
)
def test_the_form_takes_what_can_be_printed(address):
    form = CheckoutForm({**CHECKOUT, "customer_address": address, "notes": "ciao\n"})

    assert form.is_valid(), form.errors
    assert form.contact.customer_address == address
    assert form.contact.notes == "ciao"
