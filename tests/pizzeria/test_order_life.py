"""Pick-up and delivery, keys, estimates, cancelling, ordering again, finding."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.core import signing
from django.utils import timezone

from pizzeria.cart.cart import Cart
from pizzeria.customers import services
from pizzeria.customers.models import Address
from pizzeria.menu.models import Pizza
from pizzeria.orders.estimates import (
    DEFAULT_COOKING,
    DEFAULT_WAY,
    SPREAD,
    Estimate,
    estimate,
    measured_pace,
)
from pizzeria.orders.models import Order
from tests.pizzeria.conftest import CHECKOUT, FRIDAY_EVENING

MINUTE = timedelta(minutes=1)
PICKUP = {
    "fulfilment": "pickup",
    "customer_phone": "202-555-0143",
    "payment_method": "cash",
}


@pytest.fixture
def browser(browser_of, peach, margherita):
    """Peach's, with a small Margherita in the cart."""
    browser = browser_of(peach)
    browser.post("/cart/add/", {"pizza": margherita.pk, "size": "small"})
    return browser


@pytest.fixture
def api(api_of, peach, margherita):
    api = api_of(peach)
    fill(api, margherita)
    return api


def fill(api, pizza):
    item = {"pizza": pizza.pk, "size": "small", "quantity": 1}
    assert api.post("/api/cart/items/", item, format="json").status_code == 201


def place(api, key=None, **fields):
    headers = {} if key is None else {"Idempotency-Key": key}
    told = {**CHECKOUT, **fields}
    return api.post("/api/orders/", told, format="json", headers=headers)


class TestFulfilment:
    def test_a_pick_up_needs_no_address(self, browser):
        response = browser.post("/checkout/", {**PICKUP, "customer_address": "x"})

        assert response.status_code == 303
        order = Order.objects.get()
        assert (order.fulfilment, order.customer_address) == ("pickup", "")
        page = browser.get(response["Location"]).content.decode()
        assert "Ready to pick up" in page

    def test_by_api_as_well(self, api):
        answer = api.post("/api/orders/", PICKUP, format="json")

        assert answer.status_code == 201
        assert answer.json()["fulfilment"] == "pickup"
        assert answer.json()["customer_address"] == ""

    def test_a_delivery_needs_one(self, browser, api):
        told = {**PICKUP, "fulfilment": "delivery"}

        page = browser.post("/checkout/", told)
        answer = api.post("/api/orders/", told, format="json")

        assert page.context["form"].errors.keys() == {"customer_address"}
        assert answer.json()["extra"].keys() == {"customer_address"}

    @pytest.mark.parametrize("value", ["drone", "DELIVERY", "\x00"])
    def test_there_are_two_ways(self, browser, api, value):
        assert (
            browser.post("/checkout/", {**CHECKOUT, "fulfilment": value}).status_code
            == 400
        )
        assert place(api, fulfilment=value).json()["extra"].keys() == {"fulfilment"}
        assert not Order.objects.exists()

    def test_an_entry_of_the_address_book_is_copied(self, browser, api, peach, toad):
        home = services.save_address(user=peach, label="Home", text="7 Moat Lane")
        told = {name: CHECKOUT[name] for name in ("customer_phone", "payment_method")}

        browser.post("/checkout/", {**told, "saved_address": home.pk})
        Address.objects.filter(pk=home.pk).update(text="8 Moat Lane")

        assert Order.objects.get().customer_address == "7 Moat Lane"

    def test_two_addresses_are_one_too_many(self, browser, peach):
        home = services.save_address(user=peach, label="Home", text="7 Moat Lane")

        page = browser.post("/checkout/", {**CHECKOUT, "saved_address": home.pk})

        assert page.context["form"].errors.keys() == {"customer_address"}
        assert "Please leave one" in page.content.decode()
        assert not Order.objects.exists()

    def test_somebody_elses_entry_is_not_there(self, browser, api, toad):
        theirs = services.save_address(user=toad, label="Home", text="7 Moat Lane")
        told = {name: CHECKOUT[name] for name in ("customer_phone", "payment_method")}

        page = browser.post("/checkout/", {**told, "saved_address": theirs.pk})
        answer = api.post("/api/orders/", {**told, "address": theirs.pk}, format="json")

        assert page.status_code == answer.status_code == 400
        assert answer.json()["extra"].keys() == {"address"}
        assert "Moat" not in page.content.decode() + answer.content.decode()


