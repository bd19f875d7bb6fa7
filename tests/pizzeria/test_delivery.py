from datetime import timedelta

import pytest

from pizzeria.customers.knowledge import everything_about
from pizzeria.customers.services import erase_customer
from pizzeria.delivery import services
from pizzeria.delivery.board import board, tour_of
from pizzeria.events.models import OutboxEvent
from pizzeria.notifications.models import Notification
from pizzeria.orders.models import Order
from pizzeria.orders.services import move_order
from pizzeria.orders.transitions import Status
from tests.pizzeria.conftest import FRIDAY_EVENING, _person


@pytest.fixture
def birdo(db):
    """Drives, too."""
    return _person("birdo", "Birdo", "delivery_driver")


@pytest.fixture
def ready_order(order_of, peach, luigi):
    def ready_order():
        order = order_of(peach)
        for to in (Status.COOKING, Status.READY):
            move_order(order_id=order.pk, to=to, actor=luigi, now=FRIDAY_EVENING)
        return order

    return ready_order


@pytest.fixture
def car(browser_of, yoshi):
    """Yoshi's phone."""
    return browser_of(yoshi)


def stops(driver):
    return [order.pk for order in tour_of(driver)]


class TestTour:
    def test_a_driver_takes_delivers_and_brings_back(self, car, ready_order, yoshi):
        first, second = ready_order(), ready_order()
        for order in (first, second):
            assert car.post(f"/delivery/{order.pk}/take/").status_code == 303
        assert stops(yoshi) == [first.pk, second.pk]

        car.post(f"/delivery/{first.pk}/deliver/")
        car.post(f"/delivery/{second.pk}/return/", {"reason": "Nobody at home"})

        first.refresh_from_db()
        second.refresh_from_db()
        assert (first.status, first.delivered_by) == ("delivered", yoshi)
        assert (second.status, second.driver) == ("ready", None)
        assert second.return_reason == "Nobody at home"
        assert stops(yoshi) == []

    def test_the_order_of_stops_is_the_drivers(self, car, ready_order, yoshi):
        orders = [ready_order() for _ in range(3)]
        for order in orders:
            car.post(f"/delivery/{order.pk}/take/")
        first, second, third = (order.pk for order in orders)

        car.post(f"/delivery/{third}/move/", {"by": "-1"})
        assert stops(yoshi) == [first, third, second]
        car.post(f"/delivery/{first}/move/", {"by": "1"})
        assert stops(yoshi) == [third, first, second]
        car.post(f"/delivery/{third}/move/", {"by": "-1"})
        assert stops(yoshi) == [third, first, second]

    @pytest.mark.parametrize("by", ["", "2", "up", "-1.0"])
    def test_a_stop_moves_by_one(self, car, ready_order, by):
        order = ready_order()
        car.post(f"/delivery/{order.pk}/take/")

        assert car.post(f"/delivery/{order.pk}/move/", {"by": by}).status_code == 400

    def test_has_room_for_so_many(self, car, ready_order, yoshi, monkeypatch):
        monkeypatch.setattr(services, "MAX_STOPS", 1)
        car.post(f"/delivery/{ready_order().pk}/take/")
        second = ready_order()

        answer = car.post(f"/delivery/{second.pk}/take/")

        assert answer.status_code == 409
        second.refresh_from_db()
        assert (second.status, second.driver) == ("ready", None)

    def test_shows_how_to_get_there_and_what_to_collect(self, car, ready_order):
        car.post(f"/delivery/{ready_order().pk}/take/")

        page = car.get("/delivery/").content.decode()

        assert 'href="tel:+12025550143"' in page
        assert 'href="geo:0,0?q=1%20Castle%20Road%2C%20Toadstool"' in page
        assert "Collect $16.89" in page

    def test_a_long_reason_is_refused(self, car, ready_order):
        order = ready_order()
        car.post(f"/delivery/{order.pk}/take/")

        answer = car.post(f"/delivery/{order.pk}/return/", {"reason": "x" * 201})

        assert answer.status_code == 400
        order.refresh_from_db()
        assert order.status == "delivering"


class TestOnlyOnesOwn:
    @pytest.fixture
    def taken(self, car, ready_order):
        order = ready_order()
        car.post(f"/delivery/{order.pk}/take/")
        return order

    @pytest.mark.parametrize(
        ("what", "data"),
        [("deliver", {}), ("return", {"reason": "x"}), ("move", {"by": "1"})],
    )
    def test_anothers_order_is_not_there(self, browser_of, birdo, taken, what, data):
        answer = browser_of(birdo).post(f"/delivery/{taken.pk}/{what}/", data)

        assert answer.status_code == 404
        assert Order.objects.get().status == "delivering"

    def test_nor_is_it_for_the_api(self, api_of, birdo, taken):
        answer = api_of(birdo).post(f"/api/delivery/{taken.pk}/deliver/")

        assert answer.status_code == 404

    def test_a_manager_steps_in(self, browser_of, daisy, taken):
        browser_of(daisy).post(f"/delivery/{taken.pk}/deliver/")

        assert Order.objects.get().status == "delivered"

    def test_the_second_driver_is_told_who_has_it(self, browser_of, birdo, taken):
        answer = browser_of(birdo).post(f"/delivery/{taken.pk}/take/")

        assert answer.status_code == 409
        assert "Yoshi was faster" in answer.content.decode()

    @pytest.mark.parametrize("who", ["peach", "luigi"])
    def test_others_stay_out(self, request, browser_of, taken, who):
        visitor = browser_of(request.getfixturevalue(who))

        assert visitor.get("/delivery/").status_code == 403

    def test_what_was_handed_over_is_not_handed_over_again(self, car, taken):
        car.post(f"/delivery/{taken.pk}/deliver/")

        assert car.post(f"/delivery/{taken.pk}/deliver/").status_code == 409


