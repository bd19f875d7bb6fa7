import time

import pytest
from django.contrib.auth.models import User

from pizzeria.kitchen.models import Kitchen
from pizzeria.menu.models import Pizza
from pizzeria.orders.models import Order


@pytest.fixture
def admin(browser_of, db):
    mario = User.objects.create_superuser("mario")
    browser = browser_of(mario)
    session = browser.session
    session["user_info"] = {"auth_time": int(time.time())}
    session.save()
    return browser


class TestOrders:
    def test_can_be_looked_at(self, admin, order_of, peach):
        order = order_of(peach)

        assert "Peach" in admin.get("/admin/orders/order/").content.decode()
        page = admin.get(f"/admin/orders/order/{order.pk}/change/")
        assert "Margherita" in page.content.decode()

    def test_can_be_searched(self, admin, order_of, peach):
        order_of(peach)

        for query in ("Peach", "1", "Castle", "9" * 30, "\x00", "'"):
            assert admin.get("/admin/orders/order/", {"q": query}).status_code in (
                200,
                302,
            )

    def test_cannot_be_changed_past_the_rules(self, admin, order_of, peach):
        order = order_of(peach)
        path = f"/admin/orders/order/{order.pk}"

        assert admin.get("/admin/orders/order/add/").status_code == 403
        assert admin.post(f"{path}/change/", {"status": "ready"}).status_code == 403
        assert admin.post(f"{path}/delete/", {"post": "yes"}).status_code == 403
        assert Order.objects.get().status == "confirmed"


class TestMenu:
    # django-unfold 0.110 overrides it without Django 6.1's new argument.
    @pytest.mark.filterwarnings("ignore:Overriding get_action_choices")
    def test_lists_what_is_on_the_menu(self, admin, menu):
        page = admin.get("/admin/menu/pizza/").content.decode()

        assert "Ham, Pineapple" in page

    def test_a_price_can_be_changed(self, admin, hawaiian):
        path = f"/admin/menu/pizza/{hawaiian.pk}/change/"
        assert admin.get(path).status_code == 200

        response = admin.post(
            path,
            {
                "name": "Hawaiian",
                "description": "",
                "base_price": "15.50",
                "category": "meat",
                "toppings": ["Ham", "Pineapple", "Bacon"],
                "is_available": "on",
            },
        )

        assert response.status_code == 302, response.context["errors"]
        hawaiian.refresh_from_db()
        assert str(hawaiian.base_price) == "15.50"
        assert hawaiian.toppings == ["Ham", "Pineapple", "Bacon"]
        change = hawaiian.history.get()
        assert change.changed_by_name == "mario"
        assert change.changes["base_price"] == ["14.99", "15.50"]
        history = admin.get("/admin/menu/menuchange/")
        assert "Hawaiian" in history.content.decode()

    @pytest.mark.parametrize(
        "wrong",
        [
            {"name": "MARGHERITA"},
            {"name": ""},
            {"base_price": "0"},
            {"base_price": "-1"},
            {"base_price": "100000"},
            {"base_price": "NaN"},
            {"toppings": ["Gold"]},
        ],
    )
    def test_nonsense_is_refused(self, admin, hawaiian, wrong):
        fields = {
            "name": "Hawaiian",
            "base_price": "15.50",
            "category": "classic",
            "toppings": [],
            **wrong,
        }

        response = admin.post(f"/admin/menu/pizza/{hawaiian.pk}/change/", fields)

        assert response.status_code == 200
        assert response.context["errors"]
        hawaiian.refresh_from_db()
        assert str(hawaiian.base_price) == "14.99"

    def test_what_was_ordered_can_only_sell_out(
        self, admin, order_of, peach, margherita
    ):
        order_of(peach)
        path = f"/admin/menu/pizza/{margherita.pk}/delete/"

        admin.post(path, {"post": "yes"})

        assert Pizza.objects.filter(pk=margherita.pk).exists()


def test_the_kitchens_capacity_can_be_changed(admin):
    added = admin.post("/admin/kitchen/kitchen/add/", {"capacity": "3"})

    assert added.status_code == 302
    assert Kitchen.the_one().capacity == 3
    assert admin.get("/admin/kitchen/kitchen/add/").status_code == 403
    admin.post("/admin/kitchen/kitchen/1/change/", {"capacity": "0"})
    assert Kitchen.the_one().capacity == 3
