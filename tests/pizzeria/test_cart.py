import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pizzeria.cart.cart import MAX_LINES, Cart
from pizzeria.cart.lines import MAX_QUANTITY, CartLine
from pizzeria.exceptions import (
    CartChanged,
    CartFull,
    CartRefused,
    PizzaSoldOut,
    TooManyOfOnePizza,
)
from pizzeria.menu.models import Pizza
from pizzeria.menu.pricing import Size
from pizzeria.menu.toppings import TOPPINGS
from sessions_backend.engine import SessionStore
from tests.pizzeria.conftest import MemorySession

MEDIUM = Size.MEDIUM


class TestReading:
    def test_an_empty_cart_leaves_the_session_alone(self, session):
        cart = Cart(session)

        assert cart.is_empty
        assert cart.count == 0
        assert cart.rows == []
        assert cart.total == Decimal("0.00")
        cart.clear()
        cart.discard({"anything"})
        cart.drop_stale_lines()
        assert not session.modified
        assert session.is_empty()

    def test_reads_nothing_but_the_session_for_the_count(
        self, session, margherita, django_assert_num_queries
    ):
        Cart(session).add(pizza=margherita, size=MEDIUM, quantity=3)

        with django_assert_num_queries(0):
            assert Cart(session).count == 3

    def test_sums_equal_lines_and_asks_the_database_once(
        self, session, menu, django_assert_num_queries
    ):
        cart = Cart(session)
        for name in ("Hawaiian", "Margherita", "Margherita", "Hawaiian"):
            cart.add(pizza=menu[name], size=MEDIUM, quantity=2)
        cart.add(
            pizza=menu["Margherita"], size=MEDIUM, quantity=1, extra_toppings=["Ham"]
        )

        with django_assert_num_queries(1):
            rows = [(r.pizza.name, r.quantity, r.extra_toppings) for r in cart.rows]
        assert rows == [
            ("Margherita", 4, []),
            ("Margherita", 1, ["Ham"]),
            ("Hawaiian", 4, []),
        ]
        assert cart.total == 4 * Decimal("16.89") + Decimal("19.39") + 4 * Decimal(
            "19.49"
        )

    @pytest.mark.parametrize(
        "stored",
        [
            None,
            [],
            "cart",
            7,
            {"a": None},
            {"a": []},
            {"a": {}},
            {"a b": {"pizza": 1, "size": "small", "quantity": 1}},
            {"": {"pizza": 1, "size": "small", "quantity": 1}},
            {"a" * 65: {"pizza": 1, "size": "small", "quantity": 1}},
            {"a": {"pizza": "1", "size": "small", "quantity": 1}},
            {"a": {"pizza": True, "size": "small", "quantity": 1}},
            {"a": {"pizza": 2**63, "size": "small", "quantity": 1}},
            {"a": {"pizza": 1, "size": "huge", "quantity": 1}},
            {"a": {"pizza": 1, "size": [], "quantity": 1}},
            {"a": {"pizza": 1, "size": "small", "quantity": 0}},
            {"a": {"pizza": 1, "size": "small", "quantity": 1.5}},
            {"a": {"pizza": 1, "size": "small", "quantity": 10**30}},
            {"a": {"pizza": 1, "size": "small", "quantity": 1, "extra_toppings": "x"}},
            {
                "a": {
                    "pizza": 1,
                    "size": "small",
                    "quantity": 1,
                    "extra_toppings": [[]],
                }
            },
        ],
    )
    def test_passes_over_what_is_no_line(self, session, margherita, stored):
        session["cart"] = stored

        cart = Cart(session)

        assert cart.is_empty
        cart.add(pizza=margherita, size=MEDIUM, quantity=1)
        assert Cart(session).count == 1

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        )
    )
    def test_nothing_in_a_session_breaks_it(self, anything):
        session = MemorySession()
        session["cart"] = {"line": anything}

        assert Cart(session).is_empty

    def test_what_is_sold_out_is_shown_and_not_charged(self, session, menu):
        cart = Cart(session)
        cart.add(pizza=menu["Hawaiian"], size=MEDIUM, quantity=1)
        cart.add(pizza=menu["Margherita"], size=MEDIUM, quantity=1)
        Pizza.objects.filter(name="Hawaiian").update(is_available=False)

        cart = Cart(session)

        assert [row.is_available for row in cart.rows] == [True, False]
        assert cart.total == Decimal("16.89")

    def test_what_left_the_menu_is_taken_out_once_with_a_notice(self, session, menu):
        cart = Cart(session)
        cart.add(pizza=menu["Hawaiian"], size=MEDIUM, quantity=1)
        cart.add(pizza=menu["Margherita"], size=MEDIUM, quantity=1)
        menu["Hawaiian"].delete()

        cart = Cart(session)
        with pytest.raises(CartChanged):
            cart.drop_stale_lines()
        cart.drop_stale_lines()

        assert [row.pizza.name for row in cart.rows] == ["Margherita"]
        assert len(session["cart"]) == 1


