from datetime import timedelta

import pytest

from pizzeria.kitchen.board import TICKETS_PER_STAGE, board
from pizzeria.kitchen.models import Kitchen
from pizzeria.orders.models import Order
from tests.pizzeria.conftest import FRIDAY_EVENING

HTMX = {"HX-Request": "true"}


def columns(response):
    return {
        column["status"]: [order.pk for order in column["orders"]]
        for column in response.context["columns"]
    }


@pytest.fixture
def kitchen(browser_of, luigi):
    """Luigi's screen."""
    return browser_of(luigi)


@pytest.fixture
def order(order_of, peach):
    return order_of(peach)


class TestWhoMayEnter:
    @pytest.mark.parametrize("who", ["peach", "toad", "yoshi"])
    def test_the_kitchen_is_closed_to_others(self, request, browser_of, order, who):
        visitor = browser_of(request.getfixturevalue(who))

        assert visitor.get("/kitchen/").status_code == 403
        step = visitor.post(f"/kitchen/{order.pk}/advance/", {"to": "cooking"})
        assert step.status_code == 403
        assert Order.objects.get().status == "confirmed"

    @pytest.mark.parametrize("who", ["luigi", "daisy"])
    def test_cooks_and_managers_enter(self, request, browser_of, order, who):
        cook = browser_of(request.getfixturevalue(who))

        assert cook.get("/kitchen/").status_code == 200
        cook.post(f"/kitchen/{order.pk}/advance/", {"to": "cooking"})
        assert Order.objects.get().status == "cooking"


class TestBoard:
    def test_shows_each_stage_oldest_first(self, kitchen, order_of, peach):
        new = order_of(peach, placed_at=FRIDAY_EVENING + timedelta(minutes=2))
        old = order_of(peach)
        cooking, gone = order_of(peach), order_of(peach)
        Order.objects.filter(pk=cooking.pk).update(status="cooking")
        Order.objects.filter(pk=gone.pk).update(status="cancelled")

        response = kitchen.get("/kitchen/")

        assert columns(response) == {
            "confirmed": [old.pk, new.pk],
            "cooking": [cooking.pk],
            "ready": [],
        }
        assert response.context["cooking_count"] == 1
        assert response.context["capacity"] == 5

    def test_warns_of_an_allergy(self, kitchen, order):
        Order.objects.filter(pk=order.pk).update(allergies="Nuts & <shellfish>")

        board = kitchen.get("/kitchen/").text

        banner = '<p class="ticket-allergy"><b>Allergy</b> Nuts &amp; &lt;shellfish&gt;'
        assert board.count(banner) == 1

    def test_says_how_old_an_order_is_and_what_comes_next(self, order):
        now = FRIDAY_EVENING + timedelta(minutes=12, seconds=59)

        waiting, cooking, ready = board(now=now)["columns"]

        (ticket,) = waiting["orders"]
        assert ticket.age_minutes == 12
        assert ticket.next_status == "cooking"
        assert (cooking["orders"], ready["orders"]) == ([], [])

    def test_what_is_ready_leaves_the_cooks_hands(self, order):
        Order.objects.update(status="ready", ready_at=FRIDAY_EVENING)

        ready = board(now=FRIDAY_EVENING)["columns"][2]

        assert ready["orders"][0].next_status is None

    def test_asks_the_database_a_bounded_number_of_times(
        self, order_of, peach, django_assert_num_queries
    ):
        for _ in range(TICKETS_PER_STAGE + 5):
            order_of(peach)

        # Orders and lines of one stage, two empty stages, the counts, what was
        # cancelled, what is to be made, the capacity.
        with django_assert_num_queries(9):
            shown = board(now=FRIDAY_EVENING)
        waiting = shown["columns"][0]
        assert len(waiting["orders"]) == TICKETS_PER_STAGE
        assert waiting["count"] == TICKETS_PER_STAGE + 5

    def test_a_poll_is_answered_with_the_board_alone(self, kitchen, order):
        page = kitchen.get("/kitchen/", headers=HTMX).content.decode()

        assert 'id="board"' in page
        assert "<html" not in page

    def test_reading_it_writes_nothing(self, kitchen, order):
        kitchen.get("/kitchen/")

        assert not Kitchen.objects.exists()


class TestAdvance:
    def advance(self, kitchen, order, to, **headers):
        return kitchen.post(
            f"/kitchen/{order.pk}/advance/", {"to": to}, headers=headers
        )

    def test_brings_an_order_from_confirmed_to_ready(self, kitchen, order, luigi):
        for to in ("cooking", "ready"):
            response = self.advance(kitchen, order, to)
            assert response.status_code == 303
            assert response["Location"] == "/kitchen/"

        order.refresh_from_db()
        assert order.status == "ready"
        assert order.cooked_by == order.readied_by == luigi
        assert order.cooking_at <= order.ready_at

    def test_answers_htmx_with_the_board(self, kitchen, order):
        response = self.advance(kitchen, order, "cooking", **HTMX)

        assert response.status_code == 200
        assert columns(response)["cooking"] == [order.pk]
        assert "<html" not in response.content.decode()

    @pytest.mark.parametrize("headers", [{}, HTMX])
    def test_the_slower_cook_sees_the_board_and_why(
        self, kitchen, browser_of, daisy, order, headers
    ):
        self.advance(browser_of(daisy), order, "cooking")

        response = self.advance(kitchen, order, "cooking", **headers)

        assert response.status_code == 409
        assert "Daisy was faster" in response.content.decode()
        assert columns(response)["cooking"] == [order.pk]

    def test_a_full_oven_says_so(self, kitchen, order_of, peach):
        orders = [order_of(peach) for _ in range(6)]
        answers = [self.advance(kitchen, order, "cooking") for order in orders]

        assert [answer.status_code for answer in answers] == [*[303] * 5, 409]
        assert "All 5 places in the oven are taken" in answers[5].content.decode()

    @pytest.mark.parametrize("to", ["", "delivering", "cancelled", "pending", "x\x00"])
    def test_the_kitchen_only_starts_and_finishes(self, kitchen, order, to):
        response = self.advance(kitchen, order, to)

        assert response.status_code == 400
        assert "start an order or finish it" in response.content.decode()
        assert Order.objects.get().status == "confirmed"

    def test_an_order_cannot_skip_the_oven(self, kitchen, order):
        response = self.advance(kitchen, order, "ready")

        assert response.status_code == 409
        page = response.content.decode()
        assert f"Order {order.pk} is confirmed" in page

    @pytest.mark.parametrize("number", [999, 10**30])
    def test_an_unknown_order_is_not_found(self, kitchen, menu, number):
        response = kitchen.post(f"/kitchen/{number}/advance/", {"to": "cooking"})

        assert response.status_code == 404

    def test_a_link_moves_nothing(self, kitchen, order):
        response = kitchen.get(f"/kitchen/{order.pk}/advance/?to=cooking")

        assert response.status_code == 405
