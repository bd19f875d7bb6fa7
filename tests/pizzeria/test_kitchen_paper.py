"""What the kitchen prints and counts: tickets, the promised time, the hours."""

from datetime import UTC, datetime, timedelta

import pytest

from pizzeria.kitchen.board import board
from pizzeria.kitchen.hours import hours_of_today
from pizzeria.orders.models import Order
from pizzeria.orders.services import move_order
from pizzeria.orders.transitions import Fulfilment, Status
from tests.pizzeria.conftest import FRIDAY_EVENING

MINUTE = timedelta(minutes=1)


@pytest.fixture
def kitchen(browser_of, luigi):
    return browser_of(luigi)


class TestTickets:
    def test_say_what_to_make_and_nothing_of_money(self, kitchen, order_of, peach):
        order = order_of(peach)
        Order.objects.filter(pk=order.pk).update(
            allergies="Nuts & <shells>", notes="No basil", fulfilment=Fulfilment.PICKUP
        )

        page = kitchen.get(f"/kitchen/{order.pk}/ticket/").content.decode()

        for words in (
            "1 × Margherita",
            "medium",
            "Nuts &amp; &lt;shells&gt;",
            "No basil",
            "Pick-up, Peach",
            "Placed 20:30",
        ):
            assert words in page
        assert "16.89" not in page
        assert "$" not in page
        assert "Castle Road" not in page

    def test_of_all_that_waits_come_oldest_first(self, kitchen, order_of, peach, luigi):
        second = order_of(peach, placed_at=FRIDAY_EVENING + MINUTE)
        first = order_of(peach)
        cooking = order_of(peach)
        move_order(
            order_id=cooking.pk, to=Status.COOKING, actor=luigi, now=FRIDAY_EVENING
        )

        page = kitchen.get("/kitchen/tickets/")

        assert page.context["tickets"] == [first, second]
        assert "2 tickets" in page.content.decode()

    def test_need_as_many_queries_for_many(
        self, kitchen, order_of, peach, django_assert_num_queries
    ):
        order_of(peach)
        kitchen.get("/kitchen/tickets/")
        for _ in range(9):
            order_of(peach)

        with django_assert_num_queries(4):
            kitchen.get("/kitchen/tickets/")

    def test_say_so_when_there_are_none(self, kitchen):
        assert "Nothing to print" in kitchen.get("/kitchen/tickets/").content.decode()

    @pytest.mark.parametrize("number", [999, 10**30])
    def test_of_what_is_not_there_are_not_found(self, kitchen, number):
        assert kitchen.get(f"/kitchen/{number}/ticket/").status_code == 404


class TestCountdown:
    @pytest.mark.parametrize(
        ("promised_in", "words"),
        [
            (timedelta(minutes=12, seconds=59), "due in 12 min"),
            (timedelta(0), "due in 0 min"),
            (timedelta(seconds=-1), "1 min over"),
            (timedelta(minutes=-3), "3 min over"),
        ],
    )
    def test_goes_on_beyond_the_promise(self, order_of, peach, promised_in, words):
        Order.objects.filter(pk=order_of(peach).pk).update(
            promised_at=FRIDAY_EVENING + promised_in
        )

        shown = board(now=FRIDAY_EVENING)["columns"][0]["orders"][0]

        assert shown.due_in_words == words

    def test_is_not_there_without_a_promise(self, order_of, peach, kitchen):
        Order.objects.filter(pk=order_of(peach).pk).update(promised_at=None)

        shown = board(now=FRIDAY_EVENING)["columns"][0]["orders"][0]

        assert shown.due_in_words == ""
        assert "countdown" not in kitchen.get("/kitchen/").content.decode()


class TestHours:
    def test_count_today_where_the_restaurant_stands(self, order_of, peach, luigi):
        # Midnight in Rome is 23:00 in UTC.
        midnight = datetime(2026, 11, 19, 23, 0, tzinfo=UTC)
        order_of(peach, placed_at=midnight - MINUTE)
        first = order_of(peach, placed_at=midnight)
        order_of(peach, placed_at=midnight + 59 * MINUTE)
        order_of(peach, placed_at=FRIDAY_EVENING)
        order_of(peach, placed_at=FRIDAY_EVENING + MINUTE)
        gone = order_of(peach, placed_at=FRIDAY_EVENING)
        first.lines.update(quantity=3)
        for order, to, after in (
            (first, Status.COOKING, 5),
            (first, Status.READY, 15),
            (gone, Status.CANCELLED, 1),
        ):
            now = order.placed_at + after * MINUTE
            move_order(order_id=order.pk, to=to, actor=luigi, now=now)

        hours = hours_of_today(now=FRIDAY_EVENING)

        told = [
            (f"{x.begins_at:%H:%M}", x.orders, x.pizzas, x.average_minutes)
            for x in hours
        ]
        assert told == [("00:00", 2, 4, 15.0), ("20:00", 1, 1, None)]

    def test_are_a_page_and_a_part_of_the_api(self, kitchen, api_of, luigi):
        assert "Nobody has ordered yet" in (
            kitchen.get("/kitchen/hours/").content.decode()
        )
        assert api_of(luigi).get("/api/kitchen/hours/").json() == []
