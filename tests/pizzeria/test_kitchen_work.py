"""What cooks and managers do beside bringing orders on: ticks, undo, places, notes."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from pizzeria.events.models import OutboxEvent
from pizzeria.kitchen.board import all_day, board
from pizzeria.kitchen.models import Kitchen
from pizzeria.menu.models import Pizza
from pizzeria.menu.pricing import Size
from pizzeria.orders.models import Order
from pizzeria.orders.services import move_order, place_order
from pizzeria.orders.transitions import Status
from tests.pizzeria.conftest import CONTACT, FRIDAY_EVENING, cart_line

HTMX = {"HX-Request": "true"}


@pytest.fixture
def kitchen(browser_of, luigi):
    """Luigi's screen."""
    return browser_of(luigi)


@pytest.fixture
def two_pizzas(peach, margherita, hawaiian):
    """An order of three pizzas on two lines."""
    return place_order(
        customer=peach,
        lines=[
            cart_line(margherita, "one", quantity=2),
            cart_line(hawaiian, "two", Size.LARGE),
        ],
        contact=CONTACT,
        placed_at=FRIDAY_EVENING,
    )


def move(order, actor, *stages):
    for stage in stages:
        move_order(order_id=order.pk, to=stage, actor=actor, now=FRIDAY_EVENING)


def tick(client, order, line, is_ticked=True):
    data = {"is_ticked": "on"} if is_ticked else {}
    return client.post(f"/kitchen/{order.pk}/lines/{line.pk}/tick/", data)


class TestStations:
    @pytest.fixture
    def meat(self, peach, menu, margherita):
        """An order for two stations."""
        pizza = Pizza.objects.filter(category="meat").earliest("pk")
        lines = [cart_line(pizza, "a", quantity=2), cart_line(margherita, "b")]
        return place_order(
            customer=peach, lines=lines, contact=CONTACT, placed_at=FRIDAY_EVENING
        )

    def test_see_their_part_of_an_order(self, kitchen, meat, order_of, toad):
        order_of(toad)

        page = kitchen.get("/kitchen/?station=meat").text

        tickets = re.findall(r'data-ticket="(\d+)"', page)
        assert tickets == [str(meat.pk)]
        assert "× Margherita" not in page
        assert "and 1 more pizza elsewhere" in page
        assert all_day("meat")[0]["count"] == 2

    @pytest.mark.parametrize("station", ["", "?station=", "?station=%00", "?station=x"])
    def test_are_one_view_beside_whole_orders(self, kitchen, meat, station):
        page = kitchen.get(f"/kitchen/{station}").text

        assert "× Margherita" in page
        assert "elsewhere" not in page

    def test_stay_where_they_are_after_a_step(self, kitchen, meat):
        path = f"/kitchen/{meat.pk}/advance/?station=meat"
        page = kitchen.get("/kitchen/?station=meat").text
        assert f'action="{path}"' in page
        assert 'hx-get="/kitchen/?station=meat"' in page

        answer = kitchen.post(path, {"to": "cooking"})

        assert answer["location"] == "/kitchen/?station=meat"

    def test_cost_as_many_queries_as_whole_orders(
        self, meat, django_assert_num_queries
    ):
        with django_assert_num_queries(9):
            board(now=FRIDAY_EVENING)
        with django_assert_num_queries(9):
            board(now=FRIDAY_EVENING, station="meat")

    def test_are_asked_for_in_the_api(self, api_of, luigi, meat, order_of, toad):
        other = order_of(toad)
        api = api_of(luigi)

        def numbers(query):
            answer = api.get(f"/api/kitchen/orders/{query}").json()
            return {order["id"] for order in answer["results"]}

        assert numbers("") == {meat.pk, other.pk}
        assert numbers("?station=meat") == {meat.pk}
        assert api.get("/api/kitchen/orders/?station=x").status_code == 400


