"""Codes that make an order cheaper: their terms, their uses, and who makes them."""

import json
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from mario.identity import limits
from pizzeria.cart.cart import Cart
from pizzeria.events.models import OutboxEvent
from pizzeria.exceptions import PriceChanged, VoucherRefused
from pizzeria.menu import pricing
from pizzeria.orders.models import Order
from pizzeria.orders.services import move_order, place_order
from pizzeria.orders.transitions import Status
from pizzeria.vouchers import views
from pizzeria.vouchers.models import Voucher
from pizzeria.vouchers.services import save_voucher
from tests.pizzeria.conftest import CHECKOUT, CONTACT, FRIDAY_EVENING, cart_line

MONEY = st.decimals("0.01", "9999.99", places=2)
FORM = {"code": "pizza20", "kind": "percent", "value": "20", "minimum": "0"}


def as_shown(page):
    """Say what the page's form sends if nobody changes it."""
    shown = {field.name: field.value() for field in page.context["form"]}
    return {name: "" if value is None else value for name, value in shown.items()}


@pytest.fixture
def voucher(db):
    """Make a voucher; a Margherita of 16.89 becomes 13.51 by the default."""

    def voucher(**terms):
        return Voucher.objects.create(**{"code": "PIZZA20", "value": 20, **terms})

    return voucher


@pytest.fixture
def place(margherita):
    def place(customer, *, line="line-1", code="PIZZA20", **said):
        return place_order(
            customer=customer,
            lines=[cart_line(margherita, line)],
            contact=CONTACT,
            placed_at=FRIDAY_EVENING,
            voucher_code=code,
            **said,
        )

    return place


@pytest.fixture
def browser(browser_of, peach, margherita):
    browser = browser_of(peach)
    browser.post("/cart/add/", {"pizza": margherita.pk, "size": "medium"})
    return browser


@pytest.fixture
def api(api_of, peach, margherita):
    api = api_of(peach)
    item = {"pizza": margherita.pk, "size": "medium", "quantity": 1}
    api.post("/api/cart/items/", item, format="json")
    return api


class TestTheDiscount:
    @given(subtotal=MONEY, percent=st.decimals("0.01", "100", places=2))
    def test_leaves_a_cent_and_takes_off_nothing_that_is_not_there(
        self, subtotal, percent
    ):
        taken = pricing.discount(subtotal, percent=percent)

        assert taken >= 0
        assert subtotal - taken >= min(subtotal, pricing.CENT)
        assert taken == taken.quantize(pricing.CENT)

    @given(subtotal=MONEY, amount=MONEY)
    def test_of_an_amount_is_that_or_all_but_a_cent(self, subtotal, amount):
        taken = pricing.discount(subtotal, amount=amount)

        assert taken == min(amount, subtotal - pricing.CENT)

    def test_is_rounded_half_up_once(self):
        assert pricing.discount(Decimal("0.25"), percent=Decimal(10)) == Decimal("0.03")

    def test_of_an_empty_cart_is_nothing(self):
        assert pricing.discount(Decimal(0), amount=Decimal(5)) == 0


