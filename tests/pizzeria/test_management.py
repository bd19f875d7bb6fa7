"""What the restaurant came to: definitions, closed days, pages, API and exports."""

import csv
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from pizzeria.management import api, figures, views
from pizzeria.management.models import ClosedDay, Kind, Tally
from pizzeria.management.periods import Period, local_day, midnight
from pizzeria.management.services import DayNotOver, close_day, open_days
from pizzeria.management.tallies import DAY, KEY, WEEKDAY, count
from pizzeria.orders.models import Order
from pizzeria.orders.transitions import Status

pytestmark = pytest.mark.django_db

ROME = ZoneInfo("Europe/Rome")
PAGES = ["/management/", "/management/operations/", "/management/analytics/"]
API = [
    "/api/management/overview/",
    "/api/management/operations/",
    "/api/management/analytics/",
]


def at(year, month, day, hour, minute):
    return datetime(year, month, day, hour, minute, tzinfo=ROME)


NOW = at(2026, 11, 20, 12, 0)


@pytest.fixture
def at_noon(browser_of, daisy, monkeypatch):
    """Daisy's window, on whose pages it is noon of a certain day."""
    clock = SimpleNamespace(now=lambda: NOW)
    for module in (views, api):
        monkeypatch.setattr(module, "timezone", clock)
    return browser_of(daisy)


@pytest.fixture
def finished(order_of, luigi, yoshi):
    """Make an order of 16.89 that was delivered 40 minutes after it was placed."""

    def finished(person, placed_at, **changes):
        order = order_of(person, placed_at=placed_at)
        minutes = {"cooking_at": 5, "ready_at": 15, "delivering_at": 20}
        values = {
            "status": Status.DELIVERED,
            "confirmed_at": placed_at,
            "promised_at": placed_at + timedelta(minutes=45),
            "delivered_at": placed_at + timedelta(minutes=40),
            "readied_by": luigi,
            "delivered_by": yoshi,
            **{x: placed_at + timedelta(minutes=n) for x, n in minutes.items()},
            **changes,
        }
        Order.objects.filter(pk=order.pk).update(**values)
        return order

    return finished


@pytest.fixture
def cancelled(finished):
    def cancelled(person, placed_at):
        never = dict.fromkeys(
            ["delivered_at", "ready_at", "delivering_at", "readied_by", "delivered_by"]
        )
        return finished(
            person,
            placed_at,
            status=Status.CANCELLED,
            cancelled_at=placed_at,
            **never,
        )

    return cancelled


@pytest.fixture
def some_days(finished, cancelled, peach, toad):
    """Three days: two, one and no orders, and a cancelled one on each busy day."""
    finished(peach, at(2026, 11, 17, 19, 30))
    finished(toad, at(2026, 11, 17, 20, 15), delivered_at=at(2026, 11, 17, 21, 30))
    cancelled(peach, at(2026, 11, 17, 19, 45))
    finished(peach, at(2026, 11, 18, 0, 10))
    cancelled(toad, at(2026, 11, 18, 13, 0))


THE_DAYS = Period(date(2026, 11, 17), date(2026, 11, 19))


class TestPeriods:
    def test_a_day_begins_at_midnight_where_the_restaurant_stands(self):
        assert Period(date(2026, 7, 1), date(2026, 7, 1)).begins_at == datetime(
            2026, 6, 30, 22, tzinfo=UTC
        )

    def test_the_day_on_which_clocks_change_has_25_hours(self):
        day = Period(date(2026, 10, 25), date(2026, 10, 25))

        length = day.ends_at.astimezone(UTC) - day.begins_at.astimezone(UTC)

        assert length == timedelta(hours=25)

    def test_the_one_before_has_the_same_length_and_touches_it(self):
        week = Period.until(date(2026, 11, 20), days=7)

        assert week.before == Period(date(2026, 11, 7), date(2026, 11, 13))


