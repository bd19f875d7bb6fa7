"""Managers change several pizzas at once: all of them, or none."""

from decimal import Decimal

import pytest
from django.utils import timezone

from pizzeria.events.models import OutboxEvent
from pizzeria.menu import services
from pizzeria.menu.models import MenuChange, Pizza

PAGE = "/management/menu/bulk/"
API = "/api/management/menu/bulk/"


@pytest.fixture
def manager(browser_of, daisy):
    return browser_of(daisy)


@pytest.fixture
def api(api_of, daisy):
    return api_of(daisy)


def seen(*pizzas):
    return [{"id": pizza.pk, "version": pizza.version} for pizza in pizzas]


def prices():
    return list(Pizza.objects.values_list("base_price", flat=True))


class TestPage:
    def test_sets_prices_by_percent_each_with_history_and_event(
        self, manager, menu, settings
    ):
        settings.EVENT_SINK = "https://sink.example.com"
        two = [menu["Margherita"].as_seen, menu["Hawaiian"].as_seen]

        done = manager.post(PAGE, {"action": "price", "percent": "5", "pizza": two})

        assert done.status_code == 303
        # 12.99 and 14.99, five percent more, half up to the cent.
        assert prices() == [
            Decimal(price)
            for price in ("13.64", "14.99", "13.99", "15.74", "15.99", "16.99")
        ]
        assert [change.changes for change in MenuChange.objects.order_by("pk")] == [
            {"base_price": ["12.99", "13.64"]},
            {"base_price": ["14.99", "15.74"]},
        ]
        told = OutboxEvent.objects.filter(type__endswith="pizza.price.changed.v1")
        assert told.count() == 2

    def test_goes_all_ways_and_back(self, manager, menu):
        def do(action):
            chosen = [pizza.as_seen for pizza in Pizza.objects.all()]
            manager.post(PAGE, {"action": action, "pizza": chosen})
            return [
                Pizza.objects.filter(is_available=True).count(),
                Pizza.objects.not_retired().count(),
            ]

        assert do("sold_out") == [0, 6]
        assert do("available") == [6, 6]
        assert do("retire") == [6, 0]
        assert do("restore") == [6, 6]
        assert MenuChange.objects.count() == 24

    def test_what_is_so_already_has_no_history(self, manager, menu):
        chosen = [pizza.as_seen for pizza in menu.values()]
        manager.post(PAGE, {"action": "available", "pizza": chosen})
        manager.post(PAGE, {"action": "restore", "pizza": chosen})

        assert not MenuChange.objects.exists()

    def test_stays_where_the_manager_looked(self, manager, menu):
        chosen = {"action": "sold_out", "pizza": menu["Vegetarian"].as_seen}

        done = manager.post(f"{PAGE}?category=garden", chosen)

        assert done.url == "/management/menu/?category=garden"
        assert "Done, for Vegetarian." in manager.get(done.url).content.decode()

    def test_can_be_sent_without_a_script(self, manager, menu):
        page = manager.get("/management/menu/").content.decode()

        for pizza in menu.values():
            assert f'form="bulk" name="pizza" value="{pizza.as_seen}"' in page

    @pytest.mark.parametrize(
        "wrong",
        [
            {"action": ""},
            {"action": "delete"},
            {"action": "price"},
            {"action": "price", "percent": "101"},
            {"action": "price", "percent": "-51"},
            {"action": "price", "percent": "0.05"},
            {"action": "price", "percent": "NaN"},
        ],
    )
    def test_nonsense_changes_nothing_and_keeps_the_choice(self, manager, menu, wrong):
        chosen = menu["Hawaiian"].as_seen

        answer = manager.post(PAGE, {**wrong, "pizza": [chosen]})

        assert answer.status_code == 400
        assert f'value="{chosen}" checked' in answer.content.decode()
        assert not MenuChange.objects.exists()

    @pytest.mark.parametrize("wrong", ["999999:1", "x", "1", "1:1:1", ":", "-1:1"])
    def test_what_no_page_offers_is_not_found(self, manager, menu, wrong):
        chosen = [menu["Hawaiian"].as_seen, wrong]

        answer = manager.post(PAGE, {"action": "sold_out", "pizza": chosen})

        assert answer.status_code == 404
        assert Pizza.objects.filter(is_available=True).count() == 6