class TestAnOrder:
    def test_keeps_what_it_was_cheaper_by(self, voucher, place, peach):
        made = voucher()

        order = place(peach)

        made.value = 50
        made.save()
        order.refresh_from_db()
        assert order.voucher_code == "PIZZA20"
        assert order.discount_amount == Decimal("3.38")
        assert order.total_amount == Decimal("13.51")
        assert order.subtotal_amount == Decimal("16.89")
        event = OutboxEvent.objects.get(type__endswith="order.confirmed.v1")
        assert event.data["discount_amount"] == "3.38"
        assert event.data["total_amount"] == "13.51"

    def test_never_costs_nothing(self, voucher, place, peach):
        voucher(kind="amount", value=500)

        assert place(peach).total_amount == pricing.CENT

    @pytest.mark.parametrize(
        ("terms", "code"),
        [
            ({"is_active": False}, "voucher_unknown"),
            ({"code": "OTHER"}, "voucher_unknown"),
            ({"valid_from": date(2026, 11, 21)}, "voucher_not_yet"),
            ({"valid_until": date(2026, 11, 19)}, "voucher_over"),
            ({"minimum": Decimal("16.90")}, "voucher_minimum"),
        ],
    )
    def test_is_refused_what_the_voucher_is_not_for(
        self, voucher, place, peach, terms, code
    ):
        voucher(**terms)

        with pytest.raises(VoucherRefused) as refusal:
            place(peach)

        assert refusal.value.code == code
        assert not Order.objects.exists()

    def test_on_the_first_and_the_last_day_is_taken(self, voucher, place, peach):
        today = timezone.localtime(FRIDAY_EVENING).date()
        voucher(valid_from=today, valid_until=today, minimum=Decimal("16.89"))

        assert place(peach).discount_amount

    def test_takes_a_use(self, voucher, place, peach, toad):
        voucher(most_uses=1)
        place(peach)

        with pytest.raises(VoucherRefused) as refusal:
            place(toad, line="line-2")

        assert refusal.value.code == "voucher_used_up"

    def test_takes_the_customers_own_use(self, voucher, place, peach, toad):
        voucher()
        place(peach)

        with pytest.raises(VoucherRefused) as refusal:
            place(peach, line="line-2")

        assert refusal.value.code == "voucher_used"
        assert place(toad, line="line-3").discount_amount

    def test_that_is_cancelled_gives_the_use_back(self, voucher, place, peach):
        voucher(most_uses=1)
        order = place(peach)

        move_order(
            order_id=order.pk, to=Status.CANCELLED, actor=peach, now=FRIDAY_EVENING
        )

        assert Voucher.objects.with_uses().get().uses == 0
        assert place(peach, line="line-2").discount_amount

    def test_that_is_sent_again_takes_one_use(self, voucher, place, peach):
        voucher(most_uses=1)

        assert place(peach) == place(peach)

    def test_costs_what_the_customer_saw_or_nothing_is_ordered(
        self, voucher, place, peach
    ):
        voucher()

        with pytest.raises(PriceChanged):
            place(peach, seen_total=Decimal("16.89"))
        assert place(peach, seen_total=Decimal("13.51"))


class TestTheCart:
    def test_shows_it_as_a_line_and_orders_with_it(self, browser, voucher):
        voucher()

        answer = browser.post("/cart/voucher/", {"code": " pizza20 "}, follow=True)

        page = answer.content.decode()
        for told in ("Voucher PIZZA20", "−$3.38", "$13.51", "Take PIZZA20 out"):
            assert told in page, told
        assert 'value="13.51"' in browser.get("/checkout/").content.decode()
        placed = browser.post("/checkout/", {**CHECKOUT, "seen_total": "13.51"})
        receipt = browser.get(placed["Location"]).content.decode()
        assert "Voucher PIZZA20" in receipt
        assert "−$3.38" in receipt
        assert Cart(browser.session).voucher_code == ""

    def test_lets_it_out_again(self, browser, voucher):
        voucher()
        browser.post("/cart/voucher/", {"code": "PIZZA20"})

        browser.post("/cart/voucher/", {"code": ""})

        assert Cart(browser.session).total == Decimal("16.89")

    def test_says_why_it_holds_no_longer(self, browser, voucher, margherita):
        made = voucher()
        browser.post("/cart/voucher/", {"code": "PIZZA20"})
        made.minimum = 20
        made.save()

        page = browser.get("/cart/").content.decode()

        assert "$3.11 is missing" in page
        assert Cart(browser.session).total == Decimal("16.89")
        answer = browser.post("/checkout/", CHECKOUT)
        assert answer.status_code == 422
        assert "Take the code out of your cart" in answer.content.decode()
        assert Cart(browser.session).count == 1

    @pytest.mark.parametrize(
        ("code", "status", "told"),
        [
            ("NOPE", 422, "There is no voucher “NOPE”"),
            ("<b>", 422, "“&lt;b&gt;”"),
            ("x" * 31, 400, "No code is as long"),
            ("a\x00b", 400, "cannot be printed"),
        ],
    )
    def test_refuses_what_is_none(self, browser, code, status, told):
        answer = browser.post("/cart/voucher/", {"code": code})

        assert answer.status_code == status
        assert told in answer.content.decode()
        assert Cart(browser.session).voucher_code == ""

    @pytest.mark.parametrize("strange", [7, None, [], {"a": 1}, "x" * 999, "<b>"])
    def test_takes_a_strange_session_for_none(self, session, strange):
        session["cart_voucher"] = strange

        assert Cart(session).voucher_code == ""

    def test_lets_nobody_guess(self, browser, voucher, settings):
        settings.RATE_LIMITS = {**settings.RATE_LIMITS, "voucher": (3, 60)}
        limits.forget()

        answers = [
            browser.post("/cart/voucher/", {"code": f"GUESS{n}"}).status_code
            for n in range(8)
        ]

        # A window of time may end among them.
        assert answers[:3] == [422] * 3
        assert 429 in answers
        # Taking it out is no guess.
        assert browser.post("/cart/voucher/", {"code": ""}).status_code == 303


