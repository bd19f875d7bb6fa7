"""How hot a pizza is, what it feeds, and when it is there at all."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from pizzeria.cart.cart import Cart
from pizzeria.exceptions import OutOfSeason
from pizzeria.menu.models import Pizza
from pizzeria.menu.nutrition import FACTS, scaled
from pizzeria.menu.pricing import Size
from pizzeria.menu.seed import seed_seasons
from pizzeria.orders.models import Order
from pizzeria.orders.services import place_order
from tests.pizzeria.conftest import CHECKOUT, CONTACT, cart_line
from tests.pizzeria.test_menu_search import names

TODAY = timezone.localdate()
DAY = timedelta(days=1)


@pytest.fixture
def over(hawaiian):
    """A pizza whose season ended yesterday."""
    Pizza.objects.filter(pk=hawaiian.pk).update(available_until=TODAY - DAY)
    hawaiian.refresh_from_db()
    return hawaiian


class TestSeason:
    @pytest.mark.parametrize(
        ("first", "last", "is_on"),
        [
            (None, None, True),
            (TODAY, TODAY, True),
            (TODAY, None, True),
            (None, TODAY, True),
            (TODAY + DAY, None, False),
            (None, TODAY - DAY, False),
            (TODAY - 3 * DAY, TODAY - DAY, False),
        ],
    )
    def test_is_on_from_its_first_day_to_its_last(
        self, client, hawaiian, first, last, is_on
    ):
        Pizza.objects.filter(pk=hawaiian.pk).update(
            available_from=first, available_until=last
        )

        assert ("Hawaiian" in names(client.get("/menu/"))) is is_on
        listed = [pizza["name"] for pizza in client.get("/api/menu/").json()]
        assert ("Hawaiian" in listed) is is_on
        found = 200 if is_on else 404
        for path in (f"/menu/{hawaiian.pk}/", f"/api/menu/{hawaiian.pk}/"):
            assert client.get(path).status_code == found

    def test_is_over_at_midnight_where_the_restaurant_stands(self, hawaiian, peach):
        Pizza.objects.filter(pk=hawaiian.pk).update(available_until=date(2026, 11, 20))

        def order(line_id, placed_at):
            line = cart_line(hawaiian, line_id)
            place_order(
                customer=peach, lines=[line], contact=CONTACT, placed_at=placed_at
            )

        # Midnight in Rome is 23:00 in UTC.
        order("late", datetime(2026, 11, 20, 22, 59, tzinfo=UTC))
        with pytest.raises(OutOfSeason, match="Hawaiian is out of season"):
            order("too late", datetime(2026, 11, 20, 23, 0, tzinfo=UTC))
        assert Order.objects.count() == 1

    def test_cannot_be_added_and_says_its_name(self, client, over, api_of, peach):
        page = client.post("/cart/add/", {"pizza": over.pk, "size": "small"})
        told = {"pizza": over.pk, "size": "small", "quantity": 1}
        answer = api_of(peach).post("/api/cart/items/", told, format="json")

        assert page.status_code == answer.status_code == 400
        assert "Hawaiian is out of season" in page.content.decode()
        assert answer.json()["code"] == "out_of_season"

    def test_a_cart_that_holds_one_says_so_and_keeps_it(
        self, browser_of, peach, margherita, hawaiian
    ):
        browser = browser_of(peach)
        for pizza in (margherita, hawaiian):
            browser.post("/cart/add/", {"pizza": pizza.pk, "size": "small"})
        Pizza.objects.filter(pk=hawaiian.pk).update(available_from=TODAY + DAY)

        cart = browser.get("/cart/")
        menu = browser.get("/menu/")
        ordered = browser.post("/checkout/", CHECKOUT)

        assert "Out of season" in cart.content.decode()
        assert "12.99" in cart.content.decode()
        assert "27.98" not in cart.content.decode()
        assert "out of season" in menu.content.decode()
        assert ordered.status_code == 400
        assert "Hawaiian is out of season" in ordered.content.decode()
        assert Cart(browser.session).count == 2
        assert not Order.objects.exists()

    def test_does_not_end_before_it_begins(self, db):
        season = {"available_from": TODAY, "available_until": TODAY - DAY}
        pizza = Pizza(name="Never", base_price=Decimal(9), **season)

        with pytest.raises(ValidationError) as refused:
            pizza.full_clean()
        with pytest.raises(IntegrityError), transaction.atomic():
            pizza.save()
        assert "available_until" in refused.value.message_dict

    @pytest.mark.parametrize(
        ("day", "on_menu"),
        [
            (date(2026, 2, 28), "Inverno"),
            (date(2026, 3, 1), "Primavera"),
            (date(2026, 8, 31), "Estate"),
            (date(2026, 11, 30), "Autunno"),
            (date(2026, 12, 31), "Inverno"),
        ],
    )
    def test_the_demo_has_a_pizza_for_each(self, db, day, on_menu):
        for _ in range(2):
            seed_seasons(day)

        assert [pizza.name for pizza in Pizza.objects.on_menu(day)] == [on_menu]
        assert Pizza.objects.count() == 2
        for pizza in Pizza.objects.all():
            pizza.full_clean()


class TestNutrition:
    def test_grows_with_the_size_and_is_rounded_once(self):
        assert scaled(Decimal("0.25"), "salt", Size.LARGE) == Decimal("0.5")
        assert scaled(Decimal(715), "kcal", Size.MEDIUM) == 1001
        assert scaled(Decimal("22.5"), "fat", Size.SMALL) == Decimal("22.5")
        assert scaled(None, "fat", Size.SMALL) is None

    def test_is_on_the_pizzas_page_and_in_the_api(self, client, margherita):
        page = client.get(f"/menu/{margherita.pk}/").content.decode()
        told = client.get(f"/api/menu/{margherita.pk}/").json()["nutrition"]

        assert "966" in page
        assert "of which sugars" in page
        assert told["medium"] == {
            "kcal": 966,
            "fat": "31.5",
            "saturates": "15.4",
            "carbohydrate": "123.2",
            "sugars": "10.5",
            "protein": "40.6",
            "salt": "4.3",
        }

    def test_what_nobody_knows_is_not_shown(self, client, margherita):
        nothing = dict.fromkeys(FACTS)
        Pizza.objects.filter(pk=margherita.pk).update(**nothing | {"kcal": 500})
        some = client.get(f"/menu/{margherita.pk}/").content.decode()
        Pizza.objects.filter(pk=margherita.pk).update(kcal=None)
        none = client.get(f"/menu/{margherita.pk}/").content.decode()

        assert "700" in some
        assert "Salt" not in some
        assert "Nutrition" not in none
        assert client.get(f"/api/menu/{margherita.pk}/").json()["nutrition"] is None


class TestSpice:
    def test_is_said_in_words(self, client, menu):
        page = client.get("/menu/").content.decode()

        assert page.count("A little hot") >= 2
        assert client.get("/api/menu/").json()[5]["spice_level"] == 2

    @pytest.mark.parametrize(
        ("wanted", "found"),
        [
            ({"spice": "2"}, ["Meat Lovers"]),
            ({"spice": ["1", "2"]}, ["Pepperoni", "BBQ Chicken", "Meat Lovers"]),
            ({"spice": "3"}, []),
            ({"seasonal": "on"}, ["Vegetarian"]),
            ({"category": "classic", "sort": "name"}, "Hawaiian Margherita Pepperoni"),
            ({"category": "classic", "sort": "price"}, "Margherita Pepperoni Hawaiian"),
            ({"category": "classic", "sort": "spice"}, "Pepperoni Margherita Hawaiian"),
        ],
    )
    def test_menu_is_narrowed_down_and_sorted(self, client, menu, wanted, found):
        Pizza.objects.filter(name="Vegetarian").update(available_until=TODAY)
        found = found.split() if isinstance(found, str) else found

        assert names(client.get("/menu/", wanted)) == found
        told = client.get("/api/menu/", wanted).json()
        assert [pizza["name"] for pizza in told] == found

    @pytest.mark.parametrize("wrong", [{"spice": "4"}, {"spice": "x"}, {"sort": "id"}])
    def test_nonsense_is_named(self, client, menu, wrong):
        assert client.get("/menu/", wrong).status_code == 400
        assert client.get("/api/menu/", wrong).json()["extra"].keys() == wrong.keys()


class TestManagers:
    def test_change_all_of_it_with_its_history(self, browser_of, daisy, hawaiian):
        browser = browser_of(daisy)
        path = f"/management/menu/{hawaiian.pk}/"
        form = browser.get(path).context["form"]
        sent = {name: form[name].value() for name in form.fields}
        sent |= {
            "spice_level": "3",
            "available_from": "2026-12-01",
            "available_until": "2026-12-24",
            "salt": "9.5",
        }

        saved = browser.post(path, sent)

        assert saved.status_code == 303, saved.context["form"].errors
        changes = hawaiian.history.get().changes
        assert changes["available_until"] == [None, "2026-12-24"]
        assert changes["spice_level"] == [0, 3]
        assert changes.keys() == {
            "spice_level",
            "available_from",
            "available_until",
            "salt",
        }
        page = browser.get(path).content.decode()
        assert 'value="2026-12-24"' in page
        assert (
            "1 Dec to 24 Dec 2026" in browser.get("/management/menu/").content.decode()
        )

    @pytest.mark.parametrize(
        "wrong",
        [
            {"spice_level": 4},
            {"spice_level": -1},
            {"kcal": -1},
            {"kcal": 10_000},
            {"fat": "-0.1"},
            {"salt": "99999"},
            {"salt": "0.25"},
            {"sugars": "NaN"},
            {"available_from": "tomorrow"},
            {"available_from": "2026-02-30"},
            {"available_from": "2026-12-01", "available_until": "2026-11-30"},
        ],
    )
    def test_nonsense_is_refused(self, api_of, browser_of, daisy, hawaiian, wrong):
        path = f"/management/menu/{hawaiian.pk}/"
        told = api_of(daisy).patch(f"/api{path}", wrong, format="json")
        sent = {"name": "Hawaiian", "base_price": "1", "category": "meat", **wrong}
        page = browser_of(daisy).post(path, sent)

        assert told.status_code == page.status_code == 400
        assert told.json()["extra"].keys() <= wrong.keys()
        assert page.context["form"].errors.keys() <= wrong.keys()
        assert not hawaiian.history.exists()

    def test_a_put_that_names_none_of_it_leaves_none(self, api_of, daisy, margherita):
        told = {
            "name": "Margherita",
            "description": "",
            "base_price": "12.99",
            "category": "classic",
            "toppings": [],
        }
        path = f"/api/management/menu/{margherita.pk}/"

        put = api_of(daisy).put(path, told, format="json").json()

        assert (put["spice_level"], put["kcal"], put["nutrition"]) == (0, None, None)
