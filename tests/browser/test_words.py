"""Money and times as the pages write them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from pizzeria.kitchen.templatetags.ovens import oven_places
from pizzeria.menu.templatetags.shop import ago, asset, cents, money

NOW = datetime(2026, 5, 3, 18, 40, tzinfo=UTC)


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        ("16.887", "$16.89"),
        ("16.885", "$16.89"),
        ("2.5", "$2.50"),
        ("0", "$0.00"),
        ("1234.5", "$1,234.50"),
        ("-3", "-$3.00"),
    ],
)
def test_money_has_its_currency_and_its_cents(amount, words):
    assert money(Decimal(amount)) == words


def test_cents_are_whole():
    assert cents(Decimal("16.89")) == 1689


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (timedelta(seconds=-20), "just now"),
        (timedelta(seconds=59), "just now"),
        (timedelta(minutes=5), "5 min ago"),
        (timedelta(hours=2), "2 h ago"),
        (timedelta(hours=2, minutes=5), "2 h 5 min ago"),
        (timedelta(days=1), "on 2 May, 20:40"),
    ],
)
def test_times_are_relative_and_exact_on_hover(age, words):
    tag = ago(NOW - age, NOW)

    assert f">{words}</time>" in tag
    assert "CEST" in tag
    assert f'datetime="{(NOW - age).isoformat()}"' in tag


def test_what_has_not_happened_has_no_time():
    assert ago(None) == ""


def test_a_file_has_an_address_also_without_a_manifest(monkeypatch):
    def no_manifest(path: str) -> str:
        raise ValueError(path)

    monkeypatch.setattr("pizzeria.menu.templatetags.shop.static", no_manifest)

    assert asset("pizzeria/css/shop.css") == "/static/pizzeria/css/shop.css"


def test_the_oven_shows_what_is_taken_and_what_is_free():
    places = oven_places(2, 5)

    assert places.count("<circle") == 5
    assert places.count('fill="currentColor"') == 2


def test_an_oven_beyond_its_capacity_is_shown_as_it_is():
    assert oven_places(6, 5).count('fill="currentColor"') == 6
