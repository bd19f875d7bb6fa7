"""Real threads with database connections of their own, and real transactions."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from threading import Barrier

import pytest
from django.contrib.auth.models import Group, User
from django.core.exceptions import ValidationError
from django.db import close_old_connections, connection
from django.test import Client

from pizzeria.exceptions import (
    CartChanged,
    KitchenFull,
    MenuChanged,
    StatusConflict,
    VoucherRefused,
)
from pizzeria.menu.models import Pizza
from pizzeria.menu.seed import seed_menu
from pizzeria.menu.services import add_pizza, edit_pizza, retire_pizza
from pizzeria.orders import services
from pizzeria.orders.models import Order, OrderLine
from pizzeria.orders.services import move_order, place_order
from pizzeria.orders.transitions import Status
from pizzeria.vouchers.models import Voucher
from tests.pizzeria.conftest import CHECKOUT, CONTACT, FRIDAY_EVENING, cart_line

pytestmark = pytest.mark.django_db(transaction=True)

PEOPLE = 6


@pytest.fixture(autouse=True)
def _database_is_a_file():
    assert "memory" not in str(connection.settings_dict["NAME"])


@pytest.fixture
def margherita() -> Pizza:
    # A transactional test begins with an empty database.
    seed_menu()
    return Pizza.objects.get(name="Margherita")


@pytest.fixture
def peach():
    return User.objects.create_user("peach")


@pytest.fixture
def cooks():
    chefs = Group.objects.get(name="chef")
    cooks = [User.objects.create_user(f"cook-{number}") for number in range(PEOPLE)]
    for cook in cooks:
        cook.groups.add(chefs)
    return cooks


def at_once(acts):
    """Let each act happen in a thread of its own, started together."""
    barrier = Barrier(len(acts))

    def take_part(act):
        barrier.wait(timeout=10)
        try:
            return act()
        except (StatusConflict, KitchenFull, CartChanged, VoucherRefused) as refusal:
            return refusal
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as people:
        return list(people.map(take_part, acts))


def placing(customer, lines):
    return lambda: place_order(
        customer=customer, lines=lines, contact=CONTACT, placed_at=FRIDAY_EVENING
    )


def moving(order_id, to, cook):
    return lambda: move_order(order_id=order_id, to=to, actor=cook, now=FRIDAY_EVENING)


@pytest.mark.parametrize("round_number", range(5))
def test_one_cart_placed_many_times_is_one_order(peach, margherita, round_number):
    lines = [cart_line(margherita, "a"), cart_line(margherita, "b")]

    orders = at_once([placing(peach, lines)] * PEOPLE)

    assert len({order.pk for order in orders}) == 1
    assert Order.objects.count() == 1
    assert OrderLine.objects.count() == 2


def test_the_unique_key_decides_when_nobody_saw_the_other(
    peach, margherita, monkeypatch
):
    # Both looked before either wrote: what PostgreSQL's isolation allows.
    look = services._earlier_order
    looks = []

    def look_too_early(customer, lines):
        looks.append(lines)
        return None if len(looks) <= 2 else look(customer, lines)

    monkeypatch.setattr(services, "_earlier_order", look_too_early)
    lines = [cart_line(margherita, "a")]

    first, second = placing(peach, lines)(), placing(peach, lines)()

    assert second == first
    assert len(looks) == 3
    assert Order.objects.count() == 1


def test_overlapping_carts_order_each_line_once(peach, margherita):
    a, b, c = (cart_line(margherita, line_id) for line_id in "abc")

    outcomes = at_once([placing(peach, [a, b]), placing(peach, [b, c])])

    kinds = Counter(type(outcome) for outcome in outcomes)
    assert kinds == {Order: 1, CartChanged: 1}
    assert OrderLine.objects.count() == 2


def test_different_carts_are_all_ordered(peach, margherita):
    carts = [[cart_line(margherita, f"line-{number}")] for number in range(PEOPLE)]

    orders = at_once([placing(peach, cart) for cart in carts])

    assert len({order.pk for order in orders}) == PEOPLE


@pytest.mark.parametrize("round_number", range(3))
def test_one_cook_starts_an_order_and_the_others_are_told(
    peach, margherita, cooks, round_number
):
    order = placing(peach, [cart_line(margherita)])()

    outcomes = at_once([moving(order.pk, Status.COOKING, cook) for cook in cooks])

    kinds = Counter(type(outcome) for outcome in outcomes)
    assert kinds == {Order: 1, StatusConflict: PEOPLE - 1}
    winner = Order.objects.get().cooked_by
    assert winner in cooks
    for outcome in outcomes:
        if isinstance(outcome, StatusConflict):
            assert outcome.extra["status"] == "cooking"
            assert f"{winner} was faster" in outcome.message


@pytest.mark.parametrize("round_number", range(3))
def test_the_last_place_in_the_oven_goes_to_one_order(
    peach, margherita, cooks, round_number
):
    orders = [
        placing(peach, [cart_line(margherita, f"line-{number}")])()
        for number in range(4 + PEOPLE)
    ]
    for order in orders[:4]:
        moving(order.pk, Status.COOKING, cooks[0])()

    outcomes = at_once(
        [
            moving(order.pk, Status.COOKING, cook)
            for order, cook in zip(orders[4:], cooks, strict=True)
        ]
    )

    kinds = Counter(type(outcome) for outcome in outcomes)
    assert kinds == {Order: 1, KitchenFull: PEOPLE - 1}
    assert Order.objects.cooking().count() == 5


def test_two_clicks_on_place_order_lead_to_one_order(peach, margherita):
    first = Client()
    first.force_login(peach)
    first.post("/cart/add/", {"pizza": margherita.pk, "size": "small"})
    second = Client()
    second.cookies = first.cookies

    def click(browser):
        def act():
            close_old_connections()
            return browser.post("/checkout/", CHECKOUT)

        return act

    answers = at_once([click(first), click(second)])

    assert Order.objects.count() == 1
    assert [answer.status_code for answer in answers] == [303, 303]
    assert len({answer["Location"] for answer in answers}) == 1
    assert first.get("/cart/").context["cart"].is_empty


def test_two_api_calls_at_once_answer_with_the_one_order(peach, margherita):
    browsers = [Client(), Client()]
    browsers[0].force_login(peach)
    browsers[1].cookies = browsers[0].cookies
    browsers[0].post("/cart/add/", {"pizza": margherita.pk, "size": "small"})

    answers = at_once(
        [
            lambda browser=browser: browser.post(
                "/api/orders/", CHECKOUT, content_type="application/json"
            )
            for browser in browsers
        ]
    )

    assert Order.objects.count() == 1
    # Who comes after the winner's answer was saved finds the cart empty.
    assert sorted(answer.status_code for answer in answers) in ([201, 201], [201, 400])
    placed = [answer.json() for answer in answers if answer.status_code == 201]
    assert {order["id"] for order in placed} == {Order.objects.get().pk}


@pytest.mark.parametrize("round_number", range(3))
def test_one_key_orders_once_whatever_is_in_the_carts(peach, margherita, round_number):
    # Two tabs, two carts' lines, one request that was sent again.
    def placing_with_key(number):
        return lambda: place_order(
            customer=peach,
            lines=[cart_line(margherita, f"line-{number}")],
            contact=CONTACT,
            placed_at=FRIDAY_EVENING,
            key="friday",
        )

    orders = at_once([placing_with_key(number) for number in range(PEOPLE)])

    assert len({order.pk for order in orders}) == 1
    assert OrderLine.objects.count() == 1


@pytest.mark.parametrize("round_number", range(3))
def test_a_price_that_changes_during_checkouts_is_on_a_bill_whole_or_not_at_all(
    peach, margherita, cooks, round_number
):
    def placing_two_lines(number):
        lines = [cart_line(margherita, f"{number}-{part}") for part in "ab"]
        return placing(peach, lines)

    def changing():
        edit_pizza(
            pizza_id=margherita.pk,
            fields={"base_price": Decimal("20.00")},
            actor=cooks[0],
            now=FRIDAY_EVENING,
        )
        return "changed"

    outcomes = at_once([*map(placing_two_lines, range(PEOPLE)), changing])

    orders = [outcome for outcome in outcomes if isinstance(outcome, Order)]
    assert len(orders) == PEOPLE
    for order in Order.objects.prefetch_related("lines"):
        prices = {line.unit_price for line in order.lines.all()}
        assert prices in ({Decimal("16.89")}, {Decimal("26.00")})
        assert order.total_amount == 2 * prices.pop()
    (change,) = margherita.history.all()
    assert change.changes == {"base_price": ["12.99", "20.00"]}


@pytest.mark.parametrize("round_number", range(3))
def test_a_pizza_that_retires_during_checkouts_is_ordered_whole_or_not_at_all(
    peach, margherita, cooks, round_number
):
    def retiring():
        retire_pizza(pizza_id=margherita.pk, actor=cooks[0], now=FRIDAY_EVENING)
        return "retired"

    outcomes = at_once(
        [placing(peach, [cart_line(margherita, f"line-{n}")]) for n in range(PEOPLE)]
        + [retiring]
    )

    kinds = Counter(type(outcome) for outcome in outcomes)
    assert kinds[Order] + kinds[CartChanged] == PEOPLE
    assert OrderLine.objects.count() == Order.objects.count() == kinds[Order]


def test_two_managers_with_one_version_do_not_overwrite_each_other(margherita, cooks):
    def editing(cook):
        def edit():
            try:
                return edit_pizza(
                    pizza_id=margherita.pk,
                    fields={"description": cook.username},
                    actor=cook,
                    now=FRIDAY_EVENING,
                    version=1,
                )
            except MenuChanged as conflict:
                return conflict

        return edit

    outcomes = at_once([editing(cook) for cook in cooks])

    kinds = Counter(type(outcome) for outcome in outcomes)
    assert kinds == {Pizza: 1, MenuChanged: PEOPLE - 1}
    assert margherita.history.count() == 1


@pytest.mark.parametrize("round_number", range(3))
@pytest.mark.parametrize("limit", ["most_uses", "most_uses_each"])
def test_a_voucher_is_never_used_more_often_than_it_may(
    peach, margherita, limit, round_number
):
    Voucher.objects.create(
        code="PIZZA20", value=20, **{"most_uses_each": None, limit: 2}
    )

    outcomes = at_once(
        [
            lambda number=number: place_order(
                customer=peach,
                lines=[cart_line(margherita, f"line-{number}")],
                contact=CONTACT,
                placed_at=FRIDAY_EVENING,
                voucher_code="PIZZA20",
            )
            for number in range(PEOPLE)
        ]
    )

    kinds = Counter(type(outcome) for outcome in outcomes)
    assert kinds == {Order: 2, VoucherRefused: PEOPLE - 2}
    assert Voucher.objects.with_uses().get().uses == 2


@pytest.mark.parametrize("round_number", range(3))
def test_one_name_is_given_to_one_pizza(margherita, cooks, round_number):
    fields = {"name": "Bismarck", "base_price": Decimal("14.00")}

    def adding(cook):
        def add():
            try:
                return add_pizza(fields=fields, actor=cook, now=FRIDAY_EVENING)
            except ValidationError as refusal:
                return refusal

        return add

    outcomes = at_once([adding(cook) for cook in cooks])

    kinds = Counter(type(outcome) for outcome in outcomes)
    assert kinds == {Pizza: 1, ValidationError: PEOPLE - 1}
    assert Pizza.objects.filter(name="Bismarck").count() == 1
