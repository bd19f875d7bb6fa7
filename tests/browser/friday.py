"""
A Friday evening for pictures: people, orders of every kind, and a month behind them.

Run beside a shop, with its environment: `python -m tests.browser.friday` fills the
database and prints, as JSON, everybody's session cookie and the parts of addresses.
"""

import json
import re
import time
from datetime import timedelta
from decimal import Decimal
from typing import Any

import django

django.setup()

# ruff: noqa: E402  # what follows needs the set-up

from django.conf import settings
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from mario.account.models import AuditEntry
from mario.identity.login_session import USER_INFO
from pizzeria.cart.lines import CartLine
from pizzeria.customers import services as customers
from pizzeria.delivery import services as delivery
from pizzeria.events.models import OutboxEvent
from pizzeria.kitchen.models import Kitchen
from pizzeria.kitchen.services import set_capacity, tick_line
from pizzeria.menu.models import Pizza
from pizzeria.menu.pricing import Size
from pizzeria.notifications.models import Notification
from pizzeria.orders.contact import Contact, PaymentMethod
from pizzeria.orders.models import Order
from pizzeria.orders.services import move_order, place_order
from pizzeria.orders.transitions import Fulfilment, Status
from pizzeria.ratings.services import rate_order
from pizzeria.restaurant.hours import Weekday
from pizzeria.restaurant.services import change_rules
from pizzeria.vouchers.services import save_voucher

ROLES = {
    "peach": "customer",
    "toad": "customer",
    "luigi": "chef",
    "yoshi": "delivery_driver",
    "daisy": "manager",
}
NOW = timezone.now()

_LOOKED_AT_SECONDS = 3600


def person(name: str, role: str) -> User:
    one = User.objects.create_user(
        name, first_name=name.capitalize(), email=f"{name}@castle.example"
    )
    one.groups.add(Group.objects.get(name=role))
    return one


def order(
    customer: User, pizza: Pizza, *extras: str, minutes: int, **contact: str
) -> Order:
    said: dict[str, Any] = {
        "customer_phone": "+12025550143",
        "customer_address": "1 Castle Road, Toadstool",
        "payment_method": PaymentMethod.CASH,
        **contact,
    }
    lines = [
        CartLine(f"{minutes}-a", pizza.pk, Size.LARGE, extras, 2),
        CartLine(f"{minutes}-b", Pizza.objects.earliest("pk").pk, Size.SMALL, (), 1),
    ]
    return place_order(
        customer=customer,
        lines=lines,
        contact=Contact(**said),
        placed_at=NOW - timedelta(minutes=minutes),
    )


def cook(order: Order, chef: User, *, until: Status, minutes: int) -> None:
    for step in (Status.COOKING, Status.READY):
        at = NOW - timedelta(minutes=minutes)
        move_order(order_id=order.pk, to=step, actor=chef, now=at)
        if step is until:
            return


def record_event() -> None:
    """Leave one for nobody: this shop tells none, and the admin has a page of them."""
    OutboxEvent.objects.create(
        event_id="0" * 32,
        source="https://mario-pizzeria.io",
        type="io.mario-pizzeria.order.placed.v1",
        subject="1",
        aggregate="order:1",
        data={"order_id": "1", "total_amount": "65.95"},
        occurred_at=NOW,
        parked_at=NOW,
        tries=5,
        last_error="404 Not Found",
    )


def log_in(one: User) -> Client:
    client = Client(SERVER_NAME="localhost")
    client.force_login(one)
    session = client.session
    # As the login leaves it: some pages ask for one that is recent. It stays so for as
    # long as all pages are looked at.
    lately = int(time.time()) + _LOOKED_AT_SECONDS
    session[USER_INFO] = {"sub": str(one.pk), "auth_time": lately}
    session.save()
    return client


def first(pattern: str, page: Any) -> str:
    found = re.search(pattern, page.content.decode())
    assert found is not None
    return found[0]