class TestBothWays:
    def test_one_that_somebody_changed_stops_all(self, manager, api, menu, daisy):
        before = [pizza.as_seen for pizza in menu.values()]
        stale = seen(*menu.values())
        services.edit_pizza(
            pizza_id=menu["Meat Lovers"].pk,
            fields={"base_price": Decimal(20)},
            actor=daisy,
            now=timezone.now(),
        )

        for action in ("price", "sold_out", "retire", "restore"):
            told = {"action": action, "percent": "5"}
            page = manager.post(PAGE, {**told, "pizza": before})
            answer = api.post(API, {**told, "pizzas": stale}, format="json")
            assert page.status_code == answer.status_code == 409
            assert "Somebody changed Meat Lovers" in page.content.decode()
            assert answer.json()["code"] == "menu_changed"
        assert MenuChange.objects.count() == 1

    def test_a_price_that_is_none_stops_all(self, manager, api, menu):
        Pizza.objects.filter(name="Meat Lovers").update(base_price="9999")
        told = {"action": "price", "percent": "50"}
        chosen = [pizza.as_seen for pizza in menu.values()]

        page = manager.post(PAGE, {**told, "pizza": chosen})
        all_seen = seen(*menu.values())
        answer = api.post(API, {**told, "pizzas": all_seen}, format="json")

        assert page.status_code == answer.status_code == 400
        assert "would cost 14998.50" in page.content.decode()
        assert answer.json()["extra"].keys() == {"percent"}
        assert not MenuChange.objects.exists()

    def test_a_full_menu_takes_none_back(self, manager, api, menu, monkeypatch):
        Pizza.objects.update(retired_at=timezone.now())
        monkeypatch.setattr(services, "MAX_PIZZAS", 5)
        chosen = [pizza.as_seen for pizza in menu.values()]

        page = manager.post(PAGE, {"action": "restore", "pizza": chosen})
        told = {"action": "restore", "pizzas": seen(*menu.values())}
        answer = api.post(API, told, format="json")

        assert page.status_code == answer.status_code == 400
        assert answer.json()["code"] == "menu_full"
        assert not Pizza.objects.not_retired().exists()

    @pytest.mark.parametrize("who", ["peach", "luigi", "yoshi"])
    def test_is_the_managers(self, request, browser_of, api_of, menu, who):
        person = request.getfixturevalue(who)
        told = {"action": "sold_out"}

        page = browser_of(person).post(PAGE, told)
        answer = api_of(person).post(API, told, format="json")

        assert page.status_code == answer.status_code == 403


class TestApi:
    def test_answers_what_they_are_then(self, api, menu):
        two = seen(menu["Hawaiian"], menu["Margherita"])

        answer = api.post(API, {"action": "sold_out", "pizzas": two}, format="json")

        assert answer.status_code == 200
        assert [
            (x["name"], x["is_available"], x["version"]) for x in answer.json()
        ] == [
            ("Margherita", False, 2),
            ("Hawaiian", False, 2),
        ]
        again = api.post(API, {"action": "sold_out", "pizzas": two}, format="json")
        assert again.status_code == 409

    @pytest.mark.parametrize(
        "wrong",
        [
            {"pizzas": []},
            {"pizzas": [{"id": 1}]},
            {"pizzas": [{"id": 1, "version": 1}, {"id": 1, "version": 2}]},
            {"pizzas": [{"id": 1, "version": 1}] * 201},
            {"action": "delete"},
            {"action": "price"},
            {"action": "price", "percent": "101"},
        ],
    )
    def test_nonsense_is_named(self, api, menu, wrong):
        told = {"action": "sold_out", "pizzas": seen(menu["Hawaiian"]), **wrong}

        answer = api.post(API, told, format="json")

        assert answer.status_code == 400
        assert answer.json()["extra"].keys() <= {*wrong, "percent"}
        assert not MenuChange.objects.exists()

    def test_what_is_not_there_is_not_found(self, api, menu):
        told = {"action": "retire", "pizzas": [{"id": 999_999, "version": 1}]}

        assert api.post(API, told, format="json").status_code == 404
