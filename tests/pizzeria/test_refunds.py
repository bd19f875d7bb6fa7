"""Money that was given back: recorded once, after a recent login, and counted apart."""

import time
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.utils import timezone

from pizzeria.customers.knowledge import statistics_of
from pizzeria.events.models import OutboxEvent
from pizzeria.exceptions import RefundRefused, StatusConflict
from pizzeria.management import figures
from pizzeria.management.models import ClosedDay, Kind, Tally
from pizzeria.management.periods import Period, local_day
from pizzeria.management.services import close_day
from pizzeria.notifications.models import Notification
from pizzeria.orders.models import Order
from pizzeria.orders.services import move_order, refund_order
from pizzeria.orders.transitions import Status
from tests.pizzeria.conftest import FRIDAY_EVENING

FIVE = Decimal("5.00")
SAID = {"amount": "5.00", "reason": "It was cold."}


@pytest.fixture
def cancelled(order_of, peach):
    order = order_of(peach)
    return move_order(
        order_id=order.pk, to=Status.CANCELLED, actor=peach, now=FRIDAY_EVENING
    )


@pytest.fixture
def delivered(order_of, peach, luigi, yoshi):
    order = order_of(peach)
    for actor, step in (
        (luigi, Status.COOKING),
        (luigi, Status.READY),
        (yoshi, Status.DELIVERING),
        (yoshi, Status.DELIVERED),
    ):
        order = move_order(order_id=order.pk, to=step, actor=actor, now=FRIDAY_EVENING)
    return order


@pytest.fixture
def refund(daisy):
    def refund(order, amount=FIVE, *, actor=daisy, now=FRIDAY_EVENING):
        return refund_order(
            order_id=order.pk,
            amount=amount,
            reason="It was cold.",
            actor=actor,
            now=now,
        )

    return refund


def with_recent_login(client, *, seconds_ago=0):
    session = client.session
    session["user_info"] = {"auth_time": int(time.time()) - seconds_ago}
    session.save()
    return client


@pytest.fixture
def browser(browser_of, daisy):
    return with_recent_login(browser_of(daisy))


@pytest.fixture
def api(api_of, daisy):
    return with_recent_login(api_of(daisy))


class TestAnOrder:
    @pytest.mark.parametrize("which", ["delivered", "cancelled"])
    def test_that_is_over_is_refunded(self, request, refund, daisy, which):
        order = refund(request.getfixturevalue(which))

        order.refresh_from_db()
        assert order.refunded_amount == FIVE
        assert order.refunded_by == daisy
        event = OutboxEvent.objects.get(type__endswith="order.refunded.v1")
        assert event.data["amount"] == "5.00"
        assert event.data["reason"] == "It was cold."
        told = Notification.objects.latest("pk")
        assert told.title == f"Money back for order {order.pk}"
        assert "$5.00" in told.message

    def test_that_is_under_way_is_not(self, order_of, peach, refund):
        with pytest.raises(StatusConflict) as refusal:
            refund(order_of(peach))

        assert refusal.value.extra["status"] == "confirmed"

    def test_is_refunded_once(self, cancelled, refund):
        refund(cancelled)

        with pytest.raises(StatusConflict, match="refunded already"):
            refund(cancelled)

    @pytest.mark.parametrize("amount", ["0", "-1", "16.90", "1000000"])
    def test_gives_back_something_and_no_more_than_was_paid(
        self, cancelled, refund, amount
    ):
        with pytest.raises(RefundRefused):
            refund(cancelled, Decimal(amount))
        assert not OutboxEvent.objects.filter(type__endswith="refunded.v1").exists()

    def test_gives_back_all_of_it(self, cancelled, refund):
        assert refund(cancelled, cancelled.total_amount)

    def test_is_held_to_that_by_the_database_too(self, cancelled):
        for wrong in (
            {"refunded_amount": 17, "refunded_at": FRIDAY_EVENING},
            {"refunded_amount": 5},
            {"refunded_at": FRIDAY_EVENING},
        ):
            with pytest.raises(IntegrityError), transaction.atomic():
                Order.objects.filter(pk=cancelled.pk).update(**wrong)

    def test_that_is_refunded_is_not_taken_out_of_the_customers_hands(
        self, delivered, refund, yoshi
    ):
        refund(delivered)

        with pytest.raises(StatusConflict):
            move_order(
                order_id=delivered.pk,
                to=Status.DELIVERING,
                actor=yoshi,
                now=FRIDAY_EVENING,
            )

    def test_is_refunded_by_managers_alone(
        self, cancelled, refund, peach, luigi, yoshi
    ):
        for person in (peach, luigi, yoshi):
            with pytest.raises(PermissionDenied):
                refund(cancelled, actor=person)