class TestTheApi:
    def test_puts_it_in_and_orders_with_it(self, api, voucher):
        voucher()

        cart = api.put("/api/cart/voucher/", {"code": "pizza20"}, format="json").json()
        order = api.post("/api/orders/", CHECKOUT, format="json").json()

        assert cart["subtotal_amount"] == order["subtotal_amount"] == "16.89"
        assert cart["discount_amount"] == order["discount_amount"] == "3.38"
        assert cart["total_amount"] == order["total_amount"] == "13.51"
        assert cart["voucher_code"] == order["voucher_code"] == "PIZZA20"
        assert api.get("/api/cart/").json()["voucher_code"] == ""

    def test_takes_it_out(self, api, voucher):
        voucher()
        api.put("/api/cart/voucher/", {"code": "PIZZA20"}, format="json")

        assert api.delete("/api/cart/voucher/").status_code == 204
        assert api.get("/api/cart/").json()["total_amount"] == "16.89"

    def test_refuses_in_the_one_shape(self, api, voucher):
        voucher(minimum=20)

        unknown = api.put("/api/cart/voucher/", {"code": "NOPE"}, format="json")
        little = api.put("/api/cart/voucher/", {"code": "PIZZA20"}, format="json")
        nothing = api.put("/api/cart/voucher/", {}, format="json")

        assert (unknown.status_code, unknown.json()["code"]) == (422, "voucher_unknown")
        assert little.json()["extra"] == {"minimum": "20.00"}
        assert nothing.status_code == 400

    def test_lets_nobody_guess(self, api, settings):
        settings.RATE_LIMITS = {**settings.RATE_LIMITS, "voucher": (3, 60)}
        limits.forget()

        answers = [
            api.put("/api/cart/voucher/", {"code": f"GUESS{n}"}, format="json")
            for n in range(8)
        ]

        refused = [answer for answer in answers if answer.status_code == 429]
        assert refused
        assert refused[0].json()["code"] == "too_many_requests"
        assert refused[0]["Retry-After"]