def make() -> dict[str, object]:
    call_command("seed_demo", orders=600, days=45, verbosity=0)
    peach, toad, luigi, yoshi, daisy = (person(*one) for one in ROLES.items())
    mario = User.objects.create_superuser("mario", first_name="Mario")
    # Given with the realm's role, at the login that is left out here.
    daisy.user_permissions.add(Permission.objects.get(codename="end_staff_sessions"))
    pizzas = {pizza.name: pizza for pizza in Pizza.objects.all()}
    Pizza.objects.filter(name="BBQ Chicken").update(is_available=False)
    set_capacity(capacity=4, actor=daisy, now=NOW)
    rules = {
        # A whole day each: the pictures are drawn at any hour.
        "hours": [
            {"weekday": day, "opens": "11:30", "closes": "11:30"} for day in Weekday
        ],
        "delivery_minimum": Decimal("15.00"),
    }
    change_rules(fields=rules, actor=daisy, now=NOW)
    voucher = save_voucher(
        fields={"code": "PIZZA20", "value": Decimal(20), "most_uses": 500},
        actor=daisy,
        now=NOW,
    )
    home = customers.save_address(
        user=peach, label="Home", text="1 Castle Road\nToadstool"
    )
    customers.save_address(user=peach, label="Work", text="5 Sand Lane, Toadstool")
    customers.set_favourite(user=peach, pizza=pizzas["Hawaiian"], is_favourite=True)

    eaten = order(peach, pizzas["Pepperoni"], minutes=240)
    cook(eaten, luigi, until=Status.READY, minutes=215)
    delivery.take(order_id=eaten.pk, driver=yoshi, now=NOW - timedelta(minutes=210))
    delivery.deliver(order_id=eaten.pk, driver=yoshi, now=NOW - timedelta(minutes=190))
    praised = order(peach, pizzas["Margherita"], minutes=300)
    cook(praised, luigi, until=Status.READY, minutes=285)
    delivery.take(order_id=praised.pk, driver=yoshi, now=NOW - timedelta(minutes=280))
    delivery.deliver(
        order_id=praised.pk, driver=yoshi, now=NOW - timedelta(minutes=270)
    )
    rate_order(
        order_id=praised.pk,
        customer=peach,
        stars=4,
        words="Hot and crisp; the bell is broken, sorry!",
        now=NOW,
    )
    for minutes, pizza in ((44, "Vegetarian"), (38, "Meat Lovers")):
        driven = order(toad, pizzas[pizza], minutes=minutes)
        cook(driven, luigi, until=Status.READY, minutes=minutes - 15)
        delivery.take(order_id=driven.pk, driver=yoshi, now=NOW)
    for minutes in (33, 27):
        ready = order(
            toad,
            pizzas["Hawaiian"],
            minutes=minutes,
            customer_address=f"{minutes} Sand Lane, 10115 Toadstool",
        )
        cook(ready, luigi, until=Status.READY, minutes=minutes - 20)
    cooking = order(
        toad,
        pizzas["Margherita"],
        "Olives",
        minutes=17,
        allergies="Nuts",
        notes="Cut it, please.",
    )
    cook(cooking, luigi, until=Status.COOKING, minutes=6)
    tick_line(
        order_id=cooking.pk,
        line_id=cooking.lines.earliest("pk").pk,
        is_ticked=True,
        actor=luigi,
        now=NOW,
    )
    shown = order(peach, pizzas["Hawaiian"], "Olives", minutes=14)
    cook(shown, luigi, until=Status.COOKING, minutes=3)
    for minutes in (21, 12, 2):
        order(toad, pizzas["Pepperoni"], "Mushrooms", minutes=minutes)
    change_rules(fields={"asks_approval": True}, actor=daisy, now=NOW)
    order(toad, pizzas["Pepperoni"], "Olives", minutes=1)
    change_rules(fields={"asks_approval": False}, actor=daisy, now=NOW)
    picked_up = order(
        peach,
        pizzas["Margherita"],
        minutes=5,
        fulfilment=Fulfilment.PICKUP,
        customer_address="",
    )
    cancelled = order(toad, pizzas["Vegetarian"], minutes=9)
    move_order(
        order_id=cancelled.pk,
        to=Status.CANCELLED,
        actor=toad,
        now=NOW,
        reason="Ordered twice",
    )

    record_event()
    windows = {one.username: log_in(one) for one in (peach, luigi, yoshi, daisy, mario)}
    customer, admin = windows["peach"], windows["mario"]
    sessions = "/admin/sessions_backend/session/"
    for pizza, extras in (("Hawaiian", ["Olives"]), ("Margherita", [])):
        item = {"pizza": pizzas[pizza].pk, "size": "medium", "quantity": 1}
        customer.post("/cart/add/", {**item, "extra_toppings": extras})
    customer.post("/cart/voucher/", {"code": "PIZZA20"})
    change = first(r"/cart/[^/\"]+/edit/", customer.get("/cart/"))
    page = customer.get(f"/orders/{shown.pk}/")
    return {
        "cookies": {
            name: client.cookies[settings.SESSION_COOKIE_NAME].value
            for name, client in windows.items()
        },
        "values": {
            "order": shown.pk,
            "eaten": eaten.pk,
            "pickup": picked_up.pk,
            "pizza": pizzas["Hawaiian"].pk,
            "address": home.pk,
            "change": customer.get(change)["location"],
            "profile": peach.profile.pk,
            "told": Notification.objects.filter(recipient=peach).latest("pk").pk,
            "event": OutboxEvent.objects.latest("pk").pk,
            "entry": AuditEntry.objects.latest("pk").pk,
            "kitchen": Kitchen.ONLY_ID,
            "voucher": voucher.pk,
            "session": first(f"{sessions}[0-9a-f]+/", admin.get(sessions)),
            "track": first(r"/track/[^\"]+", page),
        },
    }


if __name__ == "__main__":
    print(json.dumps(make()))  # noqa: T201  # that is what it is for