class TestDefinitions:
    def test_cancelled_orders_are_counted_apart_and_are_no_revenue(self, some_days):
        total = count(Kind.DAY, THE_DAYS)[()]

        assert (total.orders, total.cancelled, total.delivered) == (3, 2, 3)
        assert total.revenue == 3 * Decimal("16.89")
        assert total.average_value == Decimal("16.89")

    def test_an_order_after_midnight_belongs_to_the_next_day(self, some_days):
        days = count(Kind.DAY, THE_DAYS, DAY)

        assert days[(date(2026, 11, 17),)].orders == 2
        assert days[(date(2026, 11, 18),)].orders == 1
        assert (date(2026, 11, 19),) not in days

    def test_times_and_promises(self, some_days):
        total = count(Kind.DAY, THE_DAYS)[()]

        assert total.average_minutes == 15
        assert total.late == 1
        assert total.on_time_share == pytest.approx(2 / 3)

    def test_hours_are_those_of_the_restaurant(self, some_days):
        hours = count(Kind.HOUR, THE_DAYS, WEEKDAY, KEY)

        # A Tuesday; the cancelled order is apart, and it is no 18 o'clock in UTC.
        assert hours[(2, "19")].orders == 1
        assert hours[(2, "20")].orders == 1
        assert hours[(3, "0")].orders == 1

    def test_people_get_what_they_finished(self, some_days, luigi, yoshi):
        cooks = count(Kind.COOK, THE_DAYS, KEY)
        drivers = count(Kind.DRIVER, THE_DAYS, KEY)

        assert cooks[(str(luigi.pk),)].orders == 3
        assert cooks[(str(luigi.pk),)].average_minutes == 10
        assert drivers[(str(yoshi.pk),)].orders == 3

    def test_pizzas_are_counted_by_line(self, some_days):
        pizzas = count(Kind.PIZZA, THE_DAYS, KEY)

        assert set(pizzas) == {("Margherita",)}
        assert pizzas[("Margherita",)].pizzas == 3
        assert pizzas[("Margherita",)].revenue == 3 * Decimal("16.89")

    def test_an_empty_restaurant_has_no_averages(self):
        report = figures.analytics(THE_DAYS, grouping="day")

        assert report["total"].average_value == 0
        assert report["total"].average_minutes is None
        assert [span["numbers"].orders for span in report["series"]] == [0, 0, 0]

    def test_weeks_and_months_sum_their_days(self, some_days):
        period = Period(date(2026, 11, 10), date(2026, 12, 2))

        weeks = figures.analytics(period, grouping="week")["series"]
        months = figures.analytics(period, grouping="month")["series"]

        assert [span["start"].isoformat() for span in weeks] == [
            "2026-11-10",
            "2026-11-16",
            "2026-11-23",
            "2026-11-30",
        ]
        assert [span["numbers"].orders for span in weeks] == [0, 3, 0, 0]
        assert [span["numbers"].orders for span in months] == [3, 0]

    def test_today_is_compared_with_yesterday_until_the_same_time(
        self, finished, peach
    ):
        finished(peach, at(2026, 11, 19, 11, 0))
        finished(peach, at(2026, 11, 19, 20, 0))
        finished(peach, at(2026, 11, 20, 11, 30))
        finished(peach, at(2026, 11, 20, 11, 40))

        report = figures.overview(now=NOW)

        assert report["yesterday"].orders == 1
        assert report["orders_change"].percent == 100

    def test_today_is_compared_with_a_week_ago_until_the_same_time(
        self, finished, peach, at_noon
    ):
        finished(peach, at(2026, 11, 13, 11, 0))
        finished(peach, at(2026, 11, 13, 20, 0))
        finished(peach, at(2026, 11, 14, 11, 0))
        finished(peach, at(2026, 11, 20, 11, 30))
        finished(peach, at(2026, 11, 20, 11, 40))

        report = figures.overview(now=NOW)

        assert report["last_week"].orders == 1
        assert figures.say_week(report["week_change"]).startswith("+100 % against")
        assert "+100 % against a week ago by" in at_noon.get("/management/").text
        api = at_noon.get("/api/management/overview/").json()
        assert api["week_change"]["percent"] == 100

    def test_today_names_what_is_wanted_most(self, finished, peach, at_noon):
        finished(peach, at(2026, 11, 19, 11, 0))
        assert "Most wanted today" not in at_noon.get("/management/").text
        finished(peach, at(2026, 11, 20, 11, 30))
        finished(peach, at(2026, 11, 20, 11, 40))

        (pizza,) = figures.overview(now=NOW)["pizzas"]

        assert (pizza["name"], pizza["numbers"].pizzas) == ("Margherita", 2)
        assert "Most wanted today" in at_noon.get("/management/").text
        (said,) = at_noon.get("/api/management/overview/").json()["pizzas"]
        assert said["pizzas"] == 2

    def test_top_customers_ordered_twice_and_are_ranked_by_what_they_spent(
        self, some_days, peach
    ):
        (best,) = figures.top_customers(THE_DAYS)

        assert best["name"] == "Peach"
        assert best["orders"] == 2
        assert best["spent"] == 2 * Decimal("16.89")
        assert best["average"] == Decimal("16.89")
        assert best["favourite"] == "Margherita"
        assert best["email"] == peach.email
        assert not best["is_vip"]

    def test_who_orders_more_than_five_times_or_spends_more_than_100_is_a_vip(
        self, finished, peach, toad
    ):
        for hour in range(6):
            finished(peach, at(2026, 11, 18, 12 + hour, 0))
        for hour in range(2):
            finished(toad, at(2026, 11, 18, 12 + hour, 0), total_amount=Decimal(51))

        most, next_one = figures.top_customers(THE_DAYS)

        assert (most["name"], most["is_vip"]) == ("Toad", True)
        assert (next_one["name"], next_one["is_vip"]) == ("Peach", True)

    def test_staff_are_ranked_with_what_they_have_in_hand(
        self, finished, order_of, peach, luigi
    ):
        finished(peach, at(2026, 11, 18, 12, 0))
        Order.objects.filter(pk=order_of(peach).pk).update(
            status=Status.COOKING, cooked_by=luigi
        )

        report = figures.operations(THE_DAYS, now=NOW)

        (cook,), (driver,) = report["cooks"], report["drivers"]
        assert (cook["under_way"], cook["score"]) == (1, 11)
        assert driver["under_way"] == 0
        said = figures.say_most(report)
        assert said
        assert said.endswith("did most: 1 order of $16.89, score 11")
        assert figures.say_most({"leaderboard": []}) is None