class TestThePage:
    def test_records_it_and_the_receipt_says_so(
        self, browser, browser_of, peach, cancelled
    ):
        path = f"/orders/{cancelled.pk}/"
        assert f"{path}refund/" in browser.get(path).content.decode()
        assert 'value="16.89"' in browser.get(f"{path}refund/").content.decode()

        answer = browser.post(f"{path}refund/", SAID)

        assert answer.status_code == 303
        assert f"{path}refund/" not in browser.get(path).content.decode()
        receipt = browser_of(peach).get(path).content.decode()
        assert "It was cold." in receipt
        assert "−$5.00" in receipt
        assert "$5.00 given back" in browser_of(peach).get("/orders/").content.decode()
        again = browser.post(f"{path}refund/", SAID)
        assert again.status_code == 409
        assert "refunded already" in again.content.decode()

    @pytest.mark.parametrize(
        "wrong",
        [
            {"amount": "0"},
            {"amount": "16.90"},
            {"amount": "NaN"},
            {"amount": ""},
            {"reason": ""},
            {"reason": "x" * 201},
            {"reason": "\x00"},
        ],
    )
    def test_refuses_nonsense(self, browser, api, cancelled, wrong):
        page = browser.post(f"/orders/{cancelled.pk}/refund/", {**SAID, **wrong})
        answer = api.post(
            f"/api/orders/{cancelled.pk}/refund/", {**SAID, **wrong}, format="json"
        )

        assert page.status_code == answer.status_code == 400
        assert "Nothing was recorded" in page.content.decode()
        assert answer.json()["code"] in {"invalid_input", "refund_refused"}

    def test_asks_for_a_recent_login(self, browser, api, cancelled):
        for client in (browser, api):
            with_recent_login(client, seconds_ago=3600)

        page = browser.post(f"/orders/{cancelled.pk}/refund/", SAID)
        answer = api.post(f"/api/orders/{cancelled.pk}/refund/", SAID, format="json")

        assert page.status_code == 302
        assert page["Location"].startswith("/auth/login")
        assert answer.status_code == 403
        assert answer.json()["code"] == "recent_login_required"
        assert not Order.objects.exclude(refunded_at=None).exists()


def test_the_api_records_it(api, cancelled):
    answer = api.post(f"/api/orders/{cancelled.pk}/refund/", SAID, format="json")

    assert answer.status_code == 200
    assert answer.json()["refunded_amount"] == "5.00"
    assert answer.json()["refund_reason"] == "It was cold."
    again = api.post(f"/api/orders/{cancelled.pk}/refund/", SAID, format="json")
    assert (again.status_code, again.json()["code"]) == (409, "status_conflict")
    unknown = api.post("/api/orders/999999/refund/", SAID, format="json")
    assert unknown.status_code == 404


class TestTheFigures:
    def test_count_it_apart_on_its_own_day(self, delivered, refund, browser):
        saturday = FRIDAY_EVENING + timedelta(days=1)
        refund(delivered, now=saturday)
        period = Period.until(local_day(saturday), days=2)

        report = figures.analytics(period, grouping="day")

        friday, second = (span["numbers"] for span in report["series"])
        assert friday.revenue == Decimal("16.89")
        assert (friday.refunds, friday.refunded) == (0, 0)
        assert (second.orders, second.refunds, second.refunded) == (0, 1, FIVE)
        assert report["total"].refunded == FIVE
        page = browser.get(
            "/management/analytics/sales.csv",
            {"period": "custom", "start": period.first, "end": period.last},
        )
        rows = page.content.decode().splitlines()
        assert rows[0].endswith(",discounts,refunds,refunded")
        assert rows[2].endswith(",0.00,1,5.00")

    def test_keep_it_when_the_day_is_closed(self, delivered, refund):
        refund(delivered)
        day = local_day(FRIDAY_EVENING)
        period = Period(day, day)
        living = figures.analytics(period, grouping="day")["total"]

        close_day(day=day, now=FRIDAY_EVENING + timedelta(days=1))

        assert ClosedDay.last() == day
        assert Tally.objects.get(kind=Kind.REFUND).refunded == FIVE
        assert figures.analytics(period, grouping="day")["total"] == living

    def test_of_a_customer_say_what_was_spent_in_the_end(
        self, delivered, refund, peach
    ):
        refund(delivered)

        assert statistics_of(peach).spent == Decimal("11.89")

    def test_show_it_to_managers(self, delivered, refund, browser):
        refund(delivered, now=timezone.now())

        page = browser.get("/management/analytics/").content.decode()

        assert "Given back" in page
        assert "$5.00" in page
