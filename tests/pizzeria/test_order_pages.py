import re
from datetime import timedelta

import pytest

from pizzeria.cart.cart import Cart
from pizzeria.menu.models import Pizza
from pizzeria.orders.models import Order
from tests.pizzeria.conftest import CHECKOUT, FRIDAY_EVENING

HTMX = {"HX-Request": "true"}


@pytest.fixture
def browser(browser_of, peach):
    return browser_of(peach)


@pytest.fixture
def with_cart(browser, margherita):
    """Peach's browser, with one medium Margherita in the cart."""
    browser.post("/cart/add/", {"pizza": margherita.pk, "size": "medium"})
    return browser


class TestLogin:
    @pytest.mark.parametrize(
        "path", ["/checkout/", "/orders/", "/orders/1/", "/kitchen/"]
    )
    def test_anonymous_visitors_log_in_and_come_back(self, client, db, path):
        response = client.get(f"{path}?page=2")

        assert response.status_code == 302
        assert response["Location"] == f"/auth/login?next={path}%3Fpage%3D2"

    def test_placing_an_order_comes_back_to_the_checkout(self, client, margherita):
        client.post("/cart/add/", {"pizza": margherita.pk, "size": "small"})

        response = client.post("/checkout/", CHECKOUT)

        assert response["Location"] == "/auth/login?next=/checkout/"
        assert not Order.objects.exists()
        assert Cart(client.session).count == 1

    def test_a_step_in_the_kitchen_comes_back_to_the_board(self, client, db):
        response = client.post("/kitchen/1/advance/", {"to": "cooking"})

        assert response["Location"] == "/auth/login?next=/kitchen/"

    def test_a_fragment_moves_the_whole_page_to_the_login(self, client, db):
        response = client.get(
            "/kitchen/",
            headers={**HTMX, "HX-Current-URL": "http://testserver/kitchen/?a=1"},
        )

        assert response.status_code == 200
        assert response["HX-Redirect"] == "/auth/login?next=%2Fkitchen%2F%3Fa%3D1"

    def test_nobody_is_sent_to_a_foreign_page(self, client, db):
        response = client.get(
            "/kitchen/", headers={**HTMX, "HX-Current-URL": "http://evil.example/x"}
        )

        assert response["HX-Redirect"] == "/auth/login?next=%2Fkitchen%2F"


class TestCheckout:
    def test_shows_the_form_and_the_cart(self, with_cart):
        response = with_cart.get("/checkout/")

        assert response.status_code == 200
        assert "16.89" in response.content.decode()
        assert 'name="seen_total" value="16.89"' in response.content.decode()

    def test_places_the_order(self, with_cart, peach):
        response = with_cart.post("/checkout/", {**CHECKOUT, "notes": "Ring twice."})

        order = Order.objects.get()
        assert response.status_code == 303
        assert response["Location"] == f"/orders/{order.pk}/"
        assert order.customer == peach
        assert order.customer_phone == "+12025550143"
        assert order.notes == "Ring twice."
        assert Cart(with_cart.session).is_empty
        page = with_cart.get(response["Location"]).content.decode()
        assert "16.89" in page
        assert "is in the kitchen" in page

    def test_an_empty_cart_leads_back_to_the_cart(self, browser):
        for response in (
            browser.get("/checkout/", follow=True),
            browser.post("/checkout/", CHECKOUT, follow=True),
        ):
            assert response.redirect_chain == [("/cart/", 303)]
            assert "nothing to order" in response.content.decode()
        assert not Order.objects.exists()

    def test_a_second_click_leads_to_the_same_order(self, with_cart):
        first = with_cart.post("/checkout/", CHECKOUT)
        second = with_cart.post("/checkout/", CHECKOUT)

        assert second.status_code == 303
        assert second["Location"] == first["Location"]
        assert Order.objects.count() == 1

    @pytest.mark.parametrize("last", ["7", None, [], {"id": 1}, 10**30, -1])
    def test_a_strange_memory_of_the_last_order_is_none(self, browser, last):
        session = browser.session
        session["last_order"] = last
        session.save()

        assert browser.post("/checkout/", CHECKOUT)["Location"] == "/cart/"

    def test_the_last_order_of_somebody_else_is_not_shown(
        self, browser, order_of, toad
    ):
        session = browser.session
        session["last_order"] = order_of(toad).pk
        session.save()

        assert browser.post("/checkout/", CHECKOUT)["Location"] == "/cart/"

    @pytest.mark.parametrize(
        ("field", "value", "words"),
        [
            ("customer_address", "a" * 10_000, "at most 200 characters"),
            ("customer_address", "", "Please say where the pizza goes."),
            ("customer_phone", "nobody", "no phone number"),
            ("payment_method", "", "Please choose how you pay."),
            ("payment_method", "gold", "not one of the available choices"),
            ("notes", "\x00", "cannot be printed"),
            ("seen_total", "much", "Enter a number"),
        ],
    )
    def test_bad_input_is_answered_and_keeps_all(self, with_cart, field, value, words):
        response = with_cart.post("/checkout/", {**CHECKOUT, field: value})

        page = response.content.decode()
        assert response.status_code == 400
        assert words in page
        assert field in response.context["form"].errors
        if field != "customer_address":
            assert CHECKOUT["customer_address"] in page
        assert Cart(with_cart.session).count == 1
        assert not Order.objects.exists()

    def test_what_sold_out_meanwhile_is_named_and_the_rest_kept(
        self, with_cart, hawaiian
    ):
        with_cart.post("/cart/add/", {"pizza": hawaiian.pk, "size": "small"})
        Pizza.objects.filter(pk=hawaiian.pk).update(is_available=False)

        response = with_cart.post("/checkout/", CHECKOUT)

        assert response.status_code == 400
        assert "Hawaiian is sold out today" in response.content.decode()
        assert CHECKOUT["customer_address"] in response.content.decode()
        assert Cart(with_cart.session).count == 2
        assert not Order.objects.exists()

    def test_a_changed_price_is_shown_before_it_is_charged(self, with_cart, margherita):
        Pizza.objects.filter(pk=margherita.pk).update(base_price="20.00")
        seen = {**CHECKOUT, "seen_total": "16.89"}

        response = with_cart.post("/checkout/", seen)

        assert response.status_code == 409
        page = response.content.decode()
        assert "The total is 26.00 now" in page
        assert 'name="seen_total" value="26.00"' in page
        assert not Order.objects.exists()
        again = with_cart.post("/checkout/", {**seen, "seen_total": "26.00"})
        assert again.status_code == 303

    def test_what_left_the_menu_is_told_before_the_rest_is_ordered(
        self, with_cart, hawaiian
    ):
        with_cart.post("/cart/add/", {"pizza": hawaiian.pk, "size": "small"})
        hawaiian.delete()

        response = with_cart.post("/checkout/", CHECKOUT)

        assert response.status_code == 409
        assert "no longer on the menu" in response.content.decode()
        assert with_cart.post("/checkout/", CHECKOUT).status_code == 303

    def test_a_cart_of_nothing_but_gone_pizzas_leads_back(self, browser, hawaiian):
        browser.post("/cart/add/", {"pizza": hawaiian.pk, "size": "small"})
        hawaiian.delete()

        response = browser.post("/checkout/", CHECKOUT, follow=True)

        assert response.redirect_chain == [("/cart/", 303)]
        assert "no longer on the menu" in response.content.decode()

    def test_script_in_a_note_is_text(self, with_cart):
        note = "<script>alert(1)</script>"

        response = with_cart.post(
            "/checkout/", {**CHECKOUT, "notes": note}, follow=True
        )

        assert note not in response.content.decode()
        assert "&lt;script&gt;" in response.content.decode()