class TestTicks:
    def test_the_last_tick_makes_the_order_ready(self, kitchen, two_pizzas, luigi):
        move(two_pizzas, luigi, Status.COOKING)
        first, last = two_pizzas.lines.all()

        tick(kitchen, two_pizzas, first)
        assert Order.objects.get().status == "cooking"
        tick(kitchen, two_pizzas, last)

        assert Order.objects.get().status == "ready"
        assert Order.objects.get().readied_by == luigi

    def test_a_tick_can_be_taken_back(self, kitchen, two_pizzas, luigi):
        move(two_pizzas, luigi, Status.COOKING)
        line = two_pizzas.lines.first()

        tick(kitchen, two_pizzas, line)
        tick(kitchen, two_pizzas, line, is_ticked=False)

        line.refresh_from_db()
        assert line.ticked_at is None

    def test_twice_is_once(self, kitchen, two_pizzas, luigi):
        move(two_pizzas, luigi, Status.COOKING)
        line = two_pizzas.lines.first()

        tick(kitchen, two_pizzas, line)
        tick(kitchen, two_pizzas, line)

        ticked = OutboxEvent.objects.filter(type__endswith="kitchen.line.ticked.v1")
        assert ticked.count() == 1

    def test_only_what_is_in_the_oven_is_ticked(self, kitchen, two_pizzas):
        answer = tick(kitchen, two_pizzas, two_pizzas.lines.first())

        assert answer.status_code == 409
        assert "only what is in the oven" in answer.content.decode()

    def test_a_line_of_another_order_is_not_there(
        self, kitchen, two_pizzas, order_of, peach, luigi
    ):
        other = order_of(peach, line_id="other")
        move(two_pizzas, luigi, Status.COOKING)

        assert tick(kitchen, two_pizzas, other.lines.first()).status_code == 404

    def test_whoever_does_not_cook_ticks_nothing(self, browser_of, two_pizzas, yoshi):
        line = two_pizzas.lines.first()

        assert tick(browser_of(yoshi), two_pizzas, line).status_code == 403

    def test_an_order_that_comes_back_begins_anew(self, kitchen, two_pizzas, luigi):
        move(two_pizzas, luigi, Status.COOKING)
        for line in two_pizzas.lines.all():
            tick(kitchen, two_pizzas, line)

        move(two_pizzas, luigi, Status.COOKING)

        assert not two_pizzas.lines.exclude(ticked_at=None).exists()

    def test_counts_what_is_still_to_make_over_all_orders(
        self, kitchen, two_pizzas, order_of, peach, luigi
    ):
        order_of(peach, line_id="other")
        move(two_pizzas, luigi, Status.COOKING)
        assert all_day() == [
            {"name": "Margherita", "count": 3},
            {"name": "Hawaiian", "count": 1},
        ]

        tick(kitchen, two_pizzas, two_pizzas.lines.first())

        assert all_day() == [
            {"name": "Hawaiian", "count": 1},
            {"name": "Margherita", "count": 1},
        ]


class TestUndo:
    def advance(self, client, order, to, seen=""):
        return client.post(
            f"/kitchen/{order.pk}/advance/", {"to": to, "seen": seen}, headers=HTMX
        )

    def test_takes_the_last_step_back(self, kitchen, order_of, peach, luigi):
        order = order_of(peach)
        move(order, luigi, Status.COOKING, Status.READY)

        self.advance(kitchen, order, "cooking", seen="ready")
        assert Order.objects.get().status == "cooking"
        self.advance(kitchen, order, "confirmed", seen="cooking")

        order = Order.objects.get()
        assert order.status == "confirmed"
        assert (order.cooking_at, order.cooked_by, order.ready_at) == (None,) * 3

    def test_an_old_page_does_not_undo_what_somebody_else_did(
        self, kitchen, order_of, peach, luigi
    ):
        """Its "into the oven" would be a recall by now."""
        order = order_of(peach)
        move(order, luigi, Status.COOKING, Status.READY)

        answer = self.advance(kitchen, order, "cooking", seen="confirmed")

        assert answer.status_code == 409
        assert f"Order {order.pk} is ready" in answer.content.decode()
        assert Order.objects.get().status == "ready"

    def test_a_recall_needs_a_place_in_the_oven(self, kitchen, order_of, peach, luigi):
        order = order_of(peach)
        move(order, luigi, Status.COOKING, Status.READY)
        for _ in range(5):
            move(order_of(peach), luigi, Status.COOKING)

        answer = self.advance(kitchen, order, "cooking", seen="ready")

        assert answer.status_code == 409
        assert "All 5 places" in answer.content.decode()

    def test_the_second_cook_is_told_who_was_faster(
        self, kitchen, browser_of, order_of, peach, daisy
    ):
        order = order_of(peach)
        move(order, daisy, Status.COOKING)

        answer = self.advance(kitchen, order, "cooking", seen="confirmed")

        assert answer.status_code == 409
        assert "Daisy was faster" in answer.content.decode()


class TestCapacity:
    def test_a_manager_changes_it_for_everybody(
        self, browser_of, kitchen, order_of, peach, daisy
    ):
        browser_of(daisy).post("/kitchen/capacity/", {"capacity": "1"})
        first, second = order_of(peach), order_of(peach)

        answers = [
            kitchen.post(f"/kitchen/{order.pk}/advance/", {"to": "cooking"})
            for order in (first, second)
        ]

        assert [answer.status_code for answer in answers] == [303, 409]
        event = OutboxEvent.objects.get(type__contains="kitchen.capacity")
        assert event.data["old_capacity"] == 5
        assert event.data["new_capacity"] == 1

    def test_a_cook_does_not(self, kitchen):
        answer = kitchen.post("/kitchen/capacity/", {"capacity": "50"})

        assert answer.status_code == 403
        assert Kitchen.the_one().capacity == 5

    @pytest.mark.parametrize("wrong", ["0", "-1", "101", "many", "", "5.5", "9" * 40])
    def test_what_is_no_number_of_places_is_refused(self, browser_of, daisy, wrong):
        answer = browser_of(daisy).post("/kitchen/capacity/", {"capacity": wrong})

        assert answer.status_code == 400
        assert Kitchen.the_one().capacity == 5

    def test_what_is_in_the_oven_stays_there(
        self, browser_of, order_of, peach, luigi, daisy
    ):
        for _ in range(3):
            move(order_of(peach), luigi, Status.COOKING)

        browser_of(daisy).post("/kitchen/capacity/", {"capacity": "2"})

        assert Order.objects.cooking().count() == 3