class TestKeys:
    def test_the_same_key_is_the_same_order(self, api, margherita):
        first = place(api, "friday-1")
        fill(api, margherita)

        again = place(api, "friday-1")

        assert again.status_code == 201
        assert again.json()["id"] == first.json()["id"]
        assert Order.objects.count() == 1
        # What is in the cart by now is for another order.
        assert api.get("/api/cart/").json()["count"] == 1
        assert place(api, "friday-2").json()["id"] != first.json()["id"]

    def test_the_same_key_with_other_details_is_refused(self, api, margherita):
        first = place(api, "friday-1")
        fill(api, margherita)

        answer = place(api, "friday-1", notes="Ring twice.")

        assert answer.status_code == 422
        assert answer.json()["code"] == "idempotency_key_reused"
        assert answer.json()["extra"] == {"order": first.json()["id"]}

    def test_a_key_is_its_owners_alone(self, api, api_of, toad, margherita):
        place(api, "friday-1")
        other = api_of(toad)
        fill(other, margherita)

        assert place(other, "friday-1").status_code == 201
        assert Order.objects.count() == 2

    @pytest.mark.parametrize("key", ["", " ", "a" * 65, "a b", "ключ", "a\tb"])
    def test_a_strange_key_is_refused(self, api, key):
        answer = place(api, key.encode().decode("latin-1"))

        assert answer.status_code == 400
        assert answer.json()["extra"].keys() == {"Idempotency-Key"}
        assert not Order.objects.exists()

    def test_a_page_that_is_sent_again_later_orders_nothing(self, browser, margherita):
        form = browser.get("/checkout/").context["form"]
        sent = {**CHECKOUT, "order_key": form.initial["order_key"]}
        first = browser.post("/checkout/", sent)
        browser.post("/cart/add/", {"pizza": margherita.pk, "size": "large"})

        again = browser.post("/checkout/", sent)
        changed = browser.post("/checkout/", {**sent, "notes": "Ring"}, follow=True)

        assert again["Location"] == first["Location"]
        assert "placed order" in changed.content.decode()
        assert Order.objects.count() == 1
        assert Cart(browser.session).count == 1


class TestCancel:
    def test_its_customer_may_until_the_kitchen_begins(self, browser, order_of, peach):
        order = order_of(peach)
        path = f"/orders/{order.pk}/"
        assert "Cancel the order" in browser.get(path).content.decode()

        response = browser.post(f"{path}cancel/", {"reason": "Too late for me"})

        assert response["Location"] == path
        order.refresh_from_db()
        assert (order.status, order.cancelled_by) == ("cancelled", peach)
        assert order.cancel_reason == "Too late for me"
        assert "Too late for me" in browser.get(path).content.decode()

    @pytest.mark.parametrize(
        "status", ["cooking", "ready", "delivering", "delivered", "cancelled"]
    )
    def test_and_not_after_that(self, browser, api, order_of, peach, status):
        order = order_of(peach)
        Order.objects.update(status=status)

        page = browser.post(f"/orders/{order.pk}/cancel/")
        answer = api.post(f"/api/orders/{order.pk}/cancel/", {}, format="json")

        assert page.status_code == answer.status_code == 409
        assert "cannot be cancelled any more" in page.content.decode()
        assert "Please call +1 202 555 0100." in page.content.decode()
        assert answer.json()["code"] == "status_conflict"
        assert answer.json()["extra"] == {"order": order.pk, "status": status}
        assert Order.objects.get().status == status

    @pytest.mark.parametrize("reason", ["a" * 201, "a\x00b", None, 7, ["x"]])
    def test_a_strange_reason_is_refused(self, api, browser, order_of, peach, reason):
        order = order_of(peach)

        answer = api.post(
            f"/api/orders/{order.pk}/cancel/", {"reason": reason}, format="json"
        )

        if reason == 7:
            # A number is text enough for REST framework.
            assert answer.status_code == 200
            return
        assert answer.status_code == 400
        if isinstance(reason, str):
            page = browser.post(f"/orders/{order.pk}/cancel/", {"reason": reason})
            assert page.status_code == 400
        assert Order.objects.get().status == "confirmed"

    def test_somebody_elses_is_not_there(self, browser, api, order_of, toad):
        order = order_of(toad)

        for what in ("cancel", "again"):
            assert browser.post(f"/orders/{order.pk}/{what}/").status_code == 404
            answer = api.post(f"/api/orders/{order.pk}/{what}/", {}, format="json")
            assert answer.status_code == 404
        assert Order.objects.get().status == "confirmed"
        assert Cart(browser.session).count == 1

    def test_a_manager_cancels_what_cooks_and_says_why(
        self, api_of, daisy, order_of, peach
    ):
        order = order_of(peach)
        Order.objects.update(status="cooking")

        answer = api_of(daisy).post(
            f"/api/orders/{order.pk}/cancel/", {"reason": "Fire"}, format="json"
        )

        assert answer.status_code == 200
        assert answer.json()["cancel_reason"] == "Fire"

    def test_get_changes_nothing(self, browser, order_of, peach):
        order = order_of(peach)

        assert browser.get(f"/orders/{order.pk}/cancel/").status_code == 405
        assert browser.get(f"/orders/{order.pk}/again/").status_code == 405


