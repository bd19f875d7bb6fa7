"""What a manager sees of all drivers."""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from pizzeria.delivery import services
from pizzeria.delivery.drivers import busy_share, drivers_now
from pizzeria.orders.models import Order
from pizzeria.orders.services import move_order
from pizzeria.orders.transitions import Status
from tests.pizzeria.conftest import FRIDAY_EVENING

MINUTE = timedelta(minutes=1)


@pytest.fixture
def ready_order(order_of, peach, luigi):
    def ready_order(now=FRIDAY_EVENING):
        order = order_of(peach, placed_at=now)
        for to in (Status.COOKING, Status.READY):
            move_order(order_id=order.pk, to=to, actor=luigi, now=now)
        return order

    return ready_order


class TestDriversNow:
    def test_names_who_is_on_tour_with_what_since_when(self, ready_order, yoshi):
        order = ready_order()
        left_at = FRIDAY_EVENING + 3 * MINUTE
        services.take(order_id=order.pk, driver=yoshi, now=left_at)

        (driver,) = drivers_now(now=FRIDAY_EVENING + 8 * MINUTE)["drivers"]

        assert (driver.name, driver.is_on_tour, driver.since) == (
            "Yoshi",
            True,
            left_at,
        )
        assert [(x.pk, x.age_minutes) for x in driver.stops] == [(order.pk, 5)]

    def test_says_that_a_stop_is_beyond_its_promise(self, ready_order, yoshi):
        order = ready_order()
        services.take(order_id=order.pk, driver=yoshi, now=FRIDAY_EVENING)
        Order.objects.update(promised_at=FRIDAY_EVENING + 30 * MINUTE)

        def is_late(minutes):
            now = FRIDAY_EVENING + minutes * MINUTE
            return drivers_now(now=now)["drivers"][0].stops[0].is_late

        assert [is_late(29), is_late(31)] == [False, True]

    def test_counts_the_day_of_each(self, ready_order, yoshi):
        for _ in range(2):
            order = ready_order()
            services.take(order_id=order.pk, driver=yoshi, now=FRIDAY_EVENING)
            at_the_door = FRIDAY_EVENING + 10 * MINUTE
            services.deliver(order_id=order.pk, driver=yoshi, now=at_the_door)

        def day_of(now):
            (driver,) = drivers_now(now=now)["drivers"]
            return driver.delivered_today, driver.average_minutes, driver.busy_share

        assert day_of(FRIDAY_EVENING + 40 * MINUTE) == (2, 10.0, 0.25)
        assert day_of(FRIDAY_EVENING + timedelta(days=1)) == (0, None, None)

    @pytest.mark.parametrize(
        ("minutes", "age"), [(9, "fresh"), (10, "waiting"), (15, "late")]
    )
    def test_marks_what_has_waited_for_ten_minutes(self, ready_order, minutes, age):
        ready_order()

        seen = drivers_now(now=FRIDAY_EVENING + minutes * MINUTE)

        assert [order.age for order in seen["ready"]] == [age]
        assert (seen["ready_count"], seen["longest_minutes"]) == (1, minutes)

    def test_asks_the_database_five_times(
        self, ready_order, yoshi, django_assert_max_num_queries
    ):
        for _ in range(4):
            ready_order()
        for order in Order.objects.all()[:2]:
            services.take(order_id=order.pk, driver=yoshi, now=FRIDAY_EVENING)

        with django_assert_max_num_queries(5):
            drivers_now(now=FRIDAY_EVENING)


@pytest.mark.parametrize(
    ("spans", "share"),
    [
        ([], None),
        ([(0, 60)], 1.0),
        ([(0, 15), (30, 45)], 0.5),
        # Two orders of one tour.
        ([(0, 15), (5, 30)], 0.5),
        ([(0, 30), (5, 10)], 0.5),
    ],
)
def test_orders_in_one_car_count_once(spans, share):
    begin = datetime(2026, 11, 20, 18, tzinfo=FRIDAY_EVENING.tzinfo)
    times = [(begin + a * MINUTE, begin + b * MINUTE) for a, b in spans]

    assert busy_share(times, until=begin + 60 * MINUTE) == share


def test_page_and_api_say_the_same(browser_of, api_of, daisy, yoshi, ready_order):
    now = timezone.now()
    waiting, taken = ready_order(now - 11 * MINUTE), ready_order(now - 11 * MINUTE)
    services.take(order_id=taken.pk, driver=yoshi, now=now)

    page = browser_of(daisy).get("/delivery/drivers/").content.decode()
    api = api_of(daisy).get("/api/delivery/drivers/").json()

    assert "Hurry, 11 min" in page
    assert "On tour since" in page
    assert [(x["id"], x["age"]) for x in api["ready"]] == [(waiting.pk, "waiting")]
    (driver,) = api["drivers"]
    assert (driver["name"], driver["is_on_tour"]) == ("Yoshi", True)
    assert [stop["id"] for stop in driver["stops"]] == [taken.pk]


@pytest.mark.parametrize("who", ["yoshi", "luigi", "peach"])
def test_is_for_managers(request, browser_of, api_of, who):
    person = request.getfixturevalue(who)

    assert browser_of(person).get("/delivery/drivers/").status_code == 403
    assert api_of(person).get("/api/delivery/drivers/").status_code == 403
