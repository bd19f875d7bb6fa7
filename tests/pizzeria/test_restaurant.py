"""Opening hours, the minimum of a delivery, and where drivers go."""

import json
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management import call_command
from hypothesis import given
from hypothesis import strategies as st

from pizzeria.cart.cart import Cart
from pizzeria.events.models import OutboxEvent
from pizzeria.exceptions import BelowMinimum, Closed, DeliveryTooFar
from pizzeria.orders.contact import Contact, PaymentMethod
from pizzeria.orders.models import Order
from pizzeria.orders.services import complete_pickups, move_order, place_order
from pizzeria.orders.transitions import Fulfilment, Status
from pizzeria.restaurant.area import covers, postcode_of, read_prefixes
from pizzeria.restaurant.hours import (
    Period,
    Weekday,
    check_overlaps,
    opening_at,
    read_day,
)
from pizzeria.restaurant.models import Restaurant, stored
from pizzeria.restaurant.services import change_rules
from tests.pizzeria.conftest import CHECKOUT, CONTACT, FRIDAY_EVENING, cart_line

# In Rome it is 20:30.
FRIDAY, SATURDAY = Weekday.FRIDAY, Weekday.SATURDAY
PICKUP = Contact(
    customer_phone="+12025550143",
    payment_method=PaymentMethod.CASH,
    fulfilment=Fulfilment.PICKUP,
)
# No hour of any day.
NEVER_NOW = ["00:00-00:01"]


def period(day, opens, closes):
    return Period(day, time.fromisoformat(opens), time.fromisoformat(closes))


def rome(text):
    """A moment of the week of FRIDAY_EVENING, from the clock in Rome (UTC+1)."""
    return datetime.fromisoformat(f"{text}+01:00")


@pytest.fixture
def rules(daisy):
    """Set rules as a manager does."""

    def rules(**fields):
        return change_rules(fields=fields, actor=daisy, now=FRIDAY_EVENING)

    return rules


@pytest.fixture
def closed_now(rules):
    """Closed at whatever moment the test runs."""
    now = datetime.now(UTC)
    in_three_days = list(Weekday)[(now + timedelta(days=3)).weekday()]
    return rules(hours=stored([period(in_three_days, "17:00", "18:00")]))