class TestAgain:
    def test_fills_the_cart_at_todays_prices(self, browser, order_of, peach):
        order = order_of(peach)
        Pizza.objects.update(base_price="20.00")

        response = browser.post(f"/orders/{order.pk}/again/", follow=True)

        assert response.redirect_chain == [("/cart/", 303)]
        cart = response.context["cart"]
        assert [(row.size, row.total) for row in cart.rows] == [
            ("small", Decimal("20.00")),
            ("medium", Decimal("26.00")),
        ]

    @pytest.mark.parametrize(
        "gone", [{"is_available": False}, {"retired_at": FRIDAY_EVENING}]
    )
    def test_names_what_cannot_be_had(self, api, browser, order_of, peach, gone):
        order = order_of(peach)
        Pizza.objects.update(**gone)

        answer = api.post(f"/api/orders/{order.pk}/again/")
        page = browser.post(f"/orders/{order.pk}/again/", follow=True)

        assert answer.json() == {"missing": ["Margherita"]}
        assert "Margherita cannot be had now" in page.content.decode()

    def test_an_extra_that_is_the_pizzas_own_by_now_is_free(
        self, api, peach, order_of, margherita
    ):
        order = order_of(peach)
        order.lines.update(extra_toppings=["Ham", "Gone"])
        Pizza.objects.update(toppings=["Ham"])

        assert api.post(f"/api/orders/{order.pk}/again/").json() == {"missing": []}


