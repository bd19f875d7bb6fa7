import time

import pytest
from django.contrib import admin as django_admin
from django.contrib.auth.models import User

from pizzeria.admin_rules import ReadOnly
from pizzeria.events.models import OutboxEvent
from pizzeria.kitchen.models import Kitchen
from pizzeria.menu.models import MenuChange, Pizza
from pizzeria.orders.models import Order
from pizzeria.orders.services import move_order
from pizzeria.orders.transitions import Status
from tests.pizzeria.conftest import FRIDAY_EVENING

# django-unfold 0.110 overrides it without Django 6.1's new argument.


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
                "spice_level": "1",
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
            {"spice_level": "4"},
            {"available_from": "2026-12-01", "available_until": "2026-11-30"},
        ],
    )
    def test_nonsense_is_refused(self, admin, hawaiian, wrong):
        fields = {
            "name": "Hawaiian",
            "base_price": "15.50",
            "category": "classic",
            "toppings": [],
            "spice_level": "0",
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
    for wrong in ("0", "-1", "1000000", "many"):
        admin.post("/admin/kitchen/kitchen/1/change/", {"capacity": wrong})
        assert Kitchen.the_one().capacity == 3
    told = OutboxEvent.objects.get(type__endswith="kitchen.capacity.changed.v1")
    assert (told.data["old_capacity"], told.data["new_capacity"]) == (5, 3)


def act(admin, path, action, *rows):
    data = {"action": action, "_selected_action": [row.pk for row in rows]}
    return admin.post(path, data, follow=True)


def test_nothing_is_written_past_the_services():
    """Whatever is not read-only says here how it keeps to the rules."""
    writes = {
        model.__name__: type(page)
        for model, page in django_admin.site._registry.items()
        if model.__module__.startswith("pizzeria.") and not isinstance(page, ReadOnly)
    }

    assert writes.keys() == {"Pizza", "Kitchen", "Voucher"}
    assert all("save_model" in vars(page) for page in writes.values())


class TestActions:
    def test_cancels_what_the_rules_let_and_says_what_not(
        self, admin, order_of, peach, luigi, yoshi
    ):
        fresh, delivered = order_of(peach), order_of(peach)
        for to, who in [
            (Status.COOKING, luigi),
            (Status.READY, luigi),
            (Status.DELIVERING, yoshi),
            (Status.DELIVERED, yoshi),
        ]:
            move_order(order_id=delivered.pk, to=to, actor=who, now=FRIDAY_EVENING)

        page = act(admin, "/admin/orders/order/", "cancel", fresh, delivered)

        assert "1 cancelled." in page.content.decode()
        assert f"Order {delivered.pk} is delivered" in page.content.decode()
        fresh.refresh_from_db()
        delivered.refresh_from_db()
        assert (fresh.status, delivered.status) == ("cancelled", "delivered")
        assert OutboxEvent.objects.filter(type__endswith="order.cancelled.v1").exists()

    @pytest.mark.parametrize(
        ("percent", "price"), [("10", "16.49"), ("", "14.99"), ("999", "14.99")]
    )
    def test_changes_prices_by_percent(self, admin, hawaiian, percent, price):
        path = "/admin/menu/pizza/"
        chosen = {"_selected_action": [hawaiian.pk], "percent": percent}

        answer = admin.post(path, {"action": "price", **chosen}, follow=True)

        hawaiian.refresh_from_db()
        assert str(hawaiian.base_price) == price
        assert ("Done, for Hawaiian." in answer.content.decode()) is (percent == "10")
        assert hawaiian.history.count() == (percent == "10")

    def test_marks_as_sold_out_and_puts_on_sale(self, admin, hawaiian):
        for action, is_available in (("sold_out", False), ("available", True)):
            act(admin, "/admin/menu/pizza/", action, hawaiian)
            hawaiian.refresh_from_db()
            assert hawaiian.is_available is is_available

    def test_retires_a_pizza_and_brings_it_back(self, admin, hawaiian):
        act(admin, "/admin/menu/pizza/", "retire", hawaiian)
        hawaiian.refresh_from_db()
        assert hawaiian.is_retired

        act(admin, "/admin/menu/pizza/", "restore", hawaiian)
        hawaiian.refresh_from_db()
        assert not hawaiian.is_retired
        assert MenuChange.objects.filter(pizza=hawaiian).count() == 2

    def test_parks_events_and_sends_them_again(self, admin, order_of, peach):
        order_of(peach)
        event = OutboxEvent.objects.filter(aggregate__startswith="order:").first()

        act(admin, "/admin/events/outboxevent/", "park", event)
        assert event not in OutboxEvent.objects.pending()

        act(admin, "/admin/events/outboxevent/", "send_again", event)
        assert event in OutboxEvent.objects.pending()

    @pytest.mark.parametrize(
        "page",
        [
            "notifications/notification",
            "customers/customerprofile",
            "events/outboxevent",
            "events/receivedevent",
            "menu/menuchange",
            "orders/order",
        ],
    )
    def test_what_is_read_only_is_listed_and_not_added(self, admin, page):
        assert admin.get(f"/admin/{page}/").status_code == 200
        assert admin.get(f"/admin/{page}/add/").status_code == 403