class TestHours:
    def test_none_are_always(self):
        assert opening_at([], FRIDAY_EVENING).is_open
        assert opening_at([], FRIDAY_EVENING).words == "Open"

    @pytest.mark.parametrize(
        ("moment", "words"),
        [
            ("2026-11-20T16:59:59", "Closed; opens at 17:00"),
            ("2026-11-20T17:00:00", "Open until 02:00"),
            ("2026-11-20T23:59:59", "Open until 02:00"),
            ("2026-11-21T01:59:59", "Open until 02:00"),
            ("2026-11-21T02:00:00", "Closed; opens Friday 17:00"),
            ("2026-11-26T12:00:00", "Closed; opens Friday 17:00"),
        ],
    )
    def test_may_pass_midnight(self, moment, words):
        periods = [period(FRIDAY, "17:00", "02:00")]

        assert opening_at(periods, rome(moment)).words == words

    def test_that_touch_are_one(self):
        periods = [
            period(FRIDAY, "17:00", "00:00"),
            period(SATURDAY, "00:00", "03:00"),
        ]

        assert opening_at(periods, FRIDAY_EVENING).words == "Open until 03:00"

    def test_of_every_whole_day_have_no_end(self):
        periods = [period(day, "00:00", "00:00") for day in Weekday]

        assert opening_at(periods, FRIDAY_EVENING).words == "Open"

    def test_follow_the_clock_on_the_wall_when_it_goes_back(self):
        # Italy, 25 October 2026: 03:00 summer time is 02:00 winter time.
        periods = [period(SATURDAY, "20:00", "04:00")]
        before_four = datetime(2026, 10, 25, 2, 59, tzinfo=UTC)

        assert opening_at(periods, before_four).is_open
        assert not opening_at(periods, before_four + timedelta(minutes=1)).is_open

    @given(
        day=st.sampled_from(list(Weekday)),
        opens=st.times().map(lambda at: at.replace(second=0, microsecond=0)),
        closes=st.times().map(lambda at: at.replace(second=0, microsecond=0)),
        minutes=st.integers(0, 60 * 24 * 400),
    )
    def test_always_know_what_comes_next(self, day, opens, closes, minutes):
        moment = FRIDAY_EVENING + timedelta(minutes=minutes)

        found = opening_at([Period(day, opens, closes)], moment)

        assert found.changes_at is not None
        assert found.changes_at > moment
        after = opening_at([Period(day, opens, closes)], found.changes_at)
        assert after.is_open is not found.is_open

    def test_are_read_as_people_write_them(self):
        found = read_day(FRIDAY, "11:30-14:30, 17.00 – 24:00")

        assert [str(one) for one in found] == ["11:30–14:30", "17:00–00:00"]

    @pytest.mark.parametrize(
        "text", ["17-23", "25:00-26:00", "17:00", "evening", "17:60-18:00", "1" * 99]
    )
    def test_that_are_none_are_refused(self, text):
        with pytest.raises(ValidationError):
            read_day(FRIDAY, text)

    @pytest.mark.parametrize(
        "overlapping",
        [
            [(FRIDAY, "11:00", "15:00"), (FRIDAY, "14:00", "20:00")],
            [(FRIDAY, "11:00", "15:00"), (FRIDAY, "11:00", "15:00")],
            [(FRIDAY, "17:00", "03:00"), (SATURDAY, "02:00", "20:00")],
            [(Weekday.SUNDAY, "17:00", "03:00"), (Weekday.MONDAY, "02:00", "20:00")],
        ],
    )
    def test_that_overlap_are_refused(self, overlapping):
        with pytest.raises(ValidationError):
            check_overlaps([period(*one) for one in overlapping])

    def test_that_touch_are_no_overlap(self):
        check_overlaps([period(day, "00:00", "00:00") for day in Weekday])
        check_overlaps([])


class TestArea:
    @pytest.mark.parametrize(
        ("address", "postcode"),
        [
            ("Via Appia 12, 00184 Roma", "00184"),
            ("10115 Berlin, Musterstr. 12", "10115"),
            ("12345 Main St, Seattle WA 98101-1234", "981011234"),
            ("10 Downing Street, London sw1a 2aa", "SW1A2AA"),
            ("Ottawa K1A 0B1", "K1A0B1"),
            ("1 Castle Road, Toadstool", None),
        ],
    )
    def test_a_postcode_is_found_in_an_address(self, address, postcode):
        assert postcode_of(address) == postcode

    def test_prefixes_are_read_as_people_write_them(self):
        assert read_prefixes(" 0015, 00184\nsw1a ,0015,") == ["0015", "00184", "SW1A"]
        assert covers(["0015", "SW1A 2"], "SW1A2AA")
        assert not covers(["0015"], "10015")

    @pytest.mark.parametrize("text", ["0015*", "<b>", "1" * 11, ",".join("9" * 300)])
    def test_nonsense_is_refused(self, text):
        if text.startswith("9"):
            text = ",".join(map(str, range(1000, 1201)))
        with pytest.raises(ValidationError):
            read_prefixes(text)


