"""Finding a pizza, and what one pizza's page says."""

from decimal import Decimal

import pytest

from pizzeria.menu.models import Pizza
from pizzeria.menu.toppings import Allergen, allergens_of


def names(response):
    return [pizza.name for pizza in response.context["pizzas"]]


class TestFilter:
    @pytest.mark.parametrize(
        ("wanted", "found"),
        [
            ({"q": "pine"}, ["Hawaiian"]),
            ({"q": "HAM pineapple"}, ["Hawaiian"]),
            ({"q": "ham onions"}, []),
            ({"category": "garden"}, ["Vegetarian"]),
            ({"vegetarian": "on"}, ["Margherita", "Vegetarian"]),
            ({"topping": "Bacon"}, ["Meat Lovers"]),
            ({"without": ["sulphites"]}, ["Margherita", "BBQ Chicken"]),
            ({"without": ["sulphites", "mustard"]}, ["Margherita"]),
            ({"without": ["gluten"]}, []),
            ({"q": "%"}, []),
            ({"q": "<script>"}, []),
        ],
    )
    def test_leaves_what_is_looked_for(self, client, menu, wanted, found):
        page = client.get("/menu/", wanted)
        api = client.get("/api/menu/", wanted)

        assert page.status_code == api.status_code == 200
        assert names(page) == found
        assert [pizza["name"] for pizza in api.json()] == found
        if not found:
            assert "No pizza fits that" in page.content.decode()

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("q", "a" * 61),
            ("q", "a\x00b"),
            ("category", "dessert"),
            ("topping", "Gold"),
            ("without", "water"),
        ],
    )
    def test_refuses_what_it_does_not_understand(self, client, menu, field, value):
        page = client.get("/menu/", {field: value})
        api = client.get("/api/menu/", {field: value})

        assert page.status_code == api.status_code == 400
        # The guest still sees what there is.
        assert names(page) == list(menu)
        assert api.json()["code"] == "invalid_input"
        assert api.json()["extra"].keys() == {field}

    def test_what_is_looked_for_is_text_on_the_page(self, client, menu):
        page = client.get("/menu/", {"q": '"><script>alert(1)</script>'})

        assert "<script>alert" not in page.content.decode()

    @pytest.mark.parametrize("number", ["2", "999", "x", "-1"])
    def test_a_page_that_is_not_there_is_the_nearest(self, client, menu, number):
        assert client.get("/menu/", {"page": number}).status_code == 200


class TestBounds:
    @pytest.fixture(params=[10, 1_000])
    def many(self, request, db):
        Pizza.objects.bulk_create(
            Pizza(name=f"Pizza {n}", base_price=Decimal(10), toppings=["Ham"])
            for n in range(request.param)
        )
        return request.param

    def test_the_menu_asks_three_times_at_most(
        self, client, many, django_assert_max_num_queries
    ):
        pizza = Pizza.objects.get(name="Pizza 0")
        client.post("/cart/add/", {"pizza": pizza.pk, "size": "small"})

        with django_assert_max_num_queries(3):
            response = client.get("/menu/")

        assert len(response.context["pizzas"]) == min(many, 24)
        assert len(response.content) < 150_000

    def test_a_customers_menu_asks_three_times_for_itself(
        self, browser_of, peach, many, django_assert_max_num_queries
    ):
        browser = browser_of(peach)
        # Who it is and what they may do: the person, their groups' permissions and
        # their own are not the menu's.
        with django_assert_max_num_queries(3 + 3):
            browser.get("/menu/")

    def test_the_api_answers_with_a_menu_that_somebody_reads(
        self, client, many, django_assert_max_num_queries
    ):
        with django_assert_max_num_queries(1):
            assert len(client.get("/api/menu/").json()) == min(many, 200)

    def test_the_cart_asks_three_times_at_most(
        self, client, many, django_assert_max_num_queries
    ):
        for pizza in Pizza.objects.all()[:40]:
            client.post("/cart/add/", {"pizza": pizza.pk, "size": "small"})

        with django_assert_max_num_queries(3):
            client.get("/cart/")

    def test_the_managers_lists_do_not_grow(
        self, browser_of, api_of, daisy, many, django_assert_max_num_queries
    ):
        browser, api = browser_of(daisy), api_of(daisy)

        with django_assert_max_num_queries(6):
            page = browser.get("/management/menu/")
        assert len(page.context["page"].object_list) == min(many, 50)
        with django_assert_max_num_queries(6):
            first = api.get("/api/management/menu/").json()
        assert (first["count"], len(first["results"])) == (many, min(many, 20))


class TestOnePizza:
    def test_price_and_picture_follow_the_address(self, client, hawaiian):
        response = client.get(
            f"/menu/{hawaiian.pk}/",
            {"size": "large", "extra_toppings": ["Olives", "Basil"], "quantity": "2"},
        )

        page = response.content.decode()
        assert response.context["price"] == Decimal("57.96")
        assert "$57.96" in page
        assert 'href="#t-olives" data-extra' in page
        assert "Sulphites" in page

    @pytest.mark.parametrize(
        "wrong",
        [
            {"size": "huge"},
            {"quantity": "-1"},
            {"quantity": "1e9"},
            {"extra_toppings": "Gold"},
            {"size": ["small", "\x00"]},
        ],
    )
    def test_nonsense_in_the_address_shows_the_pizza_as_it_comes(
        self, client, hawaiian, wrong
    ):
        response = client.get(f"/menu/{hawaiian.pk}/", wrong)

        assert response.status_code == 200
        assert response.context["price"] == hawaiian.prices["medium"]

    def test_says_what_the_api_says(self, client, hawaiian):
        chosen = {"size": "large", "extra_toppings": ["Olives", "Basil"]}

        quote = client.get(f"/api/menu/{hawaiian.pk}/price/", chosen)

        assert quote.json()["unit_price"] == "28.98"
        assert "sulphites" in quote.json()["allergens"]
        refused = client.get(f"/api/menu/{hawaiian.pk}/price/", {"size": "huge"})
        assert refused.status_code == 400
        assert refused.json()["extra"].keys() == {"size"}

    def test_a_retired_one_is_not_there(self, client, hawaiian):
        Pizza.objects.update(retired_at="2026-11-20T12:00Z")

        for path in ("/menu/{}/", "/api/menu/{}/", "/api/menu/{}/price/"):
            assert client.get(path.format(hawaiian.pk)).status_code == 404


class TestTags:
    def test_an_unchanged_menu_is_not_read_twice(self, client, menu):
        first = client.get("/api/menu/")

        again = client.get("/api/menu/", headers={"If-None-Match": first["ETag"]})
        assert (again.status_code, again.content) == (304, b"")

        Pizza.objects.filter(name="Hawaiian").update(is_available=False)
        changed = client.get("/api/menu/", headers={"If-None-Match": first["ETag"]})
        assert changed.status_code == 200


def test_allergens_are_those_of_base_toppings_and_sauce():
    assert allergens_of([]) == [Allergen.GLUTEN, Allergen.MILK]
    assert Allergen.MUSTARD in allergens_of(["Sausage"])
    assert Allergen.FISH in allergens_of([], ["fish"])