class TestAdd:
    def test_keeps_a_readable_line_under_a_random_id(self, session, margherita):
        Cart(session).add(
            pizza=margherita,
            size=MEDIUM,
            quantity=2,
            extra_toppings=["Olives", "Ham", "Olives"],
        )

        ((line_id, line),) = session["cart"].items()
        assert len(line_id) == 22
        assert line == {
            "pizza": margherita.pk,
            "size": "medium",
            "extra_toppings": ["Ham", "Olives"],
            "quantity": 2,
        }
        assert json.loads(json.dumps(session["cart"])) == session["cart"]

    def test_two_clicks_are_two_lines(self, session, margherita):
        for _ in range(2):
            Cart(session).add(pizza=margherita, size=MEDIUM, quantity=1)

        assert len(session["cart"]) == 2
        (row,) = Cart(session).rows
        assert row.quantity == 2

    def test_refuses_what_is_sold_out(self, session, margherita):
        margherita.is_available = False

        with pytest.raises(PizzaSoldOut, match="Margherita is sold out"):
            Cart(session).add(pizza=margherita, size=MEDIUM, quantity=1)

        assert not session.modified

    def test_refuses_a_topping_that_the_pizza_has(self, session, hawaiian):
        with pytest.raises(CartRefused, match="comes with Ham already"):
            Cart(session).add(
                pizza=hawaiian, size=MEDIUM, quantity=1, extra_toppings=["Ham"]
            )

    def test_refuses_more_of_one_than_a_row_holds(self, session, margherita):
        cart = Cart(session)
        cart.add(pizza=margherita, size=MEDIUM, quantity=MAX_QUANTITY)

        with pytest.raises(TooManyOfOnePizza):
            cart.add(pizza=margherita, size=MEDIUM, quantity=1)

        cart.add(pizza=margherita, size=Size.SMALL, quantity=1)
        assert cart.count == MAX_QUANTITY + 1

    def test_is_bounded_however_often_somebody_clicks(self, session, menu):
        cart = Cart(session)
        for _ in range(MAX_LINES + 3):
            cart.add(pizza=menu["Margherita"], size=MEDIUM, quantity=1)

        assert cart.count == MAX_LINES + 3
        assert len(session["cart"]) == MAX_LINES
        with pytest.raises(CartFull):
            cart.add(pizza=menu["Hawaiian"], size=MEDIUM, quantity=1)


