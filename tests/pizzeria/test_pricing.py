from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pizzeria.menu import pricing
from pizzeria.menu.models import Pizza
from pizzeria.menu.pricing import Size, unit_price
from pizzeria.menu.toppings import TOPPINGS
from pizzeria.vouchers.models import Voucher

# The rule once more, in exact fractions.
FACTORS = {
    Size.SMALL: Fraction(1),
    Size.MEDIUM: Fraction(13, 10),
    Size.LARGE: Fraction(16, 10),
}

prices = st.decimals("0.01", "9999.99", places=2)
sizes = st.sampled_from(Size)
extras = st.integers(0, len(TOPPINGS))


@pytest.mark.parametrize(
    ("base", "size", "extra_toppings", "price"),
    [
        ("12.99", Size.SMALL, 0, "12.99"),
        ("12.99", Size.MEDIUM, 0, "16.89"),
        ("12.99", Size.LARGE, 0, "20.78"),
        ("14.99", Size.MEDIUM, 1, "21.99"),
        # 19.435: half a cent goes up, where banks would go to the even one.
        ("14.95", Size.MEDIUM, 0, "19.44"),
    ],
)
def test_prices_that_people_know(base, size, extra_toppings, price):
    assert unit_price(Decimal(base), size, extra_toppings) == Decimal(price)


@given(base=prices, size=sizes, extra_toppings=extras)
def test_is_the_exact_price_rounded_half_up_to_the_cent(base, size, extra_toppings):
    exact = Fraction(base) * FACTORS[size] + Fraction(5, 2) * extra_toppings

    price = unit_price(base, size, extra_toppings)

    half_up = (exact * 100 + Fraction(1, 2)) // 1
    assert Fraction(price) * 100 == half_up
    assert price.as_tuple().exponent == -2


@given(base=prices, size=sizes, extra_toppings=extras)
def test_never_costs_less_for_more(base, size, extra_toppings):
    price = unit_price(base, size, extra_toppings)

    assert unit_price(base, size, extra_toppings + 1) - price == Decimal("2.50")
    assert price >= unit_price(base, Size.SMALL, extra_toppings)
    assert unit_price(base, Size.LARGE, extra_toppings) >= price
    assert price >= base


@given(
    base=prices,
    own=st.sets(st.sampled_from(TOPPINGS)),
    extra=st.sets(st.sampled_from(TOPPINGS)),
)
def test_a_topping_that_the_pizza_has_anyway_costs_nothing(base, own, extra):
    pizza = Pizza(name="Test", base_price=base, toppings=sorted(own))

    price = pizza.unit_price(Size.LARGE, sorted(extra))

    assert price == unit_price(base, Size.LARGE, len(extra - own))


def test_the_menu_shows_the_prices_of_the_engine():
    pizza = Pizza(name="Margherita", base_price=Decimal("12.99"), toppings=[])

    assert pizza.prices == {
        "small": Decimal("12.99"),
        "medium": Decimal("16.89"),
        "large": Decimal("20.78"),
    }


class TestTheTax:
    @given(
        st.decimals("0.01", "9999.99", places=2), st.decimals("0", "99.99", places=2)
    )
    def test_is_part_of_the_bill_and_rounded_once(self, total, percent):
        vat = pricing.vat_contained(total, percent=percent)

        net = total - vat
        assert 0 <= vat < total
        assert vat == vat.quantize(pricing.CENT)
        assert abs(net * percent / 100 - vat) <= Decimal("0.02")

    def test_of_a_margherita_is_what_the_receipt_says(
        self, browser_of, api_of, peach, order_of, settings
    ):
        order = order_of(peach)
        settings.VAT_PERCENT = Decimal(22)

        page = browser_of(peach).get(order.get_absolute_url()).content.decode()
        told = api_of(peach).get(f"/api/orders/{order.pk}/").json()

        # 16.89 * 10 / 110, at the rate of its day.
        assert "VAT contained, 10 %" in page
        assert "$1.54" in page
        assert (told["vat_percent"], told["vat_amount"]) == ("10.00", "1.54")

    def test_is_said_in_the_cart_after_the_voucher(
        self, browser_of, peach, margherita, settings
    ):
        Voucher.objects.create(code="HALF", value=50)
        browser = browser_of(peach)
        browser.post("/cart/add/", {"pizza": margherita.pk, "size": "medium"})
        browser.post("/cart/voucher/", {"code": "HALF"})

        # 16.89 - 8.45 = 8.44, of which 0.77.
        for path in ("/cart/", "/checkout/"):
            page = browser.get(path).content.decode()
            assert "VAT contained" in page
            assert "$0.77" in page
        settings.VAT_PERCENT = Decimal(0)
        assert "VAT" not in browser.get("/cart/").content.decode()
