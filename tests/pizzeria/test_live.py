"""The streams of a real server process, over real sockets."""

import asyncio
import resource
import time
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from django.contrib.auth.models import Group
from django.db import connection

from pizzeria.live.hub import Client, Hub
from pizzeria.live.publisher import Message, Publisher
from pizzeria.live.telling import close_streams_of_session
from pizzeria.orders.services import move_order
from pizzeria.orders.transitions import Status
from tests.mario.test_crawl import problems
from tests.pizzeria.conftest import FRIDAY_EVENING
from tests.pizzeria.live_server import LiveServer, Page
from tests.servers import Valkey, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("live")


@pytest.fixture(scope="module")
def _started():
    with ExitStack() as stack:
        yield stack, []


@pytest.fixture
def server(db, _started: tuple[ExitStack, list[LiveServer]], folder) -> LiveServer:
    """Started with the first test, when the test database has its name."""
    stack, servers = _started
    if not servers:
        name = str(connection.settings_dict["NAME"])
        servers.append(stack.enter_context(LiveServer(name, folder)))
    return servers[0]


@pytest.fixture
def open_page(server, browser_of):
    pages = []

    def open_page(person, feed, *, after=None, at=None, browser=None) -> Page:
        browser = browser or browser_of(person)
        page = Page(
            f"{(at or server).url}/live/{feed}/",
            browser.cookies["mario_session"].value,
            after=after,
        )
        pages.append(page)
        wait_until(lambda: page.frames or page.is_over.is_set())
        return page

    yield open_page
    for page in pages:
        page.close()


def cook(order, luigi, to=Status.COOKING):
    return move_order(order_id=order.pk, to=to, actor=luigi, now=FRIDAY_EVENING)


class TestWhoMayListen:
    @pytest.mark.parametrize(
        ("who", "feed", "status"),
        [
            ("peach", "orders", 200),
            ("peach", "kitchen", 403),
            ("peach", "management", 403),
            ("luigi", "kitchen", 200),
            ("luigi", "delivery", 403),
            ("yoshi", "delivery", 200),
            ("yoshi", "kitchen", 403),
            ("daisy", "management", 200),
            ("daisy", "nothing", 404),
        ],
    )
    def test_a_feed_has_its_role(self, request, open_page, who, feed, status):
        page = open_page(request.getfixturevalue(who), feed)

        assert page.status == status

    def test_nobody_without_a_login(self, server):
        url = f"{server.url}/live/orders/"
        answer = httpx.get(url, headers={"Cookie": "mario_session=unknown"})

        assert answer.status_code == 401
        assert answer.json()["code"] == "not_authenticated"

    def test_a_server_without_streams_says_so(self, browser_of, peach):
        """The one that serves the pages: EventSource does not ask it again."""
        assert browser_of(peach).get("/live/orders/").status_code == 204

    def test_pages_of_other_sites_read_nothing(self, open_page, peach):
        page = open_page(peach, "orders")

        assert "access-control-allow-origin" not in page.headers

    def test_a_stream_has_the_headers_of_every_answer(self, open_page, peach):
        page = open_page(peach, "orders")

        answer = SimpleNamespace(headers=page.headers, cookies={})
        assert not [*problems(answer, "live", is_secure=False)]
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["content-type"].startswith("text/event-stream")
        assert "content-length" not in page.headers


class TestWhatIsTold:
    def test_the_customer_hears_of_their_own_order_only(
        self, open_page, order_of, peach, toad, luigi
    ):
        peachs, toads = order_of(peach), order_of(toad)
        page = open_page(peach, "orders")
        page.wait_for("hello")

        cook(toads, luigi)
        cook(peachs, luigi)

        page.wait_for("change")
        changes = [change for change in page.changes if "order" in change]
        assert changes == [
            {
                "type": "order.cooking.started.v1",
                "order": peachs.pk,
                "status": "cooking",
            }
        ]

    def test_everyone_concerned_hears_of_a_change(
        self, open_page, order_of, peach, luigi, yoshi, daisy
    ):
        order = order_of(peach)
        cook(order, luigi)
        pages = [
            open_page(peach, "orders"),
            open_page(luigi, "kitchen"),
            open_page(yoshi, "delivery"),
            open_page(daisy, "management"),
        ]

        cook(order, luigi, Status.READY)

        for page in pages:
            assert page.wait_for("change")["data"]["status"] == "ready"

    def test_what_was_taken_back_is_not_told(self, open_page, order_of, peach, luigi):
        order, other = order_of(peach), order_of(peach)
        page = open_page(luigi, "kitchen")
        from django.db import transaction  # noqa: PLC0415

        with transaction.atomic():
            cook(order, luigi)
            transaction.set_rollback(True)
        cook(other, luigi)

        page.wait_for("change")
        assert [change["order"] for change in page.changes] == [other.pk]


