"""Each type of event that docs/events.md lists has somebody who causes it."""

import re
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.urls import reverse

from mario.identity.people import find_or_create_account
from pizzeria.customers import services as customers
from pizzeria.events.models import OutboxEvent
from pizzeria.events.types import EventType
from pizzeria.kitchen import services as kitchen
from pizzeria.menu import services as menu_services
from pizzeria.notifications import services as notifications
from pizzeria.notifications.models import Notification
from pizzeria.orders.services import move_order, refund_order
from pizzeria.orders.transitions import Status
from pizzeria.ratings.services import rate_order
from pizzeria.restaurant import services as restaurant
from pizzeria.vouchers.services import save_voucher
from tests.pizzeria.conftest import CONTACT, FRIDAY_EVENING
from tests.shop import ROOT

# What every event says, and the documentation once for all of them.
COMMON = {"aggregate_id"}


def documented() -> dict[str, set[str]]:
    """What the table says that each type holds."""
    page = (ROOT / "docs" / "events.md").read_text()
    table = page.partition("<!-- events: begin -->")[2].partition("<!-- events: end")[0]
    rows = re.findall(r"^\| `([a-z.0-9]+)` \| (.*) \|$", table, re.MULTILINE)
    # What follows a colon or a semicolon explains.
    return {
        name: set(re.findall(r"`(\w+)`", re.split("[:;]", data)[0]))
        for name, data in rows
    }


def type_of(event: OutboxEvent) -> str:
    return event.type.removeprefix("io.mario-pizzeria.")


def told_of(person: User) -> list[str]:
    events = OutboxEvent.objects.filter(aggregate=f"customer:{person.pk}")
    return [
        type_of(event).removeprefix("customer.").removesuffix(".v1")
        for event in events.order_by("pk")
    ]


@pytest.fixture
def everything(order_of, browser_of, peach, luigi, yoshi, daisy):
    """Let everything happen that can happen in the shop."""
    _an_order_goes_all_ways(order_of(peach), luigi, yoshi)
    cancelled = order_of(peach)
    _move(cancelled, luigi, Status.CANCELLED)
    kitchen.take_note_of_cancellation(
        order_id=cancelled.pk, actor=luigi, now=FRIDAY_EVENING
    )
    rated = order_of(peach)
    _move(rated, luigi, Status.COOKING, Status.READY)
    _move(rated, yoshi, Status.DELIVERING, Status.DELIVERED)
    rate_order(order_id=rated.pk, customer=peach, stars=5, words="", now=FRIDAY_EVENING)
    refund_order(
        order_id=cancelled.pk,
        amount=Decimal(1),
        reason="Sorry",
        actor=daisy,
        now=FRIDAY_EVENING,
    )
    kitchen.set_capacity(capacity=7, actor=daisy, now=FRIDAY_EVENING)
    _the_menu_changes(daisy)
    restaurant.change_rules(
        fields={"delivery_area": ["0018"]}, actor=daisy, now=FRIDAY_EVENING
    )
    fields = {"code": "PIZZA20", "value": Decimal(20)}
    save_voucher(fields=fields, actor=daisy, now=FRIDAY_EVENING)
    told = Notification.objects.of(peach).latest("pk")
    notifications.dismiss(notification_id=told.pk, person=peach, now=FRIDAY_EVENING)
    notifications.mark_all_read(person=peach, now=FRIDAY_EVENING)
    browser_of(peach).post(reverse("logout"))
    find_or_create_account({"iss": "https://realm.example.com", "sub": "4711"})
    _rename(peach, "Princess")
    customers.update_profile(user=peach, fields={"phone": "+12025550143"})
    customers.erase_customer(user=User.objects.create_user("wario"))


def _an_order_goes_all_ways(order, luigi, yoshi):
    kitchen.assign(order_id=order.pk, cook=luigi, actor=luigi, now=FRIDAY_EVENING)
    _move(order, luigi, Status.COOKING, Status.CONFIRMED, Status.COOKING)
    kitchen.tick_line(
        order_id=order.pk,
        line_id=order.lines.get().pk,
        is_ticked=True,
        actor=luigi,
        now=FRIDAY_EVENING,
    )
    _move(order, luigi, Status.COOKING, Status.READY)
    _move(order, yoshi, Status.DELIVERING, Status.READY)
    _move(order, yoshi, Status.DELIVERING, Status.DELIVERED)
    _move(order, yoshi, Status.DELIVERING, Status.DELIVERED)