class TestManagers:
    PAGE = "/management/vouchers/"

    def test_make_one_on_a_page(self, browser_of, daisy):
        browser = browser_of(daisy)

        answer = browser.post(f"{self.PAGE}add/", {**FORM, "is_active": "on"})

        assert answer.status_code == 303
        made = Voucher.objects.get()
        assert made.code == "PIZZA20"
        assert made.value == 20
        assert made.most_uses_each is None
        assert "PIZZA20" in browser.get(self.PAGE).content.decode()
        event = OutboxEvent.objects.get(type__endswith="voucher.saved.v1")
        assert event.data["code"] == "PIZZA20"
        assert event.data["changes"]["value"] == [None, "20"]

    def test_change_one_and_switch_it_off(self, browser_of, daisy, voucher):
        made = voucher()

        answer = browser_of(daisy).post(f"{self.PAGE}{made.pk}/", FORM)

        assert answer.status_code == 303
        made.refresh_from_db()
        assert not made.is_active

    @pytest.mark.parametrize(
        "wrong",
        [
            {"code": "a b"},
            {"code": ""},
            {"code": "TAKEN"},
            {"value": "0"},
            {"value": "101"},
            {"value": "NaN"},
            {"minimum": "-1"},
            {"most_uses": "0"},
            {"kind": "gift"},
            {"valid_from": "2026-12-02", "valid_until": "2026-12-01"},
        ],
    )
    def test_are_refused_nonsense(self, browser_of, api_of, daisy, voucher, wrong):
        voucher(code="TAKEN")

        page = browser_of(daisy).post(f"{self.PAGE}add/", {**FORM, **wrong})
        api = api_of(daisy).post(f"/api{self.PAGE}", {**FORM, **wrong}, format="json")

        assert page.status_code == 400
        assert "Nothing was saved yet" in page.content.decode()
        assert (api.status_code, api.json()["code"]) == (400, "invalid_input")
        assert Voucher.objects.count() == 1

    def test_do_not_overwrite_each_other_unseen(self, browser_of, daisy, voucher):
        page = f"{self.PAGE}{voucher().pk}/"
        browser = browser_of(daisy)
        shown = as_shown(browser.get(page))
        Voucher.objects.update(is_active=False)

        late = browser.post(page, shown | {"value": "30"})
        again = as_shown(late)

        assert late.status_code == 409
        assert "Somebody changed this" in late.content.decode()
        assert not Voucher.objects.get().is_active
        assert browser.post(page, again | {"value": "30"}).status_code == 303
        changed = Voucher.objects.get()
        assert not changed.is_active
        assert changed.value == 30

    def test_are_told_of_a_code_that_another_takes_meanwhile(
        self, browser_of, daisy, voucher, monkeypatch
    ):
        def taken_meanwhile(**said):
            voucher(code="PIZZA20")
            return save_voucher(**said)

        monkeypatch.setattr(views, "save_voucher", taken_meanwhile)
        answer = browser_of(daisy).post(f"{self.PAGE}add/", FORM)

        assert answer.status_code == 400
        assert "There is a voucher of this code." in answer.content.decode()

    @pytest.mark.parametrize("field", ["code", "kind", "value", "valid_from"])
    def test_are_not_told_half_a_character_again(self, api_of, daisy, field):
        body = json.dumps({**FORM, field: "\ud800"})

        answer = api_of(daisy).post(
            f"/api{self.PAGE}", data=body, content_type="application/json"
        )

        assert answer.status_code == 400
        assert answer.json()["extra"].keys() == {field}

    def test_do_it_by_api(self, api_of, daisy, place, peach):
        api = api_of(daisy)

        made = api.post(f"/api{self.PAGE}", FORM, format="json").json()
        place(peach)
        one = f"/api{self.PAGE}{made['id']}/"
        changed = api.patch(one, {"value": "30.00"}, format="json").json()

        assert changed == {**made, "value": "30.00", "uses": 1}
        assert api.get(f"/api{self.PAGE}").json()["results"] == [changed]
        assert api.get(one).json() == changed
        assert api.patch(one, {"value": "200"}, format="json").status_code == 400
        assert api.get(f"/api{self.PAGE}9999/").status_code == 404

    def test_do_it_in_the_admin(self, browser_of, daisy, voucher, django_user_model):
        made = voucher()
        browser = browser_of(django_user_model.objects.create_superuser("mario"))
        session = browser.session
        session["user_info"] = {"auth_time": int(timezone.now().timestamp())}
        session.save()
        path = f"/admin/vouchers/voucher/{made.pk}/"

        assert "PIZZA20" in browser.get("/admin/vouchers/voucher/").content.decode()
        answer = browser.post(f"{path}change/", {**FORM, "value": "25"})

        assert answer.status_code == 302, answer.context["errors"]
        made.refresh_from_db()
        assert made.value == 25
        assert OutboxEvent.objects.filter(type__endswith="voucher.saved.v1").exists()
        assert browser.post(f"{path}delete/", {"post": "yes"}).status_code == 403

    def test_alone_may(self, peach, luigi, yoshi):
        for person in (peach, luigi, yoshi):
            with pytest.raises(PermissionDenied):
                save_voucher(
                    fields={"code": "FREE", "value": 1},
                    actor=person,
                    now=FRIDAY_EVENING,
                )

    def test_cannot_make_one_that_makes_no_sense_by_any_way(self, daisy):
        with pytest.raises(ValidationError):
            save_voucher(
                fields={"code": "x", "value": 1}, actor=daisy, now=FRIDAY_EVENING
            )


def test_an_export_says_what_an_order_was_cheaper_by(voucher, place, peach):
    from pizzeria.customers.knowledge import everything_about  # noqa: PLC0415

    voucher()
    place(peach)

    told = everything_about(peach, now=FRIDAY_EVENING + timedelta(hours=1))

    assert told["orders"][0]["voucher_code"] == "PIZZA20"
    assert told["orders"][0]["discount_amount"] == "3.38"