class TestResume:
    def test_a_page_that_was_away_hears_what_it_missed(
        self, open_page, order_of, peach, luigi
    ):
        order = order_of(peach)
        first = open_page(luigi, "kitchen")
        cook(order, luigi)
        last_id = first.wait_for("change")["id"]
        first.close()
        cook(order, luigi, Status.READY)
        # Its message has to be in the stream before the page comes back.
        other = open_page(luigi, "kitchen", after=last_id)
        other.wait_for("change")
        other.close()

        again = open_page(luigi, "kitchen", after=last_id)

        again.wait_for("change")
        assert "hello" not in again.events
        assert "reset" not in again.events
        assert [change["status"] for change in again.changes] == ["ready"]

    @pytest.mark.parametrize("unknown", ["1-0", "9999999999999-0", "x' OR 1", "-"])
    def test_an_id_that_nobody_knows_makes_the_page_look_at_everything(
        self, open_page, order_of, peach, luigi, unknown
    ):
        order = order_of(peach)
        cook(order, luigi)
        page = open_page(luigi, "kitchen", after=unknown)

        page.wait_for("reset")


class TestTheEnd:
    def test_a_logout_closes_every_stream_of_its_session(
        self, open_page, browser_of, peach
    ):
        browser = browser_of(peach)
        page = open_page(peach, "orders", browser=browser)
        elsewhere = open_page(peach, "orders")

        browser.post("/auth/logout")

        assert page.wait_for("end")["data"] == {"reason": "session-ended"}
        assert page.is_over.wait(10)
        assert not elsewhere.is_over.is_set()

    def test_whoever_may_not_look_any_more_is_told_nothing(
        self, db, folder, open_page, luigi, tmp_path
    ):
        eager = tmp_path / "sitecustomize"
        eager.mkdir()
        settings = eager / "eager_settings.py"
        settings.write_text(
            "from mario.settings import *\n"
            "LIVE_RECHECK_SECONDS = 0.5\nLIVE_HEARTBEAT_SECONDS = 0.2\n"
        )
        name = str(connection.settings_dict["NAME"])
        with LiveServer(
            name,
            folder,
            PYTHONPATH=str(eager),
            DJANGO_SETTINGS_MODULE="eager_settings",
        ) as server:
            page = open_page(luigi, "kitchen", at=server)
            page.wait_for("hello")
            wait_until(lambda: page.comments > 2)
            assert not page.is_over.is_set()

            luigi.groups.remove(Group.objects.get(name="chef"))

            page.wait_for("end")
            assert page.is_over.wait(10)

    def test_a_restart_tells_pages_to_come_back(self, db, folder, open_page, peach):
        name = str(connection.settings_dict["NAME"])
        with LiveServer(name, folder) as server:
            page = open_page(peach, "orders", at=server)
            page.wait_for("hello")

            assert server.terminate() in (0, -15)

            end = page.wait_for("end")
            assert end["data"] == {"reason": "restart"}
            assert 500 <= int(end["retry"]) <= 3000