def _move(order, actor, *stages):
    for to in stages:
        move_order(order_id=order.pk, to=to, actor=actor, now=FRIDAY_EVENING)


def _the_menu_changes(daisy):
    by = {"actor": daisy, "now": FRIDAY_EVENING}
    fields = {"name": "Bianca", "base_price": Decimal("11.00")}
    pizza = menu_services.add_pizza(fields=fields, **by)
    for change in (
        {"description": "Without tomatoes."},
        {"base_price": Decimal("11.50")},
        {"toppings": ["Mushrooms"]},
        {"is_available": False},
    ):
        menu_services.edit_pizza(pizza_id=pizza.pk, fields=change, **by)
    menu_services.retire_pizza(pizza_id=pizza.pk, **by)


def _rename(person, first_name):
    person.first_name = first_name
    person.save(update_fields=["first_name"])


def test_every_type_happens_and_holds_what_is_documented(everything):
    seen: dict[str, set[str]] = {}
    for event in OutboxEvent.objects.all():
        seen.setdefault(type_of(event), set()).update(event.data)

    assert seen.keys() == set(EventType)
    assert {name: keys - COMMON for name, keys in seen.items()} == documented()


class TestPeople:
    def test_are_registered_once_with_what_is_known(self, db):
        with transaction.atomic():
            wario = User.objects.create_user("wario", "wario@example.com")
        wario.save()

        assert told_of(wario) == ["registered", "profile.created"]
        registered = OutboxEvent.objects.get(type__endswith="registered.v1")
        assert registered.data["email"] == "wario@example.com"

    def test_who_is_not_made_is_not_told_of(self, db):
        with transaction.atomic():
            User.objects.create_user("wario")
            transaction.set_rollback(True)

        assert not OutboxEvent.objects.exists()

    def test_another_name_is_told_and_the_same_is_not(self, peach):
        before = told_of(peach)

        _rename(peach, "Peach")
        peach.save()
        assert told_of(peach) == before

        _rename(peach, "Princess")
        peach.email = "peach@example.com"
        peach.save()
        assert told_of(peach) == before + ["details.updated"] * 2
        last = OutboxEvent.objects.latest("pk")
        assert (last.data["name"], last.data["email"]) == (
            "Princess",
            "peach@example.com",
        )

    def test_a_contact_is_told_when_it_is_another_one(self, peach):
        before = told_of(peach)

        customers.update_profile(user=peach, fields={"allergies": "Nuts"})
        assert told_of(peach) == before

        for _ in range(2):
            customers.remember_contact(user=peach, contact=CONTACT, keep_address=True)
        assert told_of(peach) == [*before, "contact.updated"]
        told = OutboxEvent.objects.latest("pk").data
        assert told["phone"] == CONTACT.customer_phone
        assert told["address"] == CONTACT.customer_address

        customers.remove_address(user=peach, address_id=peach.addresses.get().pk)
        assert OutboxEvent.objects.latest("pk").data["address"] == ""

    def test_a_login_and_its_end_are_told_with_the_audit(self, browser_of, peach):
        before = told_of(peach)

        browser = browser_of(peach)
        assert told_of(peach) == [*before, "logged.in"]
        browser.post(reverse("logout"))
        browser.post(reverse("logout"))

        assert told_of(peach) == [*before, "logged.in", "logged.out"]

    def test_an_erased_person_leaves_the_outbox_too(self, peach, order_of):
        customers.update_profile(user=peach, fields={"phone": "+12025550143"})
        number = peach.pk

        customers.erase_customer(user=peach)

        left = OutboxEvent.objects.filter(aggregate=f"customer:{number}")
        assert [type_of(event) for event in left] == ["customer.erased.v1"]


def test_each_of_several_notifications_is_told_as_read(order_of, peach, luigi):
    _move(order_of(peach), luigi, Status.COOKING, Status.READY)

    assert notifications.mark_all_read(person=peach, now=FRIDAY_EVENING) == 2
    assert notifications.mark_all_read(person=peach, now=FRIDAY_EVENING) == 0

    read = OutboxEvent.objects.filter(type__endswith="notification.read.v1")
    assert {int(event.data["notification_id"]) for event in read} == set(
        Notification.objects.values_list("pk", flat=True)
    )