class TestAnOrder:
    def place(self, customer, pizza, contact=CONTACT):
        return place_order(
            customer=customer,
            lines=[cart_line(pizza)],
            contact=contact,
            placed_at=FRIDAY_EVENING,
        )

    def test_is_taken_at_any_hour_as_long_as_nothing_is_set(self, peach, margherita):
        assert self.place(peach, margherita)

    def test_is_refused_while_closed(self, peach, margherita, rules):
        rules(hours=stored([period(SATURDAY, "17:00", "23:00")]))

        with pytest.raises(Closed) as refusal:
            self.place(peach, margherita, PICKUP)

        assert "opens Saturday 17:00" in refusal.value.message
        assert refusal.value.extra["opens_at"] == "2026-11-21T16:00:00+00:00"
        assert not Order.objects.exists()

    def test_that_was_placed_before_is_still_the_one_that_is_sent_again(
        self, peach, margherita, rules
    ):
        first = self.place(peach, margherita)
        rules(hours=stored([period(SATURDAY, "17:00", "23:00")]))

        assert self.place(peach, margherita) == first

    def test_of_little_is_picked_up(self, peach, margherita, rules):
        rules(delivery_minimum=Decimal("16.90"))

        with pytest.raises(BelowMinimum) as refusal:
            self.place(peach, margherita)

        assert "Add $0.01" in refusal.value.message
        assert self.place(peach, margherita, PICKUP)

    def test_of_just_the_minimum_is_delivered(self, peach, margherita, rules):
        rules(delivery_minimum=Decimal("16.89"))

        assert self.place(peach, margherita)

    @pytest.mark.parametrize(
        ("address", "told"),
        [
            ("Via Appia 12, 00199 Roma", "do not go to 00199"),
            ("1 Castle Road, Toadstool", "write the postcode"),
        ],
    )
    def test_to_somewhere_else_is_refused(
        self, peach, margherita, rules, address, told
    ):
        rules(delivery_area=["0018"])
        contact = Contact(
            customer_phone="+12025550143",
            customer_address=address,
            payment_method=PaymentMethod.CASH,
        )

        with pytest.raises(DeliveryTooFar) as refusal:
            self.place(peach, margherita, contact)

        assert told in refusal.value.message
        assert self.place(peach, margherita, PICKUP)

    def test_to_the_area_is_taken(self, peach, margherita, rules):
        rules(delivery_area=["0018"])
        contact = Contact(
            customer_phone="+12025550143",
            customer_address="Via Appia 12, 00184 Roma",
            payment_method=PaymentMethod.CASH,
        )

        assert self.place(peach, margherita, contact)


class TestWhoOrders:
    @pytest.fixture
    def browser(self, browser_of, peach, margherita):
        browser = browser_of(peach)
        browser.post("/cart/add/", {"pizza": margherita.pk, "size": "medium"})
        return browser

    def test_is_told_before(self, browser, rules, closed_now):
        rules(delivery_minimum=Decimal("20.00"), delivery_area=["0018"])

        cart = browser.get("/cart/").content.decode()
        checkout = browser.get("/checkout/").content.decode()

        assert "Closed; opens" in cart
        for told in ("Closed; opens", "begins at $20.00", "begin with 0018", "closed<"):
            assert told in checkout, told
        assert "Ready to pick up from" not in checkout

    def test_is_told_nothing_where_there_is_no_rule(self, browser):
        assert "opening" not in browser.get("/cart/").content.decode()
        assert "Ready to pick up from" in browser.get("/checkout/").content.decode()

    def test_is_refused_and_keeps_what_they_typed(self, browser, closed_now):
        answer = browser.post("/checkout/", {**CHECKOUT, "notes": "Ring twice."})

        assert answer.status_code == 409
        assert "Your cart is kept" in answer.content.decode()
        assert "Ring twice." in answer.content.decode()
        assert Cart(browser.session).count == 1

    def test_too_little_is_refused_with_422(self, browser, rules):
        rules(delivery_minimum=Decimal("20.00"))

        assert browser.post("/checkout/", CHECKOUT).status_code == 422
        picked_up = browser.post("/checkout/", {**CHECKOUT, "fulfilment": "pickup"})
        assert picked_up.status_code == 303

    def test_by_api_gets_the_one_error_shape(self, api_of, peach, margherita, rules):
        api = api_of(peach)
        api.post(
            "/api/cart/items/",
            {"pizza": margherita.pk, "size": "medium", "quantity": 1},
            format="json",
        )
        rules(delivery_minimum=Decimal("20.00"), delivery_area=["0018"])

        little = api.post("/api/orders/", CHECKOUT, format="json")
        rules(delivery_minimum=Decimal("0.00"))
        far = api.post("/api/orders/", CHECKOUT, format="json")

        assert (little.status_code, little.json()["code"]) == (422, "below_minimum")
        assert little.json()["extra"] == {"minimum": "20.00", "amount": "16.89"}
        assert (far.status_code, far.json()["code"]) == (422, "delivery_too_far")
        assert api.get("/api/cart/").json()["count"] == 1

    def test_by_api_is_told_that_it_is_closed(
        self, api_of, peach, margherita, closed_now
    ):
        api = api_of(peach)
        api.post(
            "/api/cart/items/",
            {"pizza": margherita.pk, "size": "medium", "quantity": 1},
            format="json",
        )

        answer = api.post("/api/orders/", CHECKOUT, format="json")

        assert (answer.status_code, answer.json()["code"]) == (409, "closed")
        assert answer.json()["extra"]["opens_at"]


