"""
As many queries for a thousand rows as for ten: on every page, list and table.

The addresses are the URL resolver's own. A new one is walked without a word here, and
one with a new kind of parameter fails until it has a value.
"""

import time
from datetime import timedelta
from decimal import Decimal
from http import HTTPStatus

import pytest
from django.contrib.admin import site
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from docs.access import shop_routes
from pizzeria.cart.cart import MAX_LINES, SESSION_KEY
from pizzeria.customers.models import Address, Favourite
from pizzeria.events.models import OutboxEvent, ReceivedEvent
from pizzeria.management.models import ClosedDay, Kind, Tally
from pizzeria.menu.models import MenuChange, Pizza
from pizzeria.notifications.models import Notification
from pizzeria.orders.models import Order, OrderLine
from pizzeria.orders.transitions import Status
from pizzeria.ratings.models import Rating
from pizzeria.vouchers.models import Voucher

pytestmark = [
    pytest.mark.django_db,
    # django-unfold 0.110 overrides it without Django 6.1's new argument.
    pytest.mark.filterwarnings("ignore:Overriding get_action_choices"),
]

FEW, MANY = 10, 1_000
# What a visitor waits for most often; who asks is not theirs to look up.
AT_MOST = {"/menu/": 3, "/cart/": 3, "/api/menu/": 3, "/api/cart/": 3}
WHO_ASKS = ('FROM "auth_', 'FROM "django_content_type"')
ASKED_WITH = {"/api/menu/{pizza_id}/price/": "?size=small"}
# A server that keeps no streams has none to give.
NOT_SHOWN = {"/live/{feed}/": HTTPStatus.NO_CONTENT}


class Rows:
    """Everything that can be many, for one person who may see all of it."""

    def __init__(self) -> None:
        self.now = timezone.now()
        self.mario = User.objects.create_superuser("mario", first_name="Mario")
        self.count = 0

    def grow_to(self, count: int) -> None:
        """Bring every table to so many rows; each stage has its part of the orders."""
        new = range(self.count, count)
        self.count = count
        people = User.objects.bulk_create(User(username=f"person-{n}") for n in new)
        pizzas = Pizza.objects.bulk_create(
            Pizza(name=f"Pizza {n}", base_price=Decimal(10), toppings=["Ham"])
            for n in new
        )
        first = Pizza.objects.order_by("pk")[0]
        MenuChange.objects.bulk_create(
            MenuChange(
                pizza=first, action="edited", changed_by=person, changed_at=self.now
            )
            for person in people
        )
        Favourite.objects.bulk_create(
            Favourite(user=self.mario, pizza=pizza) for pizza in pizzas
        )
        Address.objects.bulk_create(
            Address(user=self.mario, label=f"Home {n}", text=f"{n} Castle Road")
            for n in new
        )
        Voucher.objects.bulk_create(Voucher(code=f"CODE-{n}", value=10) for n in new)
        orders = self._orders(people, pizzas)
        Notification.objects.bulk_create(
            Notification(
                recipient=self.mario, title="Ready", order=order, created_at=self.now
            )
            for order in orders
        )
        Rating.objects.bulk_create(
            Rating(order=order, stars=5, words="Hot", rated_at=self.now, cook=person)
            for order, person in zip(orders, people, strict=True)
        )
        self._events(new)
        self._books(new)

    def _orders(self, people: list[User], pizzas: list[Pizza]) -> list[Order]:
        stages = list(Status)
        orders = Order.objects.bulk_create(
            self._order(stages[number % len(stages)], number, person)
            for number, person in enumerate(people)
        )
        OrderLine.objects.bulk_create(
            OrderLine(
                order=order,
                cart_line_id=f"{order.pk}-{side}",
                pizza=pizzas[order.pk % len(pizzas)],
                name=pizzas[order.pk % len(pizzas)].name,
                size="medium",
                extra_toppings=["Ham"],
                unit_price=Decimal(10),
                quantity=1,
            )
            for order in orders
            for side in ("left", "right")
        )
        return orders

    def _order(self, status: Status, number: int, person: User) -> Order:
        placed_at = self.now - timedelta(minutes=10 + number)
        return Order(
            # Half are one's own; the rest has somebody else for everything.
            customer=self.mario if number % 2 else person,
            customer_name="Mario",
            payment_method="cash",
            status=status,
            total_amount=Decimal(20),
            placed_at=placed_at,
            confirmed_at=placed_at,
            cooking_at=placed_at,
            ready_at=placed_at,
            delivering_at=placed_at,
            delivered_at=self.now if status is Status.DELIVERED else None,
            cancelled_at=self.now if status is Status.CANCELLED else None,
            cooked_by=person,
            readied_by=person,
            delivered_by=person,
            driver=self.mario if status is Status.DELIVERING else None,
            stop_number=number + 1 if status is Status.DELIVERING else None,
        )

    def _events(self, new: range) -> None:
        OutboxEvent.objects.bulk_create(
            OutboxEvent(
                event_id=f"{n}",
                aggregate=f"order:{n}",
                type="it",
                data={},
                occurred_at=self.now,
            )
            for n in new
        )
        ReceivedEvent.objects.bulk_create(
            ReceivedEvent(
                source="it",
                event_id=f"{n}",
                received_at=self.now,
                received_from=self.mario,
            )
            for n in new
        )

    def _books(self, new: range) -> None:
        day, _ = ClosedDay.objects.get_or_create(
            day=(self.now - timedelta(days=20)).date(),
            defaults={"closed_at": self.now},
        )
        Tally.objects.bulk_create(
            Tally(
                closed_day=day,
                kind=kind,
                key=str(n),
                orders=1,
                pizzas=1,
                revenue=10,
            )
            for kind in Kind
            for n in new
            # A day has no more hours.
            if kind is not Kind.HOUR or n < 24
        )