class TestCancelled:
    @pytest.fixture
    def cancelled(self, order_of, peach, daisy):
        order = order_of(peach)
        move_order(
            order_id=order.pk,
            to=Status.CANCELLED,
            actor=daisy,
            now=timezone.now(),
            reason="No more dough",
        )
        return order

    def test_stays_on_the_board_until_it_was_seen(self, kitchen, cancelled):
        assert "No more dough" in kitchen.get("/kitchen/").content.decode()

        kitchen.post(f"/kitchen/{cancelled.pk}/seen/")

        assert "No more dough" not in kitchen.get("/kitchen/").content.decode()
        assert Order.objects.get().cancelled_seen_at is not None

    def test_leaves_by_itself_when_the_shift_is_over(self, cancelled):
        now = timezone.now()

        assert board(now=now)["cancelled"] == [cancelled]
        assert board(now=now + timedelta(hours=13))["cancelled"] == []

    def test_what_was_not_cancelled_is_not_seen(self, kitchen, order_of, peach):
        order = order_of(peach)

        assert kitchen.post(f"/kitchen/{order.pk}/seen/").status_code == 409


class TestAges:
    @pytest.mark.parametrize(
        ("minutes", "age"), [(0, "fresh"), (7, "fresh"), (8, "waiting"), (12, "late")]
    )
    def test_have_two_thresholds(self, order_of, peach, minutes, age):
        order_of(peach)

        shown = board(now=FRIDAY_EVENING + timedelta(minutes=minutes, seconds=30))

        assert shown["columns"][0]["orders"][0].age == age

    def test_which_are_settings(self, order_of, peach, settings):
        settings.KITCHEN_WAITING_MINUTES = 1
        order_of(peach)

        shown = board(now=FRIDAY_EVENING + timedelta(minutes=2))

        assert shown["columns"][0]["orders"][0].age == "waiting"


class TestApi:
    def test_does_all_that_the_board_does(self, api_of, luigi, daisy, two_pizzas):
        cook, manager = api_of(luigi), api_of(daisy)
        first, last = two_pizzas.lines.all()
        base = f"/api/kitchen/orders/{two_pizzas.pk}"

        assert manager.put(
            "/api/kitchen/capacity/", {"capacity": 3}, format="json"
        ).json() == {"capacity": 3}
        cook.post(
            f"{base}/status/", {"status": "cooking", "seen": "confirmed"}, format="json"
        )
        busy = cook.get("/api/kitchen/").json()
        cook.post(f"{base}/lines/{first.pk}/tick/", {"is_ticked": True}, format="json")
        ready = cook.post(
            f"{base}/lines/{last.pk}/tick/", {"is_ticked": True}, format="json"
        )

        assert busy == {
            "capacity": 3,
            "total_pending": 0,
            "total_cooking": 1,
            "total_ready": 0,
            "average_wait_minutes": None,
            "to_make": [
                {"name": "Margherita", "count": 2},
                {"name": "Hawaiian", "count": 1},
            ],
        }
        assert ready.json()["status"] == "ready"

    def test_an_outdated_step_is_a_conflict_with_the_state(
        self, api_of, luigi, two_pizzas
    ):
        move(two_pizzas, luigi, Status.COOKING, Status.READY)

        answer = api_of(luigi).post(
            f"/api/kitchen/orders/{two_pizzas.pk}/status/",
            {"status": "cooking", "seen": "confirmed"},
            format="json",
        )

        assert answer.status_code == 409
        assert answer.json()["extra"]["status"] == "ready"


def test_the_kitchen_says_how_long_the_last_orders_took(api_of, order_of, peach, luigi):
    for number, minutes in enumerate((10, 20, 33)):
        order = order_of(peach, line_id=f"measured-{number}")
        Order.objects.filter(pk=order.pk).update(
            status=Status.DELIVERED,
            ready_at=order.placed_at + timedelta(minutes=minutes),
        )
    order_of(peach)

    assert api_of(luigi).get("/api/kitchen/").json()["average_wait_minutes"] == 21.0