class TestManyPages:
    PAGES = 1000

    @pytest.fixture(autouse=True)
    def _may_open_them(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        yield
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    @pytest.mark.slow
    def test_a_thousand_hear_one_change_over_one_subscription_and_leave_nothing(
        self, server, browser_of, order_of, peach, luigi, redis_client
    ):
        order = order_of(peach)
        cookie = browser_of(luigi).cookies["mario_session"].value
        # The threads that ask for permission keep a connection each.
        asyncio.run(self._look(server, cookie))
        wait_until(lambda: not _readers(redis_client), seconds=30)
        before = len(redis_client.client_list())
        memory = _memory(server)

        took = asyncio.run(self._listen(server, cookie, redis_client, order, luigi))

        wait_until(lambda: len(redis_client.client_list()) <= before + 1, seconds=30)
        wait_until(lambda: not _readers(redis_client), seconds=30)
        wait_until(lambda: _sockets(server) < 20, seconds=30)
        per_page = (took["memory"] - memory) / self.PAGES
        assert per_page < 100 * 1024, took

    async def _open(self, server, cookie, count):
        wants = (
            f"GET /live/kitchen/ HTTP/1.1\r\nHost: localhost\r\n"
            f"Cookie: mario_session={cookie}\r\n\r\n"
        ).encode()

        async def open_one():
            reader, writer = await asyncio.open_connection("localhost", server.port)
            writer.write(wants)
            await reader.readuntil(b"event: hello")
            return reader, writer

        pages: list[Any] = []
        while len(pages) < count:
            pages += await asyncio.gather(
                *(open_one() for _ in range(min(50, count - len(pages))))
            )
        return pages

    async def _look(self, server, cookie):
        await self._leave(await self._open(server, cookie, 20))

    async def _leave(self, pages):
        for _, writer in pages:
            writer.transport.abort()
        await asyncio.gather(
            *(writer.wait_closed() for _, writer in pages), return_exceptions=True
        )

    async def _listen(self, server, cookie, redis_client, order, luigi):
        begun = time.monotonic()
        pages = await self._open(server, cookie, self.PAGES)
        opened = time.monotonic() - begun
        assert len(_readers(redis_client)) == 1

        told = time.monotonic()
        await asyncio.to_thread(cook, order, luigi)
        await asyncio.wait_for(
            asyncio.gather(*(r.readuntil(b'"cooking"') for r, _ in pages)), 30
        )
        reached = time.monotonic() - told
        memory = _memory(server)
        await self._leave(pages)
        return {"opened": opened, "reached": reached, "memory": memory}


def _readers(redis_client):
    return [
        client
        for client in redis_client.client_list()
        if client["cmd"] == "xread" and client["lib-name"] == "redis-py"
    ]


def _memory(server):
    import psutil  # noqa: PLC0415

    return psutil.Process(server.process.pid).memory_info().rss


def _sockets(server):
    import psutil  # noqa: PLC0415

    connections = psutil.Process(server.process.pid).net_connections("tcp")
    return sum(one.status == "ESTABLISHED" for one in connections)


class TestHub:
    """The reader of a process, without sockets to pages."""

    KEY = "live:hub"

    def add(self, client, number, topic="kitchen"):
        return client.xadd(
            self.KEY,
            {"event": "change", "topics": topic, "data": f'{{"number": {number}}}'},
        )

    async def frames(self, page, count):
        async with asyncio.timeout(20):
            return [await page.queue.get() for _ in range(count)]

    def test_a_page_that_reads_nothing_looks_at_everything_and_holds_up_nobody(
        self, valkey, redis_client
    ):
        async def run():
            hub = Hub(valkey.url, self.KEY)
            slow = Client(topics=frozenset({"kitchen"}), session="a")
            quick = Client(topics=frozenset({"kitchen"}), session="b")
            await hub.join(slow, None)
            await hub.join(quick, None)
            for number in range(200):
                self.add(redis_client, number)
            heard = await self.frames(quick, 1)
            while b'"number": 199' not in heard[-1] and b"reset" not in heard[-1]:
                heard += await self.frames(quick, 1)
            left = slow.queue.qsize()
            first = await slow.queue.get()
            await hub.leave(slow)
            await hub.leave(quick)
            return left, first

        left, first = asyncio.run(run())

        assert left <= 64
        assert b"event: reset" in first

    def test_goes_on_where_it_was_when_redis_comes_back(self, tmp_path):
        async def run(server):
            hub = Hub(server.url, self.KEY)
            page = Client(topics=frozenset({"kitchen"}), session="a")
            await hub.join(page, None)
            await self.frames(page, 1)
            await asyncio.to_thread(server.stop)
            away = await self.frames(page, 1)
            await asyncio.to_thread(server.start)
            with server.client() as client:
                self.add(client, 7)
            back = await self.frames(page, 1)
            change = await self.frames(page, 1) if b"back" in back[0] else back
            await hub.leave(page)
            return away[0], back[0], change[0]

        # Its file survives, as that of a Redis with a disk does.
        with Valkey(tmp_path / "away", "--appendonly", "yes") as server:
            away, back, change = asyncio.run(run(server))

        assert b"event: away" in away
        assert b"event: back" in back or b"event: reset" in back
        assert b'"number": 7' in change or b"event: reset" in change

    def test_nothing_is_open_when_nobody_listens(self, valkey, redis_client):
        async def run():
            hub = Hub(valkey.url, self.KEY)
            pages = [Client(topics=frozenset({"k"}), session="a") for _ in range(20)]
            for page in pages:
                await hub.join(page, None)
            during = len(redis_client.client_list())
            for page in pages:
                await hub.leave(page)
            return during

        before = len(redis_client.client_list())
        during = asyncio.run(run())

        assert during - before <= 2
        wait_until(lambda: len(redis_client.client_list()) <= before)


class TestPublishing:
    MESSAGE = Message(event="change", topics=frozenset({"kitchen"}), data={"a": 1})

    def test_costs_a_request_nothing_while_redis_hangs(self, settings, tmp_path):
        with Valkey(tmp_path / "hanging") as server:
            settings.LIVE_REDIS_URL = server.url
            publisher = Publisher()
            publisher.publish(self.MESSAGE)
            with server.client() as client:
                wait_until(lambda: client.xlen(settings.LIVE_STREAM_KEY) == 1)
            server.pause()
            begun = time.monotonic()
            for _ in range(5000):
                publisher.publish(self.MESSAGE)
            took = time.monotonic() - begun
            server.resume()

        assert took < 10

    def test_goes_on_when_redis_is_back(self, settings, tmp_path):
        server = Valkey(tmp_path / "late")
        settings.LIVE_REDIS_URL = server.url
        publisher = Publisher()
        publisher.publish(self.MESSAGE)

        with server, server.client() as client:

            def is_told():
                publisher.publish(self.MESSAGE)
                return client.xlen(settings.LIVE_STREAM_KEY)

            wait_until(is_told)

    def test_the_stream_does_not_grow_for_ever(self, settings, redis_client):
        import pizzeria.live.publisher as module  # noqa: PLC0415

        publisher = Publisher()
        for _ in range(30):
            for _ in range(100):
                publisher.publish(self.MESSAGE)
            wait_until(lambda: not publisher._queue.unfinished_tasks)

        assert redis_client.xlen(settings.LIVE_STREAM_KEY) <= module.STREAM_LENGTH + 100

    def test_without_redis_nothing_is_tried(self, settings):
        settings.LIVE_REDIS_URL = ""

        close_streams_of_session("anything")
