"""What the shop knows of a customer, and how it forgets."""

import json
import time
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from pizzeria.customers import services
from pizzeria.customers.knowledge import Statistics
from pizzeria.customers.models import Address, CustomerProfile, Favourite
from pizzeria.notifications.models import Notification
from pizzeria.orders.models import Order
from tests.pizzeria.conftest import CHECKOUT, FRIDAY_EVENING

PROFILE = {
    "phone": "(202) 555-0143",
    "allergies": "Nuts",
    "payment_method": "cash",
    "fulfilment": "pickup",
}
HOME: dict[str, Any] = {"label": "Home", "text": "1 Castle Road, Toadstool"}


def logged_in_ago(client, seconds):
    session = client.session
    session["user_info"] = {"auth_time": int(time.time()) - seconds}
    session.save()
    return client


def grow_old(client):
    logged_in_ago(client, 24 * 3600)


@pytest.fixture
def browser(browser_of, peach):
    return logged_in_ago(browser_of(peach), 1)


@pytest.fixture
def api(api_of, peach):
    return logged_in_ago(api_of(peach), 1)


class TestProfile:
    def test_is_made_with_its_user_and_for_nobody_else(self, peach, toad):
        User.objects.filter(pk=toad.pk).update(email="peach@example.com")
        impostor = User.objects.create_user("impostor", "peach@example.com")

        assert CustomerProfile.objects.get(user=peach).phone == ""
        assert impostor.profile != peach.profile
        peach.save()
        assert CustomerProfile.objects.filter(user=peach).count() == 1

    def test_an_edit_is_normalised_and_can_be_cleared(self, browser, peach):
        assert browser.post("/profile/edit/", PROFILE).status_code == 303
        peach.profile.refresh_from_db()
        assert peach.profile.phone == "+12025550143"

        browser.post("/profile/edit/", {})
        peach.profile.refresh_from_db()
        told = services.fields_of(peach.profile)
        assert told == {**dict.fromkeys(PROFILE, ""), "wants_mail": True}

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("phone", "nobody"),
            ("phone", "1" * 10_000),
            ("allergies", "a" * 201),
            ("allergies", "a\x00"),
            ("payment_method", "gold"),
            ("fulfilment", "drone"),
        ],
    )
    def test_bad_input_names_the_field(self, browser, api, peach, field, value):
        page = browser.post("/profile/edit/", {**PROFILE, field: value})
        answer = api.put("/api/profile/", {**PROFILE, field: value}, format="json")

        assert page.status_code == answer.status_code == 400
        assert page.context["form"].errors.keys() == {field}
        assert answer.json()["extra"].keys() == {field}
        peach.profile.refresh_from_db()
        assert peach.profile.phone == ""

    def test_put_wants_all_and_patch_takes_some(self, api):
        assert api.put("/api/profile/", {}, format="json").json()["extra"].keys() == (
            PROFILE.keys()
        )
        api.put("/api/profile/", PROFILE, format="json")

        answer = api.patch("/api/profile/", {"allergies": ""}, format="json").json()

        assert (answer["allergies"], answer["phone"]) == ("", "+12025550143")
        assert api.get("/api/profile/").json() == answer

    def test_reading_writes_nothing(self, api, peach):
        CustomerProfile.objects.all().delete()

        assert api.get("/api/profile/").json()["phone"] == ""

        assert not CustomerProfile.objects.exists()
        told = {"phone": "2025550143"}
        assert api.patch("/api/profile/", told, format="json").status_code == 200
        assert CustomerProfile.objects.get().phone == "+12025550143"

    def test_figures_count_cancelled_orders_apart(self, api, browser, order_of, peach):
        for status in ("delivered", "delivered", "cancelled", "cooking"):
            order = order_of(peach)
            Order.objects.filter(pk=order.pk).update(status=status)

        assert api.get("/api/profile/statistics/").json() == {
            "orders": 4,
            "delivered": 2,
            "cancelled": 1,
            "spent": "33.78",
            "favourite_pizza": "Margherita",
            "points": 33,
            "stage": "Guest",
            "orders_to_next_stage": 3,
        }
        page = browser.get("/profile/")
        assert page.context["statistics"].spent == Decimal("33.78")
        assert [x.status for x in page.context["current_orders"]] == ["cooking"]

    @pytest.mark.parametrize(
        ("delivered", "stage", "more"),
        [
            (0, "Guest", 5),
            (4, "Guest", 1),
            (5, "Regular", 15),
            (20, "Friend of the house", 30),
            (50, "Family", None),
        ],
    )
    def test_loyalty_has_stages(self, delivered, stage, more):
        figures = Statistics(
            orders=delivered,
            delivered=delivered,
            cancelled=0,
            spent=Decimal("12.99"),
            favourite_pizza=None,
        )

        assert (figures.stage, figures.orders_to_next_stage) == (stage, more)
        assert figures.points == 12

    def test_the_page_shows_the_latest_news_and_how_many_are_unread(
        self, browser, peach, toad
    ):
        for title in ("Oldest", "Third", "Second", "<b>First</b>"):
            Notification.objects.create(
                recipient=peach, title=title, created_at=timezone.now()
            )
        Notification.objects.filter(title="Third").update(read_at=timezone.now())
        Notification.objects.create(
            recipient=toad, title="Toad's", created_at=timezone.now()
        )

        page = browser.get("/profile/")

        assert [one.title for one in page.context["news"]] == [
            "<b>First</b>",
            "Second",
            "Third",
        ]
        unread = Notification.objects.of(peach).unread().count()
        assert f"{unread} unread" in page.content.decode()
        assert "New: &lt;b&gt;First" in page.content.decode()

    @pytest.mark.parametrize("many", [10, 1_000])
    def test_the_page_asks_no_more_for_a_long_history(
        self, browser, order_of, peach, many, django_assert_max_num_queries
    ):
        order = order_of(peach)
        Order.objects.bulk_create(
            Order(
                customer=peach,
                customer_name="Peach",
                payment_method="cash",
                total_amount=1,
                placed_at=order.placed_at,
            )
            for _ in range(many)
        )

        # The person, what they may do and the bell: 4. Profile, addresses, favourites,
        # figures, favourite pizza, current orders and their lines, news: 8.
        with django_assert_max_num_queries(12):
            browser.get("/profile/")

    @pytest.mark.parametrize(
        "path",
        [
            "/profile/",
            "/profile/edit/",
            "/profile/export/",
            "/profile/erase/",
            "/profile/addresses/add/",
            "/profile/addresses/1/",
        ],
    )
    def test_asks_for_a_login(self, client, db, path):
        assert client.get(path)["Location"] == f"/auth/login?next={path}"