class TestManagers:
    PAGE = "/management/restaurant/"

    def test_set_it_on_a_page(self, browser_of, daisy):
        browser = browser_of(daisy)

        answer = browser.post(
            self.PAGE,
            {
                "friday": "11:30-14:30, 17:00-02:00",
                "delivery_minimum": "15",
                "delivery_area": "0018, 0019",
            },
        )

        assert answer.status_code == 303
        restaurant = Restaurant.the_one()
        assert restaurant.hours == [
            {"weekday": "friday", "opens": "11:30", "closes": "14:30"},
            {"weekday": "friday", "opens": "17:00", "closes": "02:00"},
        ]
        assert restaurant.delivery_minimum == 15
        assert restaurant.delivery_area == ["0018", "0019"]
        page = browser.get(self.PAGE).content.decode()
        assert "11:30–14:30, 17:00–02:00" in page

    def test_what_the_page_shows_can_be_sent_as_it_is(self, browser_of, daisy, rules):
        rules(hours=stored([period(FRIDAY, "17:00", "02:00")]), delivery_area=["0018"])
        browser = browser_of(daisy)
        form = browser.get(self.PAGE).context["form"]
        shown = {field.name: field.value() or "" for field in form}
        before = OutboxEvent.objects.count()

        assert browser.post(self.PAGE, shown).status_code == 303
        assert OutboxEvent.objects.count() == before

    @pytest.mark.parametrize(
        "wrong",
        [
            {"friday": "late"},
            {"friday": "17:00-02:00, 18:00-19:00"},
            {"delivery_minimum": "-1"},
            {"delivery_minimum": "NaN"},
            {"delivery_area": "<script>"},
            {"pickup_expires_hours": "0"},
            {"pickup_expires_hours": "169"},
        ],
    )
    def test_nonsense_changes_nothing(self, browser_of, daisy, wrong):
        answer = browser_of(daisy).post(self.PAGE, {"saturday": "1:00-2:00", **wrong})

        assert answer.status_code == 400
        assert "Nothing was saved yet" in answer.content.decode()
        assert not Restaurant.objects.exists()

    def test_do_not_overwrite_each_other_unseen(self, browser_of, daisy, rules):
        browser = browser_of(daisy)
        opened = browser.get(self.PAGE).context["form"]
        shown = {field.name: field.value() or "" for field in opened}
        rules(delivery_minimum=Decimal("15.00"))

        late = browser.post(self.PAGE, shown | {"delivery_area": "00184"})
        again = {field.name: field.value() or "" for field in late.context["form"]}

        assert late.status_code == 409
        assert "Somebody changed this" in late.content.decode()
        assert Restaurant.the_one().delivery_area == []
        assert again["delivery_minimum"] == Decimal("15.00")
        assert browser.post(self.PAGE, again).status_code == 303

    def test_set_it_by_api(self, api_of, daisy, client):
        friday = {"weekday": "friday", "opens": "17:00", "closes": "02:00"}

        answer = api_of(daisy).put(
            "/api/management/restaurant/",
            {
                "hours": [friday],
                "delivery_minimum": "15.00",
                "delivery_area": ["sw1a"],
                "pickup_expires_hours": 6,
                "asks_approval": True,
            },
            format="json",
        )

        assert answer.status_code == 200, answer.json()
        told = client.get("/api/restaurant/").json()
        assert told == answer.json() | {"words": told["words"]}
        assert told["hours"] == [friday]
        assert told["delivery_area"] == ["SW1A"]
        assert told["time_zone"] == "Europe/Rome"
        assert told["changes_at"]

    @pytest.mark.parametrize(
        "wrong",
        [
            {"hours": [{"weekday": "noday", "opens": "17:00", "closes": "18:00"}]},
            {"hours": [{"weekday": "friday", "opens": "17:00"}]},
            {"hours": [{"weekday": "friday", "opens": "1", "closes": "18:00"}]},
            {"hours": [{"weekday": "friday", "opens": "1:00", "closes": "2:00"}] * 2},
            {"hours": "always"},
            {"hours": None},
            {"delivery_minimum": None},
            {"delivery_minimum": "-0.01"},
            {"pickup_expires_hours": 0},
            {"asks_approval": "perhaps"},
            {"delivery_area": ["*"]},
            {"delivery_area": None},
        ],
    )
    def test_nonsense_by_api_is_refused(self, api_of, daisy, wrong):
        told = {
            "hours": [],
            "delivery_minimum": "0.00",
            "delivery_area": [],
            "pickup_expires_hours": 12,
            "asks_approval": False,
            **wrong,
        }
        answer = api_of(daisy).put("/api/management/restaurant/", told, format="json")

        assert answer.status_code == 400, wrong
        assert answer.json()["code"] == "invalid_input"
        assert not Restaurant.objects.exists()

    def test_alone_may(self, peach, luigi, yoshi):
        for person in (peach, luigi, yoshi):
            with pytest.raises(PermissionDenied):
                change_rules(
                    fields={"delivery_area": []}, actor=person, now=FRIDAY_EVENING
                )

    def test_leave_a_trace(self, rules, daisy):
        rules(delivery_minimum=Decimal("15.00"))
        rules(delivery_minimum=Decimal("15.00"))

        event = OutboxEvent.objects.get(type__endswith="restaurant.rules.changed.v1")
        assert json.loads(json.dumps(event.data["changes"])) == {
            "delivery_minimum": ["0.00", "15.00"]
        }
        assert event.data["user_name"] == "Daisy"