@pytest.fixture
def rows() -> Rows:
    return Rows()


def browser_of(rows: Rows) -> Client:
    client = Client()
    client.force_login(rows.mario)
    session = client.session
    # Some of it asks for a recent login besides.
    session["user_info"] = {"auth_time": int(time.time())}
    session[SESSION_KEY] = {
        f"line-{n}": {"pizza": pk, "size": "small", "quantity": 1, "extra_toppings": []}
        for n, pk in enumerate(
            Pizza.objects.order_by("pk").values_list("pk", flat=True)[:MAX_LINES]
        )
    }
    session.save()
    return client


def parameters(rows: Rows, client: Client) -> dict[str, object]:
    """Say what stands for each part of an address: something with many rows to show."""
    mine = Order.objects.of(rows.mario)[0]
    page = client.get(mine.get_absolute_url()).context
    return {
        "pizza_id": Pizza.objects.order_by("pk")[0].pk,
        "order_id": mine.pk,
        "line_id": mine.lines.all()[0].pk,
        "address_id": rows.mario.addresses.all()[0].pk,
        "notification_id": Notification.objects.all()[0].pk,
        "key": client.get("/cart/").context["cart"].rows[0].key,
        "token": page["share_url"].rstrip("/").rpartition("/")[2],
        "voucher_id": Voucher.objects.all()[0].pk,
        "table": "sales",
        "feed": "orders",
    }


def pages() -> list[tuple[str, list[str]]]:
    """Return every address that can be looked at, with `{name}` for its parts."""
    shop = []
    for route, pattern in shop_routes():
        address, names = route, list(pattern.pattern.converters)
        for name in names:
            before, _, rest = address.partition("<")
            address = f"{before}{{{name}}}{rest.partition('>')[2]}"
        shop.append((address, names))
    # Sessions are no rows of the database.
    of_admin = [
        reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist")
        for meta in (model._meta for model in site._registry)
        if meta.managed
    ]
    return [*shop, *((address, []) for address in ["/admin/", *of_admin])]


def asked(rows: Rows) -> dict[str, list[str]]:
    """Look at every address, and say what each asked the database for."""
    client = browser_of(rows)
    known = parameters(rows, client)
    found = {}
    for address, names in pages():
        path = address.format(**{name: known[name] for name in names})
        path += ASKED_WITH.get(address, "")
        with CaptureQueriesContext(connection) as captured:
            answer = client.get(path, follow=True)
        if answer.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            continue
        wanted = NOT_SHOWN.get(address, HTTPStatus.OK)
        assert answer.status_code == wanted, f"{path}: {answer.status_code}"
        found[address] = [query["sql"] for query in captured]
    return found


def test_no_address_asks_more_often_when_there_is_more_to_show(rows):
    rows.grow_to(FEW)
    few = asked(rows)
    rows.grow_to(MANY)
    many = asked(rows)

    grew = {
        address: (len(few[address]), len(many[address]), many[address])
        for address in few
        if len(few[address]) != len(many[address])
    }
    assert len(few) > 40
    assert {"/orders/", "/api/orders/", "/admin/orders/order/"} <= few.keys()
    assert not grew, grew
    for address, limit in AT_MOST.items():
        its_own = [
            sql for sql in many[address] if not any(who in sql for who in WHO_ASKS)
        ]
        assert len(its_own) <= limit, its_own