class TestAddressBook:
    def test_the_first_is_the_default_until_another_is(self, browser, peach):
        browser.post("/profile/addresses/add/", HOME)
        browser.post(
            "/profile/addresses/add/",
            {"label": "Work", "text": "2 Castle Road", "is_default": "on"},
        )

        work, home = peach.addresses.all()
        assert (work.label, work.is_default, home.is_default) == ("Work", True, False)
        browser.post(f"/profile/addresses/{work.pk}/remove/")
        assert peach.addresses.get().is_default

    def test_is_the_same_by_api(self, api):
        made = api.post("/api/profile/addresses/", HOME, format="json")
        path = f"/api/profile/addresses/{made.json()['id']}/"

        assert made.status_code == 201
        assert api.patch(path, {"label": "Castle"}, format="json").json() == {
            **made.json(),
            "label": "Castle",
        }
        assert api.put(path, {"label": "x"}, format="json").status_code == 400
        assert api.get("/api/profile/addresses/").json()["count"] == 1
        assert api.delete(path).status_code == 204
        assert api.get(path).status_code == 404

    @pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
    def test_somebody_elses_is_not_there(self, api, browser, toad, method):
        other = Address.objects.create(user=toad, is_default=True, **HOME)

        path = f"/profile/addresses/{other.pk}/"
        answer = getattr(api, method)(f"/api{path}", HOME, format="json")

        assert answer.status_code == 404
        assert browser.post(path, HOME).status_code == 404
        assert browser.post(f"{path}remove/").status_code == 404
        other.refresh_from_db()

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("label", ""),
            ("label", "a" * 41),
            ("text", "Rome"),
            ("text", "a" * 201),
            ("text", "1 Castle\x1bRoad"),
        ],
    )
    def test_bad_input_is_refused(self, api, browser, peach, field, value):
        told = {**HOME, field: value}

        assert browser.post("/profile/addresses/add/", told).status_code == 400
        answer = api.post("/api/profile/addresses/", told, format="json")
        assert answer.json()["extra"].keys() == {field}
        assert not peach.addresses.exists()

    def test_is_full_at_twenty(self, api, browser, peach):
        for _ in range(20):
            services.save_address(user=peach, **HOME)

        answer = api.post("/api/profile/addresses/", HOME, format="json")

        assert answer.status_code == 400
        assert answer.json()["code"] == "address_book_full"
        page = browser.post("/profile/addresses/add/", HOME)
        assert "address book is full" in page.content.decode()
        assert peach.addresses.count() == 20

    def test_script_in_an_address_is_text(self, browser, peach):
        text = "<script>alert(1)</script>"
        services.save_address(user=peach, label=text, text=text)

        assert text not in browser.get("/profile/").content.decode()


class TestFavourites:
    def test_a_heart_is_given_and_taken(self, browser, api, peach, hawaiian):
        path = f"/profile/favourites/{hawaiian.pk}/"

        browser.post(path, {"keep": "yes"})
        api.put(f"/api{path}")

        assert "one of your favourites" in browser.get("/menu/").content.decode()
        (shown,) = api.get("/api/profile/favourites/").json()["results"]
        assert shown["name"] == "Hawaiian"
        assert api.delete(f"/api{path}").status_code == 204
        assert not Favourite.objects.exists()

    def test_an_unknown_pizza_is_not_found(self, browser, api, menu):
        assert browser.post("/profile/favourites/999/").status_code == 404
        assert api.put(f"/api/profile/favourites/{10**30}/").status_code == 404

    def test_nobody_has_more_than_a_hundred(self, api, hawaiian, monkeypatch):
        monkeypatch.setattr(services, "MAX_FAVOURITES", 0)

        answer = api.put(f"/api/profile/favourites/{hawaiian.pk}/")

        assert answer.status_code == 400
        assert answer.json()["code"] == "too_many_favourites"


