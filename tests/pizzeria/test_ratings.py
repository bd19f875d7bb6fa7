"""What customers think of their orders, and whom it is counted for."""

from datetime import timedelta

import pytest
from django.utils import timezone

from pizzeria.customers.knowledge import everything_about
from pizzeria.customers.services import erase_customer
from pizzeria.exceptions import RatingClosed, StatusConflict
from pizzeria.orders.models import Order
from pizzeria.orders.services import move_order
from pizzeria.orders.transitions import Status
from pizzeria.ratings.figures import ratings_between
from pizzeria.ratings.models import Rating
from pizzeria.ratings.services import rate_order
from tests.pizzeria.conftest import FRIDAY_EVENING

DAY = timedelta(days=1)


@pytest.fixture
def eaten(order_of, luigi, yoshi):
    """Make an order that was cooked by Luigi and brought by Yoshi."""

    def eaten(customer, now=FRIDAY_EVENING):
        order = order_of(customer, placed_at=now)
        for actor, to in (
            (luigi, Status.COOKING),
            (luigi, Status.READY),
            (yoshi, Status.DELIVERING),
            (yoshi, Status.DELIVERED),
        ):
            move_order(order_id=order.pk, to=to, actor=actor, now=now)
        return order

    return eaten


def rate(order, customer, stars=4, words="Crisp.", now=FRIDAY_EVENING):
    return rate_order(
        order_id=order.pk, customer=customer, stars=stars, words=words, now=now
    )


class TestRatingAnOrder:
    def test_can_be_thought_over_for_a_day_and_is_one(self, eaten, peach):
        order = eaten(peach)
        rate(order, peach)

        rate(order, peach, stars=2, words="Cold.", now=FRIDAY_EVENING + DAY)
        with pytest.raises(RatingClosed):
            rate(order, peach, stars=5, now=FRIDAY_EVENING + DAY * 1.01)

        rating = Rating.objects.get()
        assert (rating.stars, rating.words) == (2, "Cold.")
        assert rating.rated_at == FRIDAY_EVENING

    def test_is_for_what_was_delivered(self, order_of, peach):
        with pytest.raises(StatusConflict):
            rate(order_of(peach), peach)

    def test_is_its_customers(self, eaten, peach, daisy):
        with pytest.raises(Order.DoesNotExist):
            rate(eaten(peach), daisy)


class TestPage:
    def test_asks_and_then_shows_it(self, browser_of, eaten, peach):
        order, browser = eaten(peach, timezone.now()), browser_of(peach)
        page = f"/orders/{order.pk}/rate/"
        assert page in browser.get(f"/orders/{order.pk}/").content.decode()

        answer = browser.post(page, {"stars": "4", "words": "<b>Crisp</b>"})

        assert answer.status_code == 303
        shown = browser.get(f"/orders/{order.pk}/").content.decode()
        assert "4 of 5" in shown
        assert "&lt;b&gt;Crisp&lt;/b&gt;" in shown
        assert "<b>Crisp" not in shown

    @pytest.mark.parametrize(
        "said",
        [
            {},
            {"stars": "0"},
            {"stars": "6"},
            {"stars": "4.5"},
            {"stars": "4", "words": "x" * 501},
            {"stars": "4", "words": "a\0b"},
        ],
    )
    def test_refuses_what_is_no_rating(self, browser_of, api_of, eaten, peach, said):
        order = eaten(peach)

        page = browser_of(peach).post(f"/orders/{order.pk}/rate/", said)
        api = api_of(peach).put(f"/api/orders/{order.pk}/rating/", said, "json")

        assert (page.status_code, api.status_code) == (400, 400)
        assert not Rating.objects.exists()

    def test_says_so_when_it_is_too_late_or_too_soon(
        self, browser_of, eaten, order_of, peach
    ):
        browser, late, soon = browser_of(peach), eaten(peach), order_of(peach)
        rate(late, peach)

        for order, words in ((late, "more than a day ago"), (soon, "once you have it")):
            page = f"/orders/{order.pk}/rate/"
            answer = browser.post(page, {"stars": "1"})
            assert (answer.status_code, words in answer.content.decode()) == (409, True)
            assert browser.get(page).status_code == 200

    def test_of_somebody_else_is_not_there(
        self, browser_of, api_of, eaten, peach, toad
    ):
        order = eaten(peach)
        rate(order, peach)

        for answer in (
            browser_of(toad).post(f"/orders/{order.pk}/rate/", {"stars": "1"}),
            api_of(toad).get(f"/api/orders/{order.pk}/rating/"),
            api_of(toad).put(f"/api/orders/{order.pk}/rating/", {"stars": 1}, "json"),
        ):
            assert answer.status_code == 404


def test_the_api_keeps_it_and_tells_it(api_of, eaten, peach):
    order, api = eaten(peach), api_of(peach)
    address = f"/api/orders/{order.pk}/rating/"
    assert api.get(address).status_code == 404

    kept = api.put(address, {"stars": 5}, "json")

    assert kept.status_code == 200
    assert api.get(address).json() == kept.json()
    assert kept.json()["stars"] == 5


class TestFigures:
    def test_count_for_who_cooked_and_who_drove(self, eaten, peach, luigi, yoshi):
        for stars in (5, 2):
            rate(eaten(peach), peach, stars=stars)

        def figures(begins_at):
            rated = ratings_between(begins_at, begins_at + DAY)
            people = (rated.cooks[str(luigi.pk)], rated.drivers[str(yoshi.pk)])
            return [(one.count, one.average) for one in (rated.total, *people)]

        assert figures(FRIDAY_EVENING) == [(2, 3.5)] * 3
        assert figures(FRIDAY_EVENING - DAY) == [(0, None)] * 3

    def test_managers_see_them_on_page_and_api(
        self, browser_of, api_of, eaten, peach, daisy
    ):
        now = timezone.now()
        rate(eaten(peach, now), peach, words="Crisp & hot", now=now)

        page = browser_of(daisy).get("/management/operations/?period=week")
        api = api_of(daisy).get("/api/management/operations/?period=week").json()

        assert page.content.decode().count("4.0 (1)") == 5
        assert "Crisp &amp; hot" in page.content.decode()
        rated = {"count": 1, "average": 4.0}
        assert [api["rated"], api["cooks"][0]["rated"], api["drivers"][0]["rated"]] == [
            rated
        ] * 3
        assert [one["words"] for one in api["said"]] == ["Crisp & hot"]


def test_is_exported_and_then_forgotten(eaten, peach):
    rate(eaten(peach), peach)

    (order,) = everything_about(peach, now=FRIDAY_EVENING)["orders"]
    erase_customer(user=peach)

    assert (order["rating"]["stars"], order["rating"]["words"]) == (4, "Crisp.")
    assert not Rating.objects.exists()
