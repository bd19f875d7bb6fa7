"""Faults of the database and of clients, against the shop as real processes."""

import json
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.faults.network import Proxy
from tests.postgresql import PostgreSQL
from tests.servers import Valkey, free_port, wait_until
from tests.shop import Shop

pytestmark = pytest.mark.slow

_CHECKOUT = {
    "customer_phone": "+12025550143",
    "customer_address": "1 Castle Road, Toadstool",
    "payment_method": "cash",
}
_LOG_IN = """
from django.contrib.auth.models import User
from django.test import Client
client = Client(SERVER_NAME="localhost")
client.force_login(User.objects.get_or_create(username="peach")[0])
print("session", client.cookies["mario_session"].value)
"""
_COUNT = """
from pizzeria.orders.models import Order
print("orders", *(order.total_amount for order in Order.objects.all()))
"""
# What PostgreSQL says once a transaction is on its disk.
_COMMITTED = b"COMMIT\x00"


@pytest.fixture(scope="module")
def sessions(tmp_path_factory) -> Iterator[Valkey]:
    # The one of the other tests is emptied by each of them.
    with Valkey(tmp_path_factory.mktemp("valkey")) as valkey:
        yield valkey


def shop_on(folder: Path, database_url: str, sessions: Valkey) -> Shop:
    return Shop(
        free_port(),
        folder,
        DATABASE_URL=database_url,
        REDIS_URL=sessions.url,
        KEYCLOAK_SERVER_URL="http://localhost:9",
        KEYCLOAK_PUBLIC_URL="http://localhost:9",
    )


class Caller:
    """Peach, who orders by the API with the session of her browser."""

    def __init__(self, shop: Shop) -> None:
        key = shop.manage("shell", "-v0", "-c", _LOG_IN).split("session ")[1].split()[0]
        self.http = httpx.Client(
            base_url=shop.url,
            headers={"Referer": shop.url},
            timeout=30,
        )
        # As the cookie jar calls a host without a dot.
        self.http.cookies.set("mario_session", key, domain="localhost.local")
        self.http.get("/profile/edit/")
        self.http.headers["X-CSRFToken"] = self.http.cookies["csrftoken"]

    def fill_the_cart(self) -> None:
        pizza = self.http.get("/api/menu/").json()[0]["id"]
        item = {"pizza": pizza, "size": "medium", "quantity": 1}
        assert self.http.post("/api/cart/items/", json=item).status_code == 201

    def order(self, key: str) -> httpx.Response:
        headers = {"Idempotency-Key": key}
        return self.http.post("/api/orders/", json=_CHECKOUT, headers=headers)


def orders_of(shop: Shop) -> list[str]:
    return shop.manage("shell", "-v0", "-c", _COUNT).split("orders")[1].split()


