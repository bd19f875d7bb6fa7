"""Managers change the menu: what is kept, what is refused, who may."""

import json
from decimal import Decimal

import pytest
from django.utils import timezone

from pizzeria.menu import services
from pizzeria.menu.models import MenuChange, Pizza
from pizzeria.orders.models import Order

DIAVOLA = {
    "name": "Diavola",
    "description": "Hot.",
    "category": "special",
    "base_price": "15.50",
    "toppings": ["Pepperoni", "Olives"],
    "is_available": "on",
}


@pytest.fixture
def manager(browser_of, daisy):
    return browser_of(daisy)


@pytest.fixture
def api(api_of, daisy):
    return api_of(daisy)


class TestPages:
    def test_a_new_pizza_is_on_the_menu_at_once(self, manager, client, daisy):
        response = manager.post("/management/menu/add/", DIAVOLA)

        assert response.status_code == 303
        pizza = Pizza.objects.get()
        assert pizza.prices["medium"] == Decimal("20.15")
        assert "Diavola" in client.get("/menu/").content.decode()
        change = pizza.history.get()
        assert (change.action, change.changed_by) == ("added", daisy)
        assert change.changes["base_price"] == [None, "15.50"]

    def test_an_edit_is_saved_with_what_it_was(self, manager, hawaiian, daisy):
        response = manager.post(
            f"/management/menu/{hawaiian.pk}/",
            {**DIAVOLA, "name": "Hawaiian", "base_price": "16.00", "version": "1"},
        )

        assert response.status_code == 303
        change = hawaiian.history.get()
        assert change.changes["base_price"] == ["14.99", "16.00"]
        assert "name" not in change.changes
        page = manager.get(f"/management/menu/{hawaiian.pk}/").content.decode()
        assert "14.99 → 16.00" in page
        assert "Daisy" in page

    def test_every_topping_survives_an_edit(self, manager, menu):
        # The older application lost Chicken and Red Onions here.
        pizza = menu["BBQ Chicken"]
        page = manager.get(f"/management/menu/{pizza.pk}/")
        form = page.context["form"]
        sent = {name: form[name].value() for name in form.fields}
        sent = {name: value for name, value in sent.items() if value is not None}
        sent["is_available"] = "on"

        manager.post(f"/management/menu/{pizza.pk}/", sent)

        pizza.refresh_from_db()
        assert pizza.toppings == ["Chicken", "Red Onions"]
        assert pizza.more_allergens == ["celery", "mustard"]
        assert not MenuChange.objects.exists()

    def test_a_stale_form_overwrites_nothing(self, manager, hawaiian, daisy):
        services.edit_pizza(
            pizza_id=hawaiian.pk,
            fields={"base_price": Decimal("17.00")},
            actor=daisy,
            now=timezone.now(),
        )

        response = manager.post(
            f"/management/menu/{hawaiian.pk}/",
            {**DIAVOLA, "name": "Hawaiian", "version": "1"},
        )

        assert response.status_code == 409
        assert "Somebody changed Hawaiian" in response.content.decode()
        assert 'name="version" value="2"' in response.content.decode()
        hawaiian.refresh_from_db()
        assert hawaiian.base_price == Decimal("17.00")

    def test_what_was_ordered_retires_and_comes_back(
        self, manager, client, order_of, peach, margherita
    ):
        order = order_of(peach)
        client.post("/cart/add/", {"pizza": margherita.pk, "size": "small"})

        retired = manager.post(f"/management/menu/{margherita.pk}/retire/")

        assert retired.status_code == 303
        assert margherita not in client.get("/menu/").context["pizzas"]
        assert Order.objects.get(pk=order.pk).lines.get().name == "Margherita"
        refused = client.post("/cart/add/", {"pizza": margherita.pk, "size": "small"})
        assert refused.status_code == 400
        assert "no longer on the menu" in client.get("/cart/").content.decode()
        manager.post(f"/management/menu/{margherita.pk}/restore/")
        assert "Margherita" in client.get("/menu/").content.decode()
        actions = margherita.history.values_list("action", flat=True)
        assert list(actions) == ["restored", "retired"]

    def test_twice_is_once(self, manager, margherita):
        for _ in range(2):
            manager.post(f"/management/menu/{margherita.pk}/retire/")

        assert margherita.history.count() == 1

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("name", ""),
            ("name", "margherita"),
            ("name", "a" * 101),
            ("name", "a\x00b"),
            ("description", "a" * 501),
            ("category", "dessert"),
            ("base_price", "0"),
            ("base_price", "-1"),
            ("base_price", "0.001"),
            ("base_price", "10000"),
            ("base_price", "NaN"),
            ("base_price", "Infinity"),
            ("toppings", ["Gold"]),
            ("more_allergens", ["water"]),
        ],
    )
    def test_bad_input_names_the_field_and_saves_nothing(
        self, manager, api, menu, field, value
    ):
        page = manager.post("/management/menu/add/", {**DIAVOLA, field: value})
        told = {**DIAVOLA, "is_available": True, field: value}
        answer = api.post("/api/management/menu/", told, format="json")

        assert page.status_code == answer.status_code == 400
        assert page.context["form"].errors
        assert answer.json()["code"] == "invalid_input"
        assert Pizza.objects.count() == 6
        assert not MenuChange.objects.exists()

    def test_script_in_a_name_is_text_everywhere(self, manager, client, db):
        name = "<script>alert(1)</script>"
        manager.post("/management/menu/add/", {**DIAVOLA, "name": name})
        pizza = Pizza.objects.get()
        client.post("/cart/add/", {"pizza": pizza.pk, "size": "small"})

        for browser, path in (
            (client, "/menu/"),
            (client, f"/menu/{pizza.pk}/"),
            (client, "/cart/"),
            (manager, "/management/menu/"),
            (manager, f"/management/menu/{pizza.pk}/"),
        ):
            page = browser.get(path).content.decode()
            assert "<script>alert" not in page, path
            assert "&lt;script&gt;" in page, path

    @pytest.mark.parametrize("number", [999, 10**30])
    def test_what_is_not_there_is_not_found(self, manager, api, menu, number):
        for path in ("/", "/retire/", "/restore/"):
            page = manager.post(f"/management/menu/{number}{path}", DIAVOLA)
            assert page.status_code == 404
        for path in ("/", "/restore/", "/history/"):
            assert api.get(f"/api/management/menu/{number}{path}").status_code in (
                404,
                405,
            )

    @pytest.mark.parametrize("who", ["peach", "luigi", "yoshi"])
    def test_is_closed_to_others(self, request, browser_of, api_of, margherita, who):
        person = request.getfixturevalue(who)
        browser, api = browser_of(person), api_of(person)
        path = f"/management/menu/{margherita.pk}/"

        for page in ("/management/menu/", "/management/menu/add/", path):
            assert browser.get(page).status_code == 403
        for page in ("/management/menu/add/", f"{path}retire/", f"{path}restore/"):
            assert browser.post(page, DIAVOLA).status_code == 403
        for ask in (api.get, api.put, api.patch, api.delete):
            assert ask(f"/api{path}").status_code == 403
        assert api.post("/api/management/menu/", DIAVOLA).status_code == 403
        assert Pizza.objects.on_menu().count() == 6

    def test_a_full_menu_takes_no_more(self, manager, api, db, monkeypatch, menu):
        monkeypatch.setattr(services, "MAX_PIZZAS", 6)

        page = manager.post("/management/menu/add/", DIAVOLA)
        told = {**DIAVOLA, "is_available": True}
        answer = api.post("/api/management/menu/", told, format="json")

        assert page.status_code == answer.status_code == 400
        assert "The menu is full" in page.content.decode()
        assert answer.json()["code"] == "menu_full"


