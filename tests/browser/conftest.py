from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone

from pizzeria.cart.lines import CartLine
from pizzeria.menu.models import Pizza
from pizzeria.menu.pricing import Size
from pizzeria.menu.seed import seed_menu
from pizzeria.orders.contact import Contact, PaymentMethod
from pizzeria.orders.models import Order
from pizzeria.orders.services import move_order, place_order
from pizzeria.orders.transitions import Status
from tests.browser.evening import Friday, friday_evening
from tests.environment import STATE

# The server's threads and the test's have connections of their own: they need a
# database that is a file.
settings.DATABASES["default"].setdefault("TEST", {}).setdefault(
    "NAME", str(STATE / "test.sqlite3")
)

CONTACT = Contact(
    customer_phone="+12025550143",
    customer_address="1 Castle Road, Toadstool",
    payment_method=PaymentMethod.CASH,
    notes="No nuts, please: an allergy.",
)


class Window:
    """A browser window on the shop, and everything that its console complained of."""

    def __init__(self, browser, url: str, **options) -> None:
        self.url = url
        # Playwright does not see what goes through a worker.
        options.setdefault("service_workers", "block")
        self.context = browser.new_context(base_url=url, **options)
        self.context.set_default_timeout(15_000)
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", self._listen)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _listen(self, message) -> None:
        # What the Content Security Policy refuses is reported here, too.
        is_ours = "Service Worker registration blocked" not in message.text
        if message.type in {"error", "warning"} and is_ours:
            self.complaints.append(message.text)

    def log_in(self, person: User) -> None:
        client = Client()
        client.force_login(person)
        name = settings.SESSION_COOKIE_NAME
        value = client.cookies[name].value
        self.context.add_cookies([{"name": name, "value": value, "url": self.url}])

    def see(self, path: str) -> None:
        self.page.goto(path, wait_until="load")

    def dish(self, name: str):
        heading = self.page.get_by_role("heading", name=name, exact=True)
        return self.page.locator(".dish").filter(has=heading)

    def fill_cart(self) -> None:
        self.see("/menu/")
        dish = self.dish("Pepperoni")
        dish.get_by_text("Extra toppings").first.click()
        dish.get_by_label("Olives").check()
        dish.get_by_role("button", name="Add Pepperoni").click()
        self.page.locator("#cart-count", has_text="1").wait_for()


@pytest.fixture(scope="module")
def friday(browser, tmp_path_factory) -> Iterator[Friday]:
    with friday_evening(browser, tmp_path_factory.mktemp("friday")) as evening:
        yield evening


@pytest.fixture
def menu(transactional_db) -> list[Pizza]:
    seed_menu()
    return list(Pizza.objects.all())


@pytest.fixture
def window(browser, live_server, menu):
    windows: list[Window] = []

    def open_window(person: User | None = None, **options) -> Window:
        opened = Window(browser, live_server.url, **options)
        windows.append(opened)
        if person is not None:
            opened.log_in(person)
        return opened

    yield open_window
    for opened in windows:
        opened.context.close()


@pytest.fixture
def peach(transactional_db) -> User:
    """Orders pizza."""
    return User.objects.create_user("peach", first_name="Peach")


@pytest.fixture
def luigi(transactional_db) -> User:
    """Cooks."""
    luigi = User.objects.create_user("luigi", first_name="Luigi")
    luigi.groups.add(Group.objects.get_or_create(name="chef")[0])
    return luigi


@pytest.fixture
def order_of(menu):
    """Make an order that is so many minutes old and has come so far."""

    def order_of(
        customer: User, *, minutes: int = 0, status: Status = Status.CONFIRMED
    ) -> Order:
        placed_at = timezone.now() - timedelta(minutes=minutes)
        serial = f"{datetime.now(tz=UTC).timestamp()}".replace(".", "-")
        order = place_order(
            customer=customer,
            lines=[
                CartLine(f"{serial}-a", menu[0].pk, Size.MEDIUM, (), 1),
                CartLine(f"{serial}-b", menu[1].pk, Size.LARGE, ("Olives",), 2),
            ],
            contact=CONTACT,
            placed_at=placed_at,
        )
        cook = User.objects.get_or_create(username="bowser", is_superuser=True)[0]
        for step in (Status.COOKING, Status.READY):
            if order.status == status:
                break
            move_order(order_id=order.pk, to=step, actor=cook, now=timezone.now())
            order.refresh_from_db()
        return order

    return order_of
