import json

import pytest

from pizzeria.cart.cart import Cart
from pizzeria.menu.models import Pizza
from pizzeria.orders.models import Order
from tests.pizzeria.conftest import CHECKOUT


@pytest.fixture
def api(api_of, peach, margherita):
    """Peach's client, with two medium Margheritas in the cart."""
    client = api_of(peach)
    item = {"pizza": margherita.pk, "size": "medium", "quantity": 2}
    client.post("/api/cart/items/", item, format="json")
    return client


def place(api, **fields):
    return api.post("/api/orders/", {**CHECKOUT, **fields}, format="json")


class TestPlacing:
    def test_orders_the_cart(self, api, margherita):
        response = place(api, notes="Ring twice.")

        assert response.status_code == 201
        order = Order.objects.get()
        answer = response.json()
        assert answer["id"] == order.pk
        assert answer["status"] == "confirmed"
        assert answer["total_amount"] == "33.78"
        assert answer["customer_phone"] == "+12025550143"
        assert answer["notes"] == "Ring twice."
        assert answer["lines"] == [
            {
                "pizza": margherita.pk,
                "name": "Margherita",
                "size": "medium",
                "toppings": [],
                "extra_toppings": [],
                "quantity": 2,
                "unit_price": "16.89",
                "total": "33.78",
            }
        ]
        assert api.get("/api/cart/").json()["count"] == 0
        assert api.get(f"/api/orders/{order.pk}/").json() == answer

    def test_an_empty_cart_is_refused(self, api_of, toad):
        response = place(api_of(toad))

        assert response.status_code == 400
        assert response.json()["code"] == "empty_order"
        assert response.json()["extra"] == {}

    def test_a_second_call_is_told_the_order_that_emptied_the_cart(self, api):
        first, second = place(api), place(api)

        assert second.status_code == 400
        assert second.json()["code"] == "empty_order"
        assert second.json()["extra"] == {"last_order": first.json()["id"]}
        assert Order.objects.count() == 1

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("customer_address", "a" * 10_000),
            ("customer_address", "Rome"),
            ("customer_address", "1 Castle\x00Road"),
            ("customer_address", "1 Castle\x1bRoad"),
            ("customer_address", ["1 Castle Road"]),
            ("customer_address", None),
            ("customer_phone", "nobody"),
            ("customer_phone", "1" * 10_000),
            ("customer_phone", "202\x005550143"),
            ("customer_phone", {}),
            ("payment_method", "gold"),
            ("payment_method", True),
            ("notes", "a" * 501),
            ("notes", "\x07"),
            ("notes", None),
        ],
    )
    def test_bad_input_names_the_field_and_keeps_the_cart(self, api, field, value):
        response = place(api, **{field: value})

        assert response.status_code == 400
        assert response.json()["code"] == "invalid_input"
        assert response.json()["extra"].keys() == {field}
        assert not Order.objects.exists()
        assert api.get("/api/cart/").json()["count"] == 2

    @pytest.mark.parametrize("field", [*CHECKOUT, "notes"])
    def test_half_a_character_is_refused_and_not_repeated(self, api, field):
        # A lone surrogate can be written in JSON and in no answer.
        body = json.dumps({**CHECKOUT, field: "1 Castle \ud800 Road"})

        response = api.post(
            "/api/orders/", data=body.encode(), content_type="application/json"
        )

        assert response.status_code == 400
        assert response.json()["extra"].keys() == {field}

    def test_everything_that_is_missing_is_named_at_once(self, api):
        response = api.post("/api/orders/", {}, format="json")

        assert response.json()["extra"].keys() == CHECKOUT.keys()

    def test_what_is_sold_out_is_named_and_the_rest_kept(self, api, margherita):
        Pizza.objects.filter(pk=margherita.pk).update(is_available=False)

        response = place(api)

        assert response.status_code == 400
        assert response.json()["code"] == "sold_out"
        assert response.json()["extra"] == {"pizzas": ["Margherita"]}
        assert api.get("/api/cart/").json()["count"] == 2

    def test_what_left_the_menu_is_told_first(self, api, hawaiian):
        item = {"pizza": hawaiian.pk, "size": "small", "quantity": 1}
        api.post("/api/cart/items/", item, format="json")
        hawaiian.delete()

        first, second = place(api), place(api)

        assert first.status_code == 409
        assert first.json()["code"] == "cart_changed"
        assert second.json()["total_amount"] == "33.78"

    def test_asks_for_a_login(self, client, db):
        response = client.post(
            "/api/orders/", CHECKOUT, content_type="application/json"
        )

        assert response.status_code == 401