class TestBoard:
    def test_waiting_counts_from_when_it_was_ready(self, ready_order, yoshi):
        ready_order()

        (order,) = board(driver=yoshi, now=FRIDAY_EVENING + timedelta(minutes=15))[
            "ready"
        ]

        assert (order.age_minutes, order.age) == (15, "late")

    def test_a_pickup_is_no_drivers(self, ready_order, yoshi, car):
        order = ready_order()
        Order.objects.update(fulfilment="pickup")

        assert board(driver=yoshi, now=FRIDAY_EVENING)["ready"] == []
        assert car.post(f"/delivery/{order.pk}/take/").status_code == 409

    def test_asks_the_database_a_bounded_number_of_times(
        self, ready_order, yoshi, django_assert_max_num_queries
    ):
        for _ in range(6):
            ready_order()
        for order in Order.objects.all()[:3]:
            services.take(order_id=order.pk, driver=yoshi, now=FRIDAY_EVENING)

        with django_assert_max_num_queries(5):
            board(driver=yoshi, now=FRIDAY_EVENING)


class TestApi:
    def test_does_all_that_the_board_does(self, api_of, yoshi, ready_order):
        api = api_of(yoshi)
        first, second = ready_order(), ready_order()

        assert [x["id"] for x in api.get("/api/delivery/ready/").json()["results"]] == [
            first.pk,
            second.pk,
        ]
        for order in (first, second):
            api.post(f"/api/delivery/{order.pk}/take/")
        api.post(f"/api/delivery/{second.pk}/move/", {"by": -1}, format="json")
        tour = [x["id"] for x in api.get("/api/delivery/tour/").json()["results"]]
        delivered = api.post(f"/api/delivery/{second.pk}/deliver/")
        returned = api.post(
            f"/api/delivery/{first.pk}/return/", {"reason": "Flood"}, format="json"
        )

        assert tour == [second.pk, first.pk]
        assert delivered.json()["status"] == "delivered"
        assert returned.json()["status"] == "ready"

    def test_half_a_character_is_refused_and_not_repeated(self, api_of, yoshi):
        answer = api_of(yoshi).post(
            "/api/delivery/1/move/",
            data='{"by": "\\ud800"}',
            content_type="application/json",
        )

        assert answer.status_code == 400
        assert answer.json()["extra"].keys() == {"by"}

    def test_an_order_that_is_not_ready_is_a_conflict(
        self, api_of, yoshi, order_of, peach
    ):
        answer = api_of(yoshi).post(f"/api/delivery/{order_of(peach).pk}/take/")

        assert answer.status_code == 409
        assert answer.json()["extra"]["status"] == "confirmed"


class TestHandOver:
    """How an order was handed over, as far as its driver says it."""

    @pytest.fixture
    def taken(self, car, ready_order):
        order = ready_order()
        car.post(f"/delivery/{order.pk}/take/")
        return order

    def test_is_shown_to_the_customer_and_told(
        self, car, taken, browser_of, peach, settings
    ):
        settings.EVENT_SINK = "https://sink.example"
        said = {"handed_to": "neighbour", "note": "Mr Koopa, 2nd floor"}

        car.post(f"/delivery/{taken.pk}/deliver/", said)

        shown = browser_of(peach).get(f"/orders/{taken.pk}/").content.decode()
        assert "To a neighbour: Mr Koopa, 2nd floor" in shown
        told = Notification.objects.of(peach).filter(kind="order_delivered").get()
        assert told.message.startswith("To a neighbour: Mr Koopa, 2nd floor.")
        event = OutboxEvent.objects.get(type__endswith="order.delivered.v1")
        assert (event.data["handed_to"], event.data["note"]) == tuple(said.values())

    def test_need_not_be_said(self, car, taken):
        car.post(f"/delivery/{taken.pk}/deliver/")

        taken.refresh_from_db()
        assert (taken.status, taken.handed_to, taken.delivery_note) == (
            "delivered",
            "",
            "",
        )

    @pytest.mark.parametrize(
        "said",
        [{"handed_to": "dog"}, {"note": "x" * 201}, {"note": "a\0b"}],
    )
    def test_is_one_of_three_with_a_few_words(self, car, api_of, yoshi, taken, said):
        page = car.post(f"/delivery/{taken.pk}/deliver/", said)
        api = api_of(yoshi).post(f"/api/delivery/{taken.pk}/deliver/", said, "json")

        assert (page.status_code, api.status_code) == (400, 400)
        taken.refresh_from_db()
        assert taken.status == "delivering"

    def test_goes_with_the_undo(self, api_of, yoshi, taken):
        api = api_of(yoshi)
        said = {"handed_to": "door", "note": "Behind the flowers"}
        delivered = api.post(f"/api/delivery/{taken.pk}/deliver/", said, "json").json()
        assert (delivered["handed_to"], delivered["delivery_note"]) == (
            "door",
            "Behind the flowers",
        )

        undone = api.post(f"/api/delivery/{taken.pk}/undo/").json()

        assert (undone["handed_to"], undone["delivery_note"]) == ("", "")

    def test_its_words_are_exported_and_then_forgotten(self, car, taken, peach):
        car.post(
            f"/delivery/{taken.pk}/deliver/", {"handed_to": "door", "note": "Porch"}
        )
        Order.objects.update(delivered_at=FRIDAY_EVENING)

        (order,) = everything_about(peach, now=FRIDAY_EVENING)["orders"]
        erase_customer(user=peach)

        assert (order["handed_to"], order["delivery_note"]) == ("door", "Porch")
        assert Order.objects.get().delivery_note == ""