class TestChange:
    @pytest.fixture
    def cart(self, session, menu):
        cart = Cart(session)
        for name in ("Margherita", "Margherita", "Hawaiian"):
            cart.add(pizza=menu[name], size=MEDIUM, quantity=2)
        return cart

    @pytest.mark.parametrize("quantity", [1, 7, MAX_QUANTITY])
    def test_sets_how_many_a_row_has(self, cart, quantity):
        cart.set_quantity(cart.rows[0], quantity)

        assert [row.quantity for row in cart.rows] == [quantity, 2]
        assert len(cart.lines) == 2

    def test_refuses_more_than_a_row_holds(self, cart):
        with pytest.raises(TooManyOfOnePizza):
            cart.set_quantity(cart.rows[0], MAX_QUANTITY + 1)

        assert cart.count == 6

    def test_nothing_removes_the_row(self, cart):
        cart.set_quantity(cart.rows[0], 0)

        assert [row.pizza.name for row in cart.rows] == ["Hawaiian"]

    def test_an_emptied_cart_stays_an_object(self, cart, session):
        for row in cart.rows:
            cart.remove(row)

        assert session["cart"] == {}
        assert cart.is_empty

    def test_discards_only_what_it_is_told(self, cart):
        cart.discard({cart.rows[0].lines[0].line_id, "unknown"})

        assert [row.quantity for row in cart.rows] == [2, 2]


def test_two_tabs_that_add_at_the_same_moment_lose_nothing(menu):
    first = SessionStore()
    first["cart"] = {}
    first.save()
    tabs = [SessionStore(first.session_key) for _ in range(2)]
    carts = [Cart(tab) for tab in tabs]
    assert all(cart.is_empty for cart in carts)

    for cart, tab in zip(carts, tabs, strict=True):
        cart.add(pizza=menu["Margherita"], size=MEDIUM, quantity=1)
        tab.save()

    assert Cart(SessionStore(first.session_key)).count == 2


@given(
    pizza_id=st.integers(1, 2**63 - 1),
    size=st.sampled_from(Size),
    extras=st.sets(st.sampled_from(TOPPINGS)),
    quantity=st.integers(1, MAX_QUANTITY),
)
def test_a_line_comes_back_from_the_session_as_it_was(pizza_id, size, extras, quantity):
    line = CartLine("line", pizza_id, size, tuple(sorted(extras)), quantity)

    stored = json.loads(json.dumps(line.for_session()))

    assert CartLine.from_session("line", stored) == line