class TestClosingDays:
    @pytest.mark.parametrize("closed", [1, 2, 3])
    def test_changes_no_figure(self, some_days, closed):
        before = every_figure(THE_DAYS)

        for day in open_days(now=NOW)[:closed]:
            close_day(day=day, now=NOW)

        assert ClosedDay.objects.count() == closed
        assert every_figure(THE_DAYS) == before

    def test_keeps_figures_that_no_longer_come_from_orders(self, some_days):
        before = every_figure(THE_DAYS)
        for day in open_days(now=NOW):
            close_day(day=day, now=NOW)

        Order.objects.all().delete()

        assert every_figure(THE_DAYS) == before

    def test_goes_day_by_day(self, some_days):
        with pytest.raises(DayNotOver, match="Close 17 Nov 2026 first"):
            close_day(day=date(2026, 11, 18), now=NOW)
        close_day(day=date(2026, 11, 17), now=NOW)
        with pytest.raises(DayNotOver, match="closed already"):
            close_day(day=date(2026, 11, 17), now=NOW)

    def test_is_refused_today(self, finished, peach):
        finished(peach, NOW)

        with pytest.raises(DayNotOver, match="not over yet"):
            close_day(day=local_day(NOW), now=NOW)

    def test_waits_for_open_orders(self, order_of, peach):
        order = order_of(peach, placed_at=at(2026, 11, 18, 20, 0))

        with pytest.raises(DayNotOver, match="1 orders of 18 Nov 2026") as refusal:
            close_day(day=date(2026, 11, 18), now=NOW)

        assert refusal.value.extra == {"orders": [order.pk]}
        assert not ClosedDay.objects.exists()
        assert not Tally.objects.exists()

    def test_by_command_names_what_is_in_the_way(self, order_of, peach):
        order = order_of(peach, placed_at=timezone.now() - timedelta(days=2))

        with pytest.raises(CommandError, match=f"Finish or cancel them: {order.pk}"):
            call_command("close_day", stdout=StringIO())

    def test_by_command_closes_all_and_may_be_repeated(self, finished, peach):
        finished(peach, timezone.now() - timedelta(days=3))
        out = StringIO()

        call_command("close_day", "--dry-run", stdout=out)
        assert out.getvalue().count("is open") == 3
        call_command("close_day", stdout=out)
        call_command("close_day", stdout=out)

        assert out.getvalue().count("is closed.") == 3 + 1
        assert ClosedDay.last() == local_day(timezone.now()) - timedelta(days=1)