class TestBatch:
    """What goes to one postcode is shown together, and taken at once."""

    @pytest.fixture
    def ready_at(self, ready_order):
        def ready_at(postcode, minutes):
            order = ready_order()
            since = FRIDAY_EVENING + timedelta(minutes=minutes)
            address = f"1 Castle Road, {postcode} Toadstool"
            Order.objects.filter(pk=order.pk).update(
                customer_address=address, ready_at=since
            )
            return order.pk

        return ready_at

    def test_neighbours_stand_together_and_the_longest_wait_first(
        self, ready_at, yoshi
    ):
        first, other = ready_at("10115", 0), ready_at("10243", 1)
        nowhere, neighbour = ready_at("", 2), ready_at("10115", 3)

        shown = board(driver=yoshi, now=FRIDAY_EVENING)["ready"]

        assert [x.pk for x in shown] == [first, neighbour, other, nowhere]
        assert [[x.pk for x in one.batch] for one in shown] == [
            [first, neighbour],
            [],
            [],
            [],
        ]

    def test_what_is_on_the_drivers_way_comes_before_all_others(self, ready_at, yoshi):
        on_tour = ready_at("10243", 0)
        services.take(order_id=on_tour, driver=yoshi, now=FRIDAY_EVENING)
        far, near = ready_at("10115", 1), ready_at("10243", 2)

        shown = board(driver=yoshi, now=FRIDAY_EVENING)["ready"]

        assert [(x.pk, x.is_on_the_way) for x in shown] == [(near, True), (far, False)]

    def test_the_page_takes_them_all_with_one_button(self, car, ready_at, yoshi):
        later, sooner = ready_at("10115", 5), ready_at("10115", 0)
        assert "Take all 2 to 10115" in car.get("/delivery/").content.decode()

        answer = car.post("/delivery/take/", {"orders": [later, sooner]})

        assert answer.status_code == 303
        assert stops(yoshi) == [sooner, later]

    def test_is_all_or_nothing(self, car, api_of, ready_at, yoshi, birdo):
        mine, gone = ready_at("10115", 0), ready_at("10115", 1)
        services.take(order_id=gone, driver=birdo, now=FRIDAY_EVENING)
        both = {"orders": [mine, gone]}

        page = car.post("/delivery/take/", both)
        api = api_of(yoshi).post("/api/delivery/take/", both, "json")

        assert (page.status_code, api.status_code) == (409, 409)
        assert "Birdo was faster" in page.content.decode()
        assert api.json()["extra"]["order"] == gone
        assert stops(yoshi) == []

    def test_stops_where_the_car_is_full(self, car, ready_at, yoshi, monkeypatch):
        monkeypatch.setattr(services, "MAX_STOPS", 1)
        orders = [ready_at("10115", 0), ready_at("10115", 1)]

        assert car.post("/delivery/take/", {"orders": orders}).status_code == 409
        assert stops(yoshi) == []

    @pytest.mark.parametrize("orders", [[], ["x"], ["-1"], ["9" * 30], ["0"]])
    def test_bad_numbers_are_refused(self, car, api_of, yoshi, orders):
        assert car.post("/delivery/take/", {"orders": orders}).status_code == 400
        api = api_of(yoshi).post("/api/delivery/take/", {"orders": orders}, "json")
        assert api.status_code == 400

    def test_the_api_takes_them_and_names_their_postcode(self, api_of, ready_at, yoshi):
        api = api_of(yoshi)
        orders = [ready_at("10115", 0), ready_at("10115", 1)]
        ready = api.get("/api/delivery/ready/").json()["results"]
        assert [one["postcode"] for one in ready] == ["10115", "10115"]

        taken = api.post("/api/delivery/take/", {"orders": orders}, "json").json()

        assert [(x["id"], x["status"]) for x in taken] == [
            (pk, "delivering") for pk in orders
        ]
        missing = api.post("/api/delivery/take/", {"orders": [999_999]}, "json")
        assert missing.status_code == 404
