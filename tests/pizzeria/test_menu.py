from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import IntegrityError, transaction

from pizzeria.menu.models import Pizza


class TestSeedMenu:
    def test_puts_six_pizzas_on_the_menu(self, db, capsys):
        call_command("seed_menu")

        assert list(Pizza.objects.values_list("name", "base_price")) == [
            ("Margherita", Decimal("12.99")),
            ("Pepperoni", Decimal("14.99")),
            ("Vegetarian", Decimal("13.99")),
            ("Hawaiian", Decimal("14.99")),
            ("BBQ Chicken", Decimal("15.99")),
            ("Meat Lovers", Decimal("16.99")),
        ]
        assert "Margherita" in capsys.readouterr().out

    def test_leaves_an_edited_price_and_name_alone(self, margherita):
        Pizza.objects.filter(pk=margherita.pk).update(
            name="MARGHERITA", base_price="10.00"
        )

        call_command("seed_menu")

        margherita.refresh_from_db()
        assert margherita.base_price == Decimal("10.00")
        assert Pizza.objects.count() == 6

    def test_brings_back_only_what_is_missing(self, menu, capsys):
        menu["Hawaiian"].delete()

        call_command("seed_menu")

        assert "On the menu now: Hawaiian." in capsys.readouterr().out
        assert Pizza.objects.count() == 6


class TestPizza:
    def test_a_name_is_unique_whatever_its_case(self, margherita):
        twin = Pizza(name="margherita", base_price=Decimal("9.00"))

        with pytest.raises(ValidationError, match="a pizza of this name"):
            twin.full_clean()
        with pytest.raises(IntegrityError), transaction.atomic():
            twin.save()

    @pytest.mark.parametrize("price", ["0.00", "-1.00"])
    def test_costs_something(self, db, price):
        with pytest.raises(IntegrityError), transaction.atomic():
            Pizza.objects.create(name="Gift", base_price=Decimal(price))

    @pytest.mark.parametrize(
        "toppings", [["Gold"], ["Ham", "Ham"], "Ham", [1], {"Ham": 1}]
    )
    def test_takes_only_known_toppings_once(self, toppings):
        pizza = Pizza(name="New", base_price=Decimal("9.00"), toppings=toppings)

        with pytest.raises(ValidationError) as caught:
            pizza.clean_fields()

        assert caught.value.message_dict.keys() == {"toppings"}


class TestPages:
    def test_home(self, client, db):
        assert client.get("/").status_code == 200

    def test_the_menu_shows_each_pizza_with_its_prices(self, client, menu):
        response = client.get("/menu/")

        assert response.status_code == 200
        assert [pizza.name for pizza in response.context["pizzas"]] == list(menu)
        assert "16.89" in response.content.decode()

    def test_looking_around_makes_no_session(self, client, menu, redis_client):
        client.get("/")
        response = client.get("/menu/")

        assert "mario_session" not in response.cookies
        assert redis_client.keys("mario_session:*") == []

    def test_the_menu_asks_the_database_once(
        self, client, menu, django_assert_num_queries
    ):
        with django_assert_num_queries(1):
            client.get("/menu/")


class TestApi:
    def test_lists_the_menu_for_everybody(self, client, menu):
        response = client.get("/api/menu/")

        assert response.status_code == 200
        assert [pizza["name"] for pizza in response.json()] == list(menu)
        assert response.json()[3] == {
            "id": menu["Hawaiian"].pk,
            "name": "Hawaiian",
            "description": "Ham, pineapple and mozzarella.",
            "category": "classic",
            "base_price": "14.99",
            "toppings": ["Ham", "Pineapple"],
            "prices": {"small": "14.99", "medium": "19.49", "large": "23.98"},
            "is_vegetarian": False,
            "allergens": ["gluten", "milk", "sulphites"],
            "spice_level": 0,
            "nutrition": response.json()[3]["nutrition"],
            "available_from": None,
            "available_until": None,
            "is_available": True,
        }

    def test_shows_one_pizza(self, client, margherita):
        response = client.get(f"/api/menu/{margherita.pk}/")

        assert response.json()["prices"]["medium"] == "16.89"

    @pytest.mark.parametrize("number", ["0", "999", "9" * 30])
    def test_unknown_pizzas_are_not_found(self, client, menu, number):
        response = client.get(f"/api/menu/{number}/")

        assert response.status_code == 404
        assert response.json() == {
            "code": "not_found",
            "message": "There is nothing at this address.",
            "extra": {},
        }

    def test_a_token_that_is_not_valid_is_refused(self, client, menu):
        response = client.get("/api/menu/", headers={"Authorization": "Bearer junk"})

        assert response.status_code == 401