class TestExport:
    def test_is_everything_and_of_nobody_else(
        self, browser, api, order_of, peach, toad, hawaiian
    ):
        services.save_address(user=peach, **HOME)
        services.set_favourite(user=peach, pizza=hawaiian, is_favourite=True)
        order_of(peach)
        order_of(toad)
        for person in (peach, toad):
            Notification.objects.create(
                recipient=person,
                title=f"For {person}",
                message="Hello",
                created_at=FRIDAY_EVENING,
            )

        response = browser.get("/profile/export/")

        assert "attachment" in response["Content-Disposition"]
        told = json.loads(response.content)
        assert told["person"]["username"] == "peach"
        assert [address["label"] for address in told["addresses"]] == ["Home"]
        assert told["favourites"] == ["Hawaiian"]
        assert [x["title"] for x in told["notifications"]] == ["For peach"]
        (order,) = told["orders"]
        assert order["customer_address"] == "1 Castle Road, Toadstool"
        assert order["lines"][0]["unit_price"] == "16.89"
        assert api.get("/api/profile/export/").json()["orders"] == told["orders"]

    def test_asks_for_a_fresh_login(self, browser, api):
        grow_old(browser)
        grow_old(api)

        page = browser.get("/profile/export/")
        assert page["Location"].startswith(
            "/auth/login?next=%2Fprofile%2Fexport%2F&max"
        )
        answer = api.get("/api/profile/export/")
        assert answer.status_code == 403
        assert answer.json()["code"] == "recent_login_required"


class TestErasure:
    @pytest.fixture
    def delivered(self, order_of, peach):
        order = order_of(peach)
        Order.objects.update(status="delivered", notes="Ring", allergies="Nuts")
        return order

    def test_forgets_the_person_and_keeps_the_books(
        self, browser, delivered, peach, order_of, toad
    ):
        services.save_address(user=peach, **HOME)
        assert browser.get("/profile/erase/").status_code == 200

        response = browser.post("/profile/erase/", {"confirm": "yes"})

        assert response.status_code == 303
        assert not User.objects.filter(username="peach").exists()
        assert not Address.objects.exists()
        order = Order.objects.get(pk=delivered.pk)
        assert order.customer is None
        assert order.total_amount == Decimal("16.89")
        assert order.lines.count() == 1
        personal = ["customer_phone", "customer_address", "notes", "allergies"]
        assert [getattr(order, name) for name in personal] == [""] * 4
        assert "Peach" not in order.customer_name
        assert browser.get("/profile/").status_code == 302

    def test_waits_for_what_is_under_way(self, browser, api, order_of, peach):
        order_of(peach)

        page = browser.post("/profile/erase/", {"confirm": "yes"})
        answer = api.delete("/api/profile/")

        assert page.status_code == answer.status_code == 409
        assert answer.json()["code"] == "order_under_way"
        assert Order.objects.get().customer == peach

    def test_is_done_only_on_purpose_and_with_a_fresh_login(self, browser, api, peach):
        assert browser.post("/profile/erase/").status_code == 400
        grow_old(browser)
        grow_old(api)

        page = browser.post("/profile/erase/", {"confirm": "yes"})

        assert page.status_code == 302
        assert api.delete("/api/profile/").json()["code"] == "recent_login_required"
        assert User.objects.filter(pk=peach.pk).exists()

    def test_by_api_ends_the_session(self, api, delivered):
        assert api.delete("/api/profile/").status_code == 204

        assert api.get("/api/profile/").status_code in (401, 403)


class TestNobodyIsAskedTwice:
    def test_what_was_told_is_there_at_the_next_order(self, browser, peach, margherita):
        pizza = {"pizza": margherita.pk, "size": "small"}
        browser.post("/cart/add/", pizza)
        told = {**CHECKOUT, "allergies": "Nuts", "remember": "on"}
        browser.post("/checkout/", told)
        browser.post("/cart/add/", pizza)

        form = browser.get("/checkout/").context["form"]

        assert form.initial["customer_phone"] == "+12025550143"
        assert form.initial["allergies"] == "Nuts"
        address = peach.addresses.get()
        assert form.initial["saved_address"] == str(address.pk)
        browser.post("/checkout/", {**CHECKOUT, "remember": "on"})
        assert peach.addresses.count() == 1

    def test_nothing_is_kept_that_was_not_to_be(self, browser, peach, margherita):
        browser.post("/cart/add/", {"pizza": margherita.pk, "size": "small"})

        browser.post("/checkout/", CHECKOUT)

        peach.profile.refresh_from_db()
        assert peach.profile.phone == ""
        assert not peach.addresses.exists()