class TestApi:
    def test_put_sets_all_and_patch_some(self, api, hawaiian):
        path = f"/api/management/menu/{hawaiian.pk}/"

        some = api.patch(path, {"is_available": False}, format="json")
        assert some.status_code == 200
        assert (some.json()["is_available"], some.json()["version"]) == (False, 2)
        assert some.json()["toppings"] == ["Ham", "Pineapple"]

        missing = api.put(path, {"name": "Aloha"}, format="json")
        assert missing.json()["extra"].keys() == {
            "description",
            "base_price",
            "category",
            "toppings",
        }
        told = {**DIAVOLA, "name": "Aloha", "version": 2}
        del told["is_available"]
        whole = api.put(path, told, format="json").json()
        assert (whole["name"], whole["is_available"], whole["version"]) == (
            "Aloha",
            True,
            3,
        )
        history = api.get(f"{path}history/").json()
        assert [change["action"] for change in history["results"]] == ["edited"] * 2

    def test_a_version_that_was_overtaken_is_a_conflict(self, api, hawaiian):
        path = f"/api/management/menu/{hawaiian.pk}/"
        api.patch(path, {"name": "Aloha"}, format="json")

        late = api.patch(path, {"name": "Late", "version": 1}, format="json")

        assert late.status_code == 409
        assert late.json()["code"] == "menu_changed"
        assert late.json()["extra"] == {"version": 2}

    def test_delete_retires(self, api, hawaiian, order_of, peach):
        path = f"/api/management/menu/{hawaiian.pk}/"

        assert api.delete(path).status_code == 204
        assert api.get(path).json()["retired_at"] is not None
        assert api.get(f"/api/menu/{hawaiian.pk}/").status_code == 404
        assert api.post(f"{path}restore/").json()["retired_at"] is None

    @pytest.mark.parametrize("version", [0, -1, 2**31, "1", 1.5, True, None])
    def test_a_strange_version_is_refused(self, api, hawaiian, version):
        answer = api.patch(
            f"/api/management/menu/{hawaiian.pk}/",
            data=json.dumps({"version": version}),
            content_type="application/json",
        )

        assert answer.status_code == 400
        assert answer.json()["extra"].keys() == {"version"}