class TestFind:
    @pytest.fixture
    def orders(self, order_of, peach):
        days = [0, 1, 40]
        made = [
            order_of(peach, placed_at=FRIDAY_EVENING - timedelta(days=day))
            for day in days
        ]
        states = ["cooking", "delivered", "cancelled"]
        for order, status in zip(made, states, strict=True):
            Order.objects.filter(pk=order.pk).update(status=status)
        return made

    @pytest.mark.parametrize(
        ("wanted", "found"),
        [
            ({}, [0, 1, 2]),
            ({"state": "current"}, [0]),
            ({"state": "delivered"}, [1]),
            ({"state": "cancelled"}, [2]),
            ({"since": "2026-11-20"}, [0]),
            ({"until": "2026-11-19"}, [1, 2]),
            ({"since": "2026-11-19", "until": "2026-11-19"}, [1]),
        ],
    )
    def test_leaves_what_is_looked_for(self, browser, api, orders, wanted, found):
        page = browser.get("/orders/", wanted)
        answer = api.get("/api/orders/", wanted).json()

        expected = [orders[number].pk for number in found]
        assert [order.pk for order in page.context["orders"]] == expected
        assert [order["id"] for order in answer["results"]] == expected

    @pytest.mark.parametrize(
        ("field", "wrong"),
        [
            ("state", {"state": "eaten"}),
            ("since", {"since": "yesterday"}),
            ("since", {"since": "0001-01-01"}),
            ("until", {"until": "9999-12-31"}),
            ("until", {"since": "2026-11-20", "until": "2026-11-19"}),
        ],
    )
    def test_refuses_what_it_does_not_understand(
        self, browser, api, orders, field, wrong
    ):
        page = browser.get("/orders/", wrong)
        answer = api.get("/api/orders/", wrong)

        assert page.status_code == answer.status_code == 400
        assert page.context["filter"].errors.keys() == {field}
        assert answer.json()["extra"].keys() == {field}

    @pytest.mark.parametrize("many", [10, 1_000])
    def test_asks_no_more_for_a_long_history(
        self, browser, api, order_of, peach, many, django_assert_max_num_queries
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

        with django_assert_max_num_queries(7):
            assert len(browser.get("/orders/").context["orders"]) <= 20
        with django_assert_max_num_queries(7):
            assert len(api.get("/api/orders/").json()["results"]) <= 20
        with django_assert_max_num_queries(9):
            browser.get(f"/orders/{order.pk}/")
        with django_assert_max_num_queries(8):
            api.get(f"/api/orders/{order.pk}/")


class TestEstimate:
    @pytest.fixture
    def order(self, order_of, peach):
        return order_of(peach)

    def expected(self, order, now) -> Estimate:
        found = estimate(order, now=now)
        assert found is not None
        return found

    def at(self, order, status, **times):
        Order.objects.filter(pk=order.pk).update(status=status, **times)
        order.refresh_from_db()

    def test_is_a_range_before_it_leaves_and_one_time_after(self, order):
        now = FRIDAY_EVENING + MINUTE
        first = self.expected(order, now=now)
        assert first.earliest == now + DEFAULT_COOKING + DEFAULT_WAY
        assert first.latest == first.earliest + SPREAD

        self.at(order, "delivering", delivering_at=FRIDAY_EVENING)
        on_its_way = self.expected(order, now=now)
        assert on_its_way.is_exact
        assert on_its_way.latest == FRIDAY_EVENING + DEFAULT_WAY

    @pytest.mark.parametrize("status", ["delivered", "cancelled"])
    def test_ends_with_the_order(self, order, status):
        self.at(order, status)

        assert estimate(order, now=FRIDAY_EVENING) is None

    def test_is_never_in_the_past(self, order):
        self.at(order, "delivering", delivering_at=FRIDAY_EVENING)
        late = FRIDAY_EVENING + timedelta(hours=2)

        assert self.expected(order, now=late).latest == late

    def test_grows_with_what_is_ahead(self, order, order_of, peach):
        last = order_of(peach, placed_at=FRIDAY_EVENING + 2 * MINUTE)
        for _ in range(4):
            order_of(peach, placed_at=FRIDAY_EVENING + MINUTE)

        # Five are ahead, and five fit into the oven.
        now = FRIDAY_EVENING + 2 * MINUTE
        assert self.expected(last, now=now).earliest == (
            now + 2 * DEFAULT_COOKING + DEFAULT_WAY
        )

    def test_a_delay_is_told_beside_what_was_promised(self, order, browser):
        assert order.promised_at == (
            FRIDAY_EVENING + DEFAULT_COOKING + DEFAULT_WAY + SPREAD
        )
        assert not self.expected(order, now=FRIDAY_EVENING + 4 * MINUTE).is_late
        assert self.expected(order, now=FRIDAY_EVENING + 6 * MINUTE).is_late

        # It was placed days ago.
        page = browser.get(f"/orders/{order.pk}/").content.decode()
        assert "Later than" in page

    def test_is_measured_once_there_is_something_to_measure(self, order_of, peach):
        for _ in range(5):
            order_of(peach)
        Order.objects.update(
            status="delivered",
            cooking_at=FRIDAY_EVENING,
            ready_at=FRIDAY_EVENING + 7 * MINUTE,
            delivering_at=FRIDAY_EVENING + 8 * MINUTE,
            delivered_at=FRIDAY_EVENING + 20 * MINUTE,
        )

        pace = measured_pace()

        assert (pace.cooking, pace.way) == (7 * MINUTE, 12 * MINUTE)

    def test_a_pick_up_that_is_ready_is_ready(self, order, browser):
        self.at(order, "ready", fulfilment="pickup")

        assert self.expected(order, now=FRIDAY_EVENING).earliest == FRIDAY_EVENING
        page = browser.get(f"/orders/{order.pk}/").content.decode()
        assert "It is ready for you." in page


class TestTracking:
    def test_the_link_shows_stages_and_nobodys_name(
        self, client, browser, order_of, peach
    ):
        order = order_of(peach)
        link = browser.get(f"/orders/{order.pk}/").context["share_url"]

        page = client.get(link)

        assert page.status_code == 200
        told = page.content.decode()
        assert "Confirmed" in told
        for secret in ("Peach", "Castle", "0143", "16.89"):
            assert secret not in told

    @pytest.mark.parametrize(
        "token", ["1", "1:x", ":", "a" * 5_000, signing.Signer(salt="other").sign("1")]
    )
    def test_no_other_link_leads_anywhere(self, client, order_of, peach, token):
        order_of(peach)

        assert client.get(f"/track/{token}/").status_code == 404

    def test_an_unchanged_order_is_not_read_twice(self, api, order_of, peach):
        order = order_of(peach, placed_at=timezone.now())
        Order.objects.update(status="delivered")
        first = api.get(f"/api/orders/{order.pk}/")

        again = api.get(
            f"/api/orders/{order.pk}/", headers={"If-None-Match": first["ETag"]}
        )

        assert again.status_code == 304

    def test_says_what_may_still_be_done(self, api, api_of, luigi, order_of, peach):
        path = f"/api/orders/{order_of(peach).pk}/"

        assert api.get(path).json()["can_become"] == ["cancelled"]
        assert api_of(luigi).get(path).json()["can_become"] == ["cooking", "cancelled"]


class TestTheCartsOwnPage:
    def test_a_row_becomes_another_size(self, browser, margherita):
        (row,) = browser.get("/cart/").context["cart"].rows
        page = browser.get(f"/cart/{row.key}/edit/", follow=True)
        assert page.context["size"] == "small"

        browser.post(
            f"/cart/{row.key}/edit/",
            {"size": "large", "extra_toppings": ["Ham"], "quantity": "3"},
        )

        (row,) = browser.get("/cart/").context["cart"].rows
        assert (row.size, row.extra_toppings, row.quantity) == ("large", ["Ham"], 3)

    @pytest.mark.parametrize(
        "wrong", [{"size": "huge"}, {"quantity": "100"}, {"extra_toppings": ["Gold"]}]
    )
    def test_a_refused_change_changes_nothing(self, browser, wrong):
        (row,) = browser.get("/cart/").context["cart"].rows
        sent = {"size": "large", "quantity": "1", **wrong}

        response = browser.post(f"/cart/{row.key}/edit/", sent)

        assert response.status_code == 400
        assert [x.size for x in Cart(browser.session).rows] == ["small"]

    def test_a_row_that_is_gone_leads_back(self, browser):
        response = browser.post("/cart/nothing/edit/", {"size": "large"})

        assert response["Location"] == "/cart/"

    def test_what_was_removed_comes_back_without_a_script(self, browser, api):
        (row,) = browser.get("/cart/").context["cart"].rows
        gone = browser.post("/cart/remove/", {"key": row.key}, follow=True)
        assert "Margherita is out of your cart" in gone.content.decode()

        back = browser.post("/cart/undo/", follow=True)

        assert [x.key for x in back.context["cart"].rows] == [row.key]
        assert "is out of your cart" not in back.content.decode()
        browser.post("/cart/undo/")
        assert Cart(browser.session).count == 1

    def test_by_api_as_well(self, api):
        (item,) = api.get("/api/cart/").json()["items"]
        path = f"/api/cart/items/{item['key']}/"
        change = {"size": "large", "extra_toppings": ["Ham"]}
        changed = api.patch(path, change, format="json").json()
        assert changed["items"][0]["unit_price"] == "23.28"

        api.delete(f"/api/cart/items/{changed['items'][0]['key']}/")
        assert api.post("/api/cart/undo/").json() == changed
        nothing = api.patch(path, {}, format="json")
        assert nothing.status_code in (400, 404)

    def test_an_unchanged_cart_is_not_read_twice(self, api):
        first = api.get("/api/cart/")

        again = api.get("/api/cart/", headers={"If-None-Match": first["ETag"]})

        assert again.status_code == 304