@pytest.fixture(scope="module")
def stage(sessions) -> Iterator[tuple[Shop, Proxy, Caller]]:
    # Not in pytest's own folder, which the server's user may not enter.
    folder = Path(tempfile.mkdtemp(prefix="mario-faults-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        server = stack.enter_context(PostgreSQL(folder))
        address = urlsplit(server.url)
        assert address.port is not None
        proxy = stack.enter_context(Proxy(address.port))
        way = server.url.replace(str(address.port), str(proxy.port))
        shop = stack.enter_context(shop_on(folder, way, sessions).prepare())
        peach = Caller(shop)
        stack.callback(peach.http.close)
        yield shop, proxy, peach


@pytest.mark.postgresql
class TestTheDatabase:
    @pytest.fixture(autouse=True)
    def _healed(self, stage):
        yield
        stage[1].heal()

    def test_away_is_said_and_loses_nothing(self, stage):
        """Fault 48: pages and API say so, and no order is half there."""
        shop, proxy, peach = stage
        peach.fill_the_cart()
        before = orders_of(shop)

        proxy.refuse()
        for path in ("/menu/", "/orders/", "/cart/"):
            page = peach.http.get(path)
            assert page.status_code == 503
            assert page.headers["Retry-After"] == "5"
            assert "Your cart, your login and your orders are kept" in page.text
        call, placing = peach.http.get("/api/menu/"), peach.order("while-away")
        for answer in (call, placing):
            assert answer.status_code == 503
            assert answer.json()["code"] == "unavailable"
        assert peach.http.get("/health").status_code == 200
        assert peach.http.get("/ready").status_code == 503
        proxy.heal()

        wait_until(lambda: peach.http.get("/ready").status_code == 200, seconds=30)
        assert peach.http.get("/menu/").status_code == 200
        assert orders_of(shop) == before
        assert peach.order("afterwards").status_code == 201
        assert len(orders_of(shop)) == len(before) + 1

    def test_lost_after_the_order_was_written_it_is_the_same_order_again(self, stage):
        """Fault 49: the connection ends between the commit and its receipt."""
        shop, proxy, peach = stage
        peach.fill_the_cart()
        before = orders_of(shop)

        proxy.lose_a_reply(_COMMITTED)
        lost = peach.order("asked-twice")
        assert lost.status_code == 503
        written = orders_of(shop)
        assert len(written) == len(before) + 1

        again = peach.order("asked-twice")
        assert again.status_code == 201
        assert orders_of(shop) == written
        assert again.json()["total_amount"] in written
        # The cart of an order that was placed is not placed again, either.
        assert peach.order("another-key").status_code in {201, 400}
        assert orders_of(shop) == written

    def test_connections_that_a_restart_has_ended_fail_nobody(self, stage):
        _, proxy, peach = stage
        for _ in range(3):
            assert peach.http.get("/menu/").status_code == 200

        proxy.cut()

        assert [peach.http.get("/menu/").status_code for _ in range(5)] == [200] * 5


def test_a_database_that_was_not_migrated_is_not_ready(tmp_path, sessions):
    """Fault 54: the process lives, says what is missing, and takes it up by itself."""
    shop = shop_on(tmp_path, f"sqlite:///{tmp_path / 'new.sqlite3'}", sessions)
    with shop:
        asked = httpx.get(f"{shop.url}/ready")
        assert asked.status_code == 503
        assert asked.json()["checks"]["database"] is False
        assert httpx.get(f"{shop.url}/menu/").status_code == 503
        assert "Run `manage.py migrate`" in shop.log

        # All but a part is not ready, either.
        shop.manage("migrate", "--verbosity=0")
        shop.manage("migrate", "--verbosity=0", "notifications", "zero")
        assert httpx.get(f"{shop.url}/ready").status_code == 503

        shop.prepare()
        assert httpx.get(f"{shop.url}/ready").status_code == 200
        assert httpx.get(f"{shop.url}/menu/").status_code == 200


@pytest.fixture(scope="module")
def shop(tmp_path_factory, sessions):
    folder = tmp_path_factory.mktemp("clients")
    shop = shop_on(folder, f"sqlite:///{folder / 'shop.sqlite3'}", sessions)
    with shop.prepare():
        yield shop


@pytest.fixture
def peach(shop) -> Iterator[Caller]:
    peach = Caller(shop)
    yield peach
    peach.http.close()


class TestClients:
    """Fault 56: what a client does to itself it does not do to others."""

    @pytest.mark.parametrize(
        "begun",
        [
            b"GET / HTTP/1.1\r\nHost: localhost\r\n",
            b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999\r\n\r\n",
        ],
        ids=["head", "body"],
    )
    def test_slow_ones_hold_no_thread_for_long(self, shop, begun):
        """More of them than there are threads, and none ever finishes."""
        with ExitStack() as slow:
            connections = [
                slow.enter_context(socket.create_connection(("127.0.0.1", shop.port)))
                for _ in range(12)
            ]
            for connection in connections:
                connection.sendall(begun)

            answered = _while_they_drip(connections, f"{shop.url}/health")

        assert answered

    def test_a_large_body_is_read_by_nobody(self, peach):
        large = b"x" * 10_000_000
        form = {"Content-Type": "application/x-www-form-urlencoded"}

        page = peach.http.post("/cart/add/", content=large, headers=form)
        call = peach.http.post(
            "/api/cart/items/", content=b'"' + large + b'"', headers=_JSON
        )

        assert (page.status_code, call.status_code) == (413, 413)
        assert "more than we can carry" in page.text
        assert call.json()["code"] == "too_large"

    def test_a_body_without_a_length_is_refused(self, peach):
        def pieces():
            yield b'{"pizza": 1,'
            yield b'"size": "medium"}'

        call = peach.http.post("/api/cart/items/", content=pieces(), headers=_JSON)

        assert call.status_code == 411
        assert call.json()["code"] == "length_required"

    def test_half_an_order_is_none(self, shop, peach):
        """The upload ends early, after what would be a whole form of its own."""
        peach.fill_the_cart()
        body = json.dumps(_CHECKOUT).encode()
        cookies = "; ".join(f"{k}={v}" for k, v in peach.http.cookies.items())
        head = (
            "POST /api/orders/ HTTP/1.1\r\nHost: localhost\r\n"
            f"Cookie: {cookies}\r\nX-CSRFToken: {peach.http.cookies['csrftoken']}\r\n"
            f"Referer: {shop.url}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body) + 40}\r\n\r\n"
        )

        with socket.create_connection(("127.0.0.1", shop.port)) as client:
            client.sendall(head.encode() + body)
            client.shutdown(socket.SHUT_WR)
            client.settimeout(20)
            answer = client.recv(65536)

        assert b" 400 " in answer.split(b"\r\n", 1)[0]
        assert orders_of(shop) == []
        assert peach.order("whole").status_code == 201


_JSON = {"Content-Type": "application/json"}


def _while_they_drip(connections: list[socket.socket], url: str) -> bool:
    """Let each send a byte now and then, until somebody else is served."""
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        for connection in connections:
            try:
                connection.sendall(b"x")
            except OSError:
                connection.close()
        try:
            return httpx.get(url, timeout=0.5).is_success
        except httpx.TimeoutException:
            continue
    return False


class TestARollingRestart:
    """Fault 55: the shop takes up new code and settings, and nobody notices."""

    VISITORS = 4
    RESTARTS = 3

    def test_fails_no_request(self, shop):
        over = threading.Event()
        answers: list[object] = []

        def visit() -> None:
            while not over.is_set():
                try:
                    # A connection of its own each time, as from somebody new.
                    page = httpx.get(f"{shop.url}/menu/", timeout=60)
                    answers.append(page.status_code)
                except httpx.HTTPError as error:
                    answers.append(error)

        def serve_some() -> None:
            before = len(answers)
            wait_until(lambda: len(answers) >= before + 20, seconds=60)

        with ExitStack() as stack:
            visitors = [threading.Thread(target=visit) for _ in range(self.VISITORS)]
            for visitor in visitors:
                visitor.start()
                stack.callback(visitor.join, 90)
            stack.callback(over.set)
            for _ in range(self.RESTARTS):
                serve_some()
                _restart(shop)
            serve_some()

        assert set(answers) == {200}


def _restart(shop: Shop) -> None:
    """Ask gunicorn for a new worker in the place of its old one."""
    assert shop.process is not None
    before = shop.log.count("Worker exiting")

    shop.process.send_signal(signal.SIGHUP)

    wait_until(lambda: shop.log.count("Worker exiting") > before, seconds=60)


class OnAFullDisk(Shop):
    """Nothing that it logs can be written."""

    log = ""

    def __init__(self, like: Shop, folder: Path) -> None:
        super().__init__(free_port(), folder)
        self.log_file = Path("/dev/full")
        self.environment = like.environment | {"APP_URL": self.url}


def test_a_disk_that_is_full_of_logs_stops_nobody(shop, tmp_path):
    """Fault 55: whatever cannot be logged is served all the same."""
    full = OnAFullDisk(shop, tmp_path)

    with full:
        for path, status in (("/menu/", 200), ("/nowhere/", 404), ("/ready", 200)):
            assert httpx.get(f"{full.url}{path}").status_code == status