def every_figure(period):
    return {
        (kind, groups): {
            group: vars(numbers)
            for group, numbers in count(kind, period, *groups).items()
            if numbers.orders
        }
        for kind in Kind
        for groups in [(), (DAY,), (KEY,), (WEEKDAY, KEY)]
    }


class TestPages:
    @pytest.mark.parametrize("page", PAGES + API)
    @pytest.mark.parametrize("who", ["peach", "luigi", "yoshi"])
    def test_are_for_managers(self, request, browser_of, page, who):
        visitor = browser_of(request.getfixturevalue(who))

        assert visitor.get(page).status_code == 403

    @pytest.mark.parametrize("page", PAGES)
    def test_send_strangers_to_the_login(self, client, page):
        answer = client.get(page)

        assert answer.status_code == 302
        assert answer.url.startswith("/auth/login")

    @pytest.mark.parametrize("page", PAGES + API)
    @pytest.mark.parametrize("period", ["", "?period=week", "?period=year"])
    def test_answer_with_and_without_orders(
        self, browser_of, daisy, finished, peach, page, period
    ):
        manager = browser_of(daisy)

        assert manager.get(page + period).status_code == 200
        finished(peach, timezone.now() - timedelta(minutes=1))
        finished(peach, timezone.now() - timedelta(minutes=1))
        assert manager.get(page + period).status_code == 200

    def test_the_dashboards_figures_come_alone_to_htmx(self, browser_of, daisy):
        page = browser_of(daisy).get("/management/", headers={"HX-Request": "true"})

        assert "<html" not in page.content.decode()
        assert 'id="figures"' in page.content.decode()

    @pytest.mark.parametrize("page", PAGES[1:] + API[1:])
    @pytest.mark.parametrize(
        "query",
        [
            "period=custom",
            "period=custom&start=2026-01-02&end=2026-01-01",
            "period=custom&start=1026-01-02&end=2026-01-01",
            "period=custom&start=x&end=2026-01-01",
            "period=for-ever",
        ],
    )
    def test_refuse_periods_that_make_no_sense(self, browser_of, daisy, page, query):
        answer = browser_of(daisy).get(f"{page}?{query}")

        assert answer.status_code == 400

    def test_take_a_period_of_two_dates(self, browser_of, daisy, some_days):
        page = browser_of(daisy).get(
            "/management/analytics/",
            {"period": "custom", "start": "2026-11-17", "end": "2026-11-19"},
        )

        assert page.context["total"].orders == 3
        assert "$50.67" in page.content.decode()

    @pytest.mark.parametrize("page", PAGES + API)
    def test_need_as_many_queries_for_a_thousand_orders(
        self, browser_of, daisy, peach, finished, page
    ):
        manager = browser_of(daisy)

        def queries():
            with CaptureQueriesContext(
                connection,
            ) as captured:
                assert manager.get(f"{page}?period=month").status_code == 200
            asked = [query["sql"] for query in captured]
            assert sum("MAX(" in sql and "closedday" in sql for sql in asked) <= 1
            return len(captured)

        finished(peach, timezone.now() - timedelta(days=21))
        now = timezone.now()
        close_day(day=open_days(now=now)[0], now=now)
        for _ in range(2):
            finished(peach, timezone.now() - timedelta(minutes=1))
        few = queries()
        call_command("seed_demo", "--orders", "1000", "--days", "20", stdout=StringIO())

        assert queries() <= few
        assert few <= 24


class TestExports:
    def rows(self, manager, table, **query):
        answer = manager.get(f"/management/analytics/{table}.csv", query)
        assert answer.status_code == 200
        assert answer["Content-Disposition"].startswith("attachment")
        return list(csv.DictReader(StringIO(answer.content.decode())))

    def test_hold_what_the_tables_hold(self, browser_of, daisy, some_days):
        span = {"period": "custom", "start": "2026-11-17", "end": "2026-11-19"}

        sales = self.rows(browser_of(daisy), "sales", **span)
        pizzas = self.rows(browser_of(daisy), "pizzas", **span)

        assert [row["orders"] for row in sales] == ["2", "1", "0"]
        assert sales[0]["cancelled"] == "1"
        assert pizzas[0]["pizza"] == "Margherita"
        assert pizzas[0]["revenue"] == "50.67"

    def test_tell_the_busy_hours(self, browser_of, daisy, some_days):
        span = {"period": "custom", "start": "2026-11-17", "end": "2026-11-19"}

        hours = self.rows(browser_of(daisy), "hours", **span)

        assert {row["weekday"] for row in hours} == set(figures.WEEKDAYS)
        assert sum(int(row["orders"]) for row in hours) == 3

    def test_are_no_formulas(self, browser_of, daisy, some_days):
        Tally.objects.all().delete()
        from pizzeria.orders.models import OrderLine  # noqa: PLC0415

        OrderLine.objects.update(name="=HYPERLINK(1)")
        span = {"period": "custom", "start": "2026-11-17", "end": "2026-11-19"}

        (pizza,) = self.rows(browser_of(daisy), "pizzas", **span)

        assert pizza["pizza"] == "'=HYPERLINK(1)"

    def test_of_another_name_are_not_there(self, browser_of, daisy):
        manager = browser_of(daisy)

        assert manager.get("/management/analytics/people.csv").status_code == 404