class TestPickUpsThatNobodyFetched:
    @pytest.fixture
    def ready(self, peach, luigi, margherita):
        order = place_order(
            customer=peach,
            lines=[cart_line(margherita)],
            contact=PICKUP,
            placed_at=FRIDAY_EVENING,
        )
        for step in (Status.COOKING, Status.READY):
            order = move_order(
                order_id=order.pk, to=step, actor=luigi, now=FRIDAY_EVENING
            )
        return order

    def test_count_as_picked_up_after_the_restaurants_patience(self, ready, rules):
        rules(pickup_expires_hours=3)
        early = FRIDAY_EVENING + timedelta(hours=2, minutes=59)

        assert complete_pickups(now=early) == []
        assert complete_pickups(now=early + timedelta(minutes=1)) == [ready.pk]

        ready.refresh_from_db()
        assert ready.status == Status.DELIVERED
        # Nobody saw it go: that is no reason to call it late.
        assert ready.delivered_at == ready.ready_at
        assert ready.delivered_by is None
        event = OutboxEvent.objects.get(type__endswith="order.delivered.v1")
        assert event.data["user_id"] == ""
        assert complete_pickups(now=early + timedelta(days=1)) == []

    def test_are_no_deliveries(self, order_of, peach, luigi):
        order = order_of(peach)
        for step in (Status.COOKING, Status.READY):
            move_order(order_id=order.pk, to=step, actor=luigi, now=FRIDAY_EVENING)

        assert complete_pickups(now=FRIDAY_EVENING + timedelta(days=9)) == []

    @pytest.mark.parametrize("command", ["complete_pickups", "close_day"])
    def test_are_completed_by_command(self, ready, command, capsys):
        long_ago = FRIDAY_EVENING - timedelta(days=30)
        times = ("placed_at", "confirmed_at", "cooking_at", "ready_at")
        Order.objects.update(**dict.fromkeys(times, long_ago))

        call_command(command)

        assert Order.objects.get().status == Status.DELIVERED
        assert capsys.readouterr().out