class TestOrderList:
    def test_shows_ones_own_newest_first(self, browser, order_of, peach, toad):
        old = order_of(peach)
        new = order_of(peach, placed_at=FRIDAY_EVENING + timedelta(minutes=1))
        order_of(toad)

        response = browser.get("/orders/")

        assert list(response.context["orders"]) == [new, old]

    def test_is_read_page_by_page(
        self, browser, order_of, peach, django_assert_max_num_queries
    ):
        for _ in range(25):
            order_of(peach)

        # Session, person, permissions, count, page, lines.
        with django_assert_max_num_queries(8):
            first = browser.get("/orders/").context["orders"]
        assert (len(first), first.paginator.num_pages) == (20, 2)
        for page in ("2", "999", "9" * 30):
            assert len(browser.get(f"/orders/?page={page}").context["orders"]) == 5
        for page in ("", "x", "-1", "0"):
            assert browser.get(f"/orders/?page={page}").status_code == 200


class TestOrderDetail:
    def test_shows_an_order_and_where_it_is(self, browser, order_of, peach):
        order = order_of(peach)

        response = browser.get(f"/orders/{order.pk}/")

        assert response.status_code == 200
        assert response.context["timeline"][0] == ("Confirmed", FRIDAY_EVENING, "now")
        assert "16.89" in response.content.decode()

    def test_a_poll_is_answered_with_what_can_change(self, browser, order_of, peach):
        order = order_of(peach)

        page = browser.get(f"/orders/{order.pk}/", headers=HTMX).content.decode()

        assert 'id="status"' in page
        assert "<html" not in page

    @pytest.mark.parametrize("who", ["toad", "yoshi"])
    def test_somebody_elses_is_not_there(
        self, request, browser_of, order_of, peach, who
    ):
        other = browser_of(request.getfixturevalue(who))
        order = order_of(peach)

        paths = [f"/orders/{number}/" for number in (order.pk, order.pk + 1)]
        answers = [other.get(path) for path in paths]

        assert [answer.status_code for answer in answers] == [404, 404]
        # But for the number and the time they are the same page.
        not_mine, not_any = (
            re.sub(r"\d+", "", answer.content.decode()) for answer in answers
        )
        assert not_mine == not_any

    @pytest.mark.parametrize("who", ["luigi", "daisy"])
    def test_the_kitchen_sees_it(self, request, browser_of, order_of, peach, who):
        cook = browser_of(request.getfixturevalue(who))

        assert cook.get(f"/orders/{order_of(peach).pk}/").status_code == 200

    def test_a_number_beyond_all_orders_is_not_found(self, browser):
        assert browser.get(f"/orders/{10**30}/").status_code == 404