class TestTheDemo:
    ASKED = ("--orders", "300", "--days", "30", "--until", "2026-10-31")

    def seed(self, *more):
        out = StringIO()
        call_command("seed_demo", *self.ASKED, *more, stdout=out)
        return out.getvalue()

    def facts(self):
        return list(
            Order.objects.order_by("placed_at", "pk").values_list(
                "placed_at", "total_amount", "status", "customer__username"
            )
        )

    def test_is_the_same_for_the_same_seed(self):
        assert "300 orders over 30 days" in self.seed()
        first = self.facts()
        Order.objects.all().delete()
        ClosedDay.objects.all().delete()

        self.seed()

        assert self.facts() == first
        assert len(first) == 300

    def test_can_be_repeated_and_adds_nothing(self):
        self.seed()
        self.seed()

        assert Order.objects.count() == 300

    def test_is_refused_in_days_that_are_closed(self, finished, peach):
        finished(peach, at(2026, 10, 15, 12, 0))
        close_day(day=date(2026, 10, 15), now=NOW)

        with pytest.raises(CommandError, match="books of 02 Oct 2026 are closed"):
            self.seed()

    def test_adds_up(self):
        self.seed()

        for order in Order.objects.with_lines():
            assert order.total_amount == sum(line.total for line in order.lines.all())
        october = Period(date(2026, 10, 1), date(2026, 10, 31))
        total = count(Kind.DAY, october)[()]
        assert total.orders + total.cancelled == 300
        assert Tally.objects.exists()

    def test_looks_like_a_restaurant(self):
        self.seed()

        report = figures.operations(
            Period(date(2026, 10, 2), date(2026, 10, 31)), now=NOW
        )

        assert report["peak"][0] >= 5
        assert 11 <= int(report["peak"][1]) <= 22
        assert len(report["cooks"]) == 3
        assert report["customers"]

    @pytest.mark.parametrize(
        "wrong", [("--orders", "0"), ("--days", "0"), ("--until", "2999-01-01")]
    )
    def test_refuses_what_makes_no_sense(self, wrong):
        with pytest.raises(CommandError, match=wrong[0]):
            self.seed(*wrong)


class TestLiveTraffic:
    def generate(self, *more):
        out = StringIO()
        call_command("generate_orders", "--every", "0", *more, stdout=out)
        return out.getvalue()

    def test_orders_are_cooked_and_delivered_by_the_rules(self):
        said = self.generate("--count", "6")

        assert "6/6 Order" in said
        assert Order.objects.count() == 6
        for order in Order.objects.all():
            assert order.status == Status.DELIVERED
            assert order.cooked_by is not None
            assert order.cooked_by.has_perm("orders.cook")
            assert order.delivered_by == order.driver

    def test_may_leave_the_work_to_others(self):
        self.generate("--count", "2", "--no-complete")

        assert set(Order.objects.values_list("status", flat=True)) == {"confirmed"}

    def test_touches_no_order_of_real_people(self, order_of, peach):
        theirs = order_of(peach)

        self.generate("--count", "2")

        theirs.refresh_from_db()
        assert theirs.status == "confirmed"

    @pytest.mark.parametrize("wrong", [("--count", "0"), ("--every", "-1")])
    def test_refuses_what_makes_no_sense(self, wrong):
        with pytest.raises(CommandError, match=wrong[0]):
            self.generate(*wrong)


def test_midnight_is_aware():
    assert midnight(date(2026, 1, 1)).utcoffset() == timedelta(hours=1)
