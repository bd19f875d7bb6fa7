from datetime import UTC, datetime

import hypothesis
import pytest
from django.contrib.auth.models import Group, User
from django.contrib.sessions.backends.base import SessionBase
from django.test import Client
from rest_framework.test import APIClient

from pizzeria.cart.lines import CartLine
from pizzeria.menu.models import Pizza
from pizzeria.menu.pricing import Size
from pizzeria.menu.seed import seed_menu
from pizzeria.orders.contact import Contact, PaymentMethod
from pizzeria.orders.models import Order
from pizzeria.orders.services import place_order

# A shared machine may pause a test for longer than Hypothesis allows an example.
hypothesis.settings.register_profile("shop", hypothesis.settings(), deadline=None)
hypothesis.settings.load_profile("shop")

FRIDAY_EVENING = datetime(2026, 11, 20, 19, 30, tzinfo=UTC)
CHECKOUT = {
    "customer_phone": "(202) 555-0143",
    "customer_address": "1 Castle Road, Toadstool",
    "payment_method": "cash",
}
CONTACT = Contact(
    customer_phone="+12025550143",
    customer_address="1 Castle Road, Toadstool",
    payment_method=PaymentMethod.CASH,
)


class MemorySession(SessionBase):
    """A session that is kept nowhere."""

    def load(self):
        return {}


def _person(username, first_name, group=None):
    person = User.objects.create_user(username, first_name=first_name)
    if group:
        person.groups.add(Group.objects.get(name=group))
    return person


@pytest.fixture
def peach(db):
    """Orders pizza."""
    return _person("peach", "Peach", "customer")


@pytest.fixture
def toad(db):
    """Orders pizza, too, and has no role at all."""
    return _person("toad", "Toad")


@pytest.fixture
def luigi(db):
    """Cooks."""
    return _person("luigi", "Luigi", "chef")


@pytest.fixture
def yoshi(db):
    """Drives."""
    return _person("yoshi", "Yoshi", "delivery_driver")


@pytest.fixture
def daisy(db):
    """Manages."""
    return _person("daisy", "Daisy", "manager")


@pytest.fixture
def everybody(peach, toad, luigi, yoshi, daisy):
    return [peach, toad, luigi, yoshi, daisy]


@pytest.fixture
def menu(db) -> dict[str, Pizza]:
    """The first menu, by name."""
    seed_menu()
    return {pizza.name: pizza for pizza in Pizza.objects.all()}


@pytest.fixture
def margherita(menu):
    return menu["Margherita"]


@pytest.fixture
def hawaiian(menu):
    return menu["Hawaiian"]


@pytest.fixture
def session() -> SessionBase:
    return MemorySession()


@pytest.fixture
def browser_of():
    """Make a browser in which somebody is logged in."""

    def browser_of(person) -> Client:
        browser = Client()
        browser.force_login(person)
        return browser

    return browser_of


@pytest.fixture
def api_of():
    """Make an API client that shares the session of a login."""

    def api_of(person) -> APIClient:
        client = APIClient()
        client.force_login(person)
        return client

    return api_of


@pytest.fixture
def order_of(margherita):
    """Place an order of one medium Margherita, worth 16.89."""

    def order_of(person, *, line_id=None, placed_at=FRIDAY_EVENING) -> Order:
        line_id = line_id or f"line-{Order.objects.count()}"
        line = cart_line(margherita, line_id)
        return place_order(
            customer=person, lines=[line], contact=CONTACT, placed_at=placed_at
        )

    return order_of


def cart_line(pizza, line_id="line-1", size=Size.MEDIUM, extras=(), quantity=1):
    return CartLine(line_id, pizza.pk, size, tuple(extras), quantity)