class TestReading:
    def test_lists_ones_own_page_by_page(self, api, order_of, peach, toad):
        mine = [order_of(peach).pk for _ in range(21)]
        order_of(toad)

        first = api.get("/api/orders/").json()

        assert first["count"] == 21
        assert first["previous"] is None
        assert len(first["results"]) == 20
        second = api.get(first["next"]).json()
        seen = [order["id"] for order in first["results"] + second["results"]]
        assert seen == sorted(mine, reverse=True)

    def test_the_number_of_queries_does_not_grow(
        self, api, order_of, peach, django_assert_max_num_queries
    ):
        for _ in range(20):
            order_of(peach)

        with django_assert_max_num_queries(5):
            api.get("/api/orders/")

    def test_a_page_beyond_the_last_is_not_found(self, api):
        response = api.get("/api/orders/?page=9")

        assert response.status_code == 404
        assert response.json()["code"] == "not_found"

    def test_somebody_elses_is_not_there(self, api, order_of, toad):
        order = order_of(toad)

        not_mine = api.get(f"/api/orders/{order.pk}/")
        not_any = api.get(f"/api/orders/{10**30}/")

        assert not_mine.status_code == 404
        assert not_mine.json() == not_any.json()

    def test_the_kitchen_sees_it(self, api_of, order_of, peach, luigi):
        order = order_of(peach)

        assert api_of(luigi).get(f"/api/orders/{order.pk}/").status_code == 200
        assert api_of(luigi).get("/api/orders/").json()["count"] == 0


class TestKitchen:
    def move(self, api, order, status):
        return api.post(
            f"/api/kitchen/orders/{order.pk}/status/", {"status": status}, format="json"
        )

    @pytest.fixture
    def order(self, order_of, peach):
        return order_of(peach)

    @pytest.mark.parametrize("who", ["peach", "toad", "yoshi"])
    def test_is_closed_to_others(self, request, api_of, order, who):
        visitor = api_of(request.getfixturevalue(who))

        for response in (
            visitor.get("/api/kitchen/orders/"),
            self.move(visitor, order, "cooking"),
        ):
            assert response.status_code == 403
            assert response.json()["code"] == "permission_denied"
        assert Order.objects.get().status == "confirmed"

    def test_lists_what_the_kitchen_has_to_do(self, api_of, luigi, order_of, peach):
        ready, cooking, first, second, gone = (order_of(peach) for _ in range(5))
        for order, status in (
            (ready, "ready"),
            (cooking, "cooking"),
            (gone, "delivered"),
        ):
            Order.objects.filter(pk=order.pk).update(status=status)

        response = api_of(luigi).get("/api/kitchen/orders/")

        seen = [order["id"] for order in response.json()["results"]]
        assert seen == [first.pk, second.pk, cooking.pk, ready.pk]

    def test_brings_an_order_from_confirmed_to_ready(self, api_of, luigi, order):
        cook = api_of(luigi)

        for status in ("cooking", "ready"):
            response = self.move(cook, order, status)
            assert response.status_code == 200
            assert response.json()["status"] == status

    def test_the_slower_cook_is_told_the_state(self, api_of, luigi, daisy, order):
        self.move(api_of(daisy), order, "cooking")

        response = self.move(api_of(luigi), order, "cooking")

        assert response.status_code == 409
        assert response.json()["code"] == "status_conflict"
        assert response.json()["extra"] == {"order": order.pk, "status": "cooking"}

    def test_a_full_oven_says_so(self, api_of, luigi, order_of, peach):
        cook = api_of(luigi)
        answers = [self.move(cook, order_of(peach), "cooking") for _ in range(6)]

        assert [answer.status_code for answer in answers] == [*[200] * 5, 409]
        assert answers[5].json()["code"] == "kitchen_full"
        assert answers[5].json()["extra"] == {"capacity": 5}

    @pytest.mark.parametrize("status", ["delivering", "", None, 1, ["ready"]])
    def test_the_kitchen_only_starts_and_finishes(self, api_of, luigi, order, status):
        response = self.move(api_of(luigi), order, status)

        assert response.status_code == 400
        assert response.json()["extra"].keys() == {"status"}

    def test_an_unknown_order_is_not_found(self, api_of, luigi):
        response = api_of(luigi).post(
            "/api/kitchen/orders/99/status/", {"status": "ready"}, format="json"
        )

        assert response.status_code == 404
        assert response.json()["code"] == "not_found"


def test_a_page_orders_what_the_api_added(api):
    response = api.post("/checkout/", CHECKOUT)

    assert response.status_code == 303
    assert Order.objects.get().total_amount.to_eng_string() == "33.78"
    assert Cart(api.session).is_empty