class TestPages:
    def add(self, browser, pizza, **fields):
        chosen = {"pizza": pizza.pk, "size": "medium", "quantity": 1, **fields}
        return browser.post("/cart/add/", chosen)

    def test_adding_leads_to_the_cart(self, client, margherita):
        response = self.add(client, margherita, quantity=2, extra_toppings=["Ham"])

        assert response.status_code == 303
        assert response["Location"] == "/cart/"
        page = client.get("/cart/")
        (row,) = page.context["cart"].rows
        assert (row.quantity, row.extra_toppings) == (2, ["Ham"])
        assert "2 × Margherita added" in page.content.decode()

    def test_adding_by_htmx_answers_with_the_menus_summary(self, client, margherita):
        response = client.post(
            "/cart/add/",
            {"pizza": margherita.pk, "size": "medium", "quantity": 1},
            headers={"HX-Request": "true"},
        )

        assert response.status_code == 200
        body = response.content.decode()
        assert "<html" not in body
        assert 'id="cart-summary"' in body
        assert "16.89" in body
        assert "1 × Margherita added" in body

    @pytest.mark.parametrize(
        ("fields", "words"),
        [
            ({"pizza": "999"}, "This pizza is not on the menu."),
            ({"pizza": "9" * 40}, "This pizza is not on the menu."),
            ({"pizza": "margherita\x00"}, "Null characters are not allowed."),
            ({"pizza": ""}, "Please choose a pizza."),
            ({"size": "huge"}, "Pizzas come small, medium and large."),
            ({"size": ""}, "Please choose a size."),
            ({"extra_toppings": ["Gold"]}, "There is no such topping."),
            ({"extra_toppings": ["Ham", "Gold"]}, "There is no such topping."),
            ({"quantity": "0"}, "from 1 to 99"),
            ({"quantity": "-1"}, "from 1 to 99"),
            ({"quantity": "1000"}, "from 1 to 99"),
            ({"quantity": "1.5"}, "from 1 to 99"),
            ({"quantity": "many"}, "from 1 to 99"),
            ({"quantity": "9" * 5000}, "from 1 to 99"),
        ],
    )
    @pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}])
    def test_bad_input_is_answered_and_loses_nothing(
        self, client, margherita, fields, words, headers
    ):
        self.add(client, margherita)
        chosen = {"pizza": margherita.pk, "size": "medium", "quantity": 1, **fields}

        response = client.post("/cart/add/", chosen, headers=headers)

        assert response.status_code == 400
        assert words in response.content.decode()
        assert response.context["cart"].count == 1

    def test_sold_out_pizzas_are_named(self, client, margherita, hawaiian):
        self.add(client, margherita)
        Pizza.objects.filter(pk=hawaiian.pk).update(is_available=False)

        response = self.add(client, hawaiian)

        assert response.status_code == 400
        assert "Hawaiian is sold out today" in response.content.decode()
        assert response.context["cart"].count == 1

    def test_changes_and_removes_rows(self, client, margherita):
        self.add(client, margherita)
        key = client.get("/cart/").context["cart"].rows[0].key

        changed = client.post("/cart/update/", {"key": key, "quantity": 5})
        assert changed.status_code == 303
        assert client.get("/cart/").context["cart"].count == 5

        client.post("/cart/remove/", {"key": key})
        assert client.get("/cart/").context["cart"].is_empty

    def test_changes_by_htmx_are_answered_with_the_cart(self, client, margherita):
        self.add(client, margherita)
        key = client.get("/cart/").context["cart"].rows[0].key

        response = client.post(
            "/cart/update/",
            {"key": key, "quantity": 2},
            headers={"HX-Request": "true"},
        )

        body = response.content.decode()
        assert response.status_code == 200
        assert "<html" not in body
        assert 'id="cart"' in body
        assert "33.78" in body

    @pytest.mark.parametrize("quantity", ["", "-1", "100", "x", "1e3"])
    def test_a_bad_quantity_changes_nothing(self, client, margherita, quantity):
        self.add(client, margherita)
        key = client.get("/cart/").context["cart"].rows[0].key

        response = client.post(
            "/cart/update/",
            {"key": key, "quantity": quantity},
            headers={"HX-Request": "true"},
        )

        assert response.status_code == 400
        assert "from 0 to 99" in response.content.decode()
        assert response.context["cart"].count == 1

    @pytest.mark.parametrize("path", ["/cart/update/", "/cart/remove/"])
    def test_a_row_that_is_gone_is_no_error(self, client, margherita, path):
        self.add(client, margherita)

        response = client.post(path, {"key": "gone", "quantity": 1}, follow=True)

        assert response.status_code == 200
        assert "no longer in your cart" in response.content.decode()
        assert response.context["cart"].count == 1

    @pytest.mark.parametrize("path", ["/cart/add/", "/cart/update/", "/cart/remove/"])
    def test_reading_changes_nothing(self, client, path):
        assert client.get(path).status_code == 405

    def test_an_empty_cart_makes_no_session(self, client, db, redis_client):
        response = client.get("/cart/")

        assert response.status_code == 200
        assert "mario_session" not in response.cookies
        assert redis_client.keys("mario_session:*") == []

    def test_a_refused_addition_makes_no_session(self, client, menu, redis_client):
        client.post("/cart/add/", {"pizza": 999})

        assert redis_client.keys("mario_session:*") == []

    def test_says_what_left_the_menu(self, client, menu):
        self.add(client, menu["Margherita"])
        self.add(client, menu["Hawaiian"])
        menu["Hawaiian"].delete()

        first, second = client.get("/cart/"), client.get("/cart/")

        words = "no longer on the menu"
        assert words in first.content.decode()
        assert words not in second.content.decode()
        assert first.context["cart"].count == 1

    @pytest.mark.parametrize("broken", ["cart", [], {"a": 1}, {"a": {"pizza": {}}}])
    def test_a_broken_cart_is_an_empty_one(self, client, margherita, broken):
        self.add(client, margherita)
        session = client.session
        session["cart"] = broken
        session.save()

        for path in ("/", "/menu/", "/cart/"):
            response = client.get(path)
            assert response.status_code == 200
            assert response.context["cart"].is_empty
