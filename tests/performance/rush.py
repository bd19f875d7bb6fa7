"""Many people who order at once, over HTTP, and what has to be true afterwards."""

import http.client
import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.pizzeria.sinks import EventSink
from tests.servers import Valkey, free_port
from tests.shop import Shop

_CHECKOUT = {
    "customer_phone": "+12025550143",
    "customer_address": "1 Castle Road, Toadstool",
    "payment_method": "cash",
}
# Every so many orders are sent twice, as by somebody who clicked again.
_TWICE = 5
_LOG_IN = """
from django.contrib.auth.models import User
from django.test import Client
for number in range({people}):
    client = Client(SERVER_NAME="localhost")
    client.force_login(User.objects.get_or_create(username=f"guest-{{number}}")[0])
    client.get("/profile/edit/")
    print("guest", *(client.cookies[x].value for x in ("mario_session", "csrftoken")))
"""
_BOOKS = """
import json
from django.db.models import F, Sum
from pizzeria.events.models import OutboxEvent
from pizzeria.orders.models import Order, OrderLine
orders = list(Order.objects.all())
lines = OrderLine.objects.values("order")
lines = lines.annotate(sum=Sum(F("unit_price") * F("quantity")))
of_lines = {line["order"]: line["sum"] for line in lines}
confirmed = OutboxEvent.objects.filter(type__endswith="order.confirmed.v1")
print("books", json.dumps({
    "orders": {x.idempotency_key: [x.pk, str(x.total_amount)] for x in orders},
    "count": len(orders),
    "bad_sums": sum(of_lines.get(x.pk) != x.total_amount for x in orders),
    "confirmed": confirmed.count(),
    "unsent": OutboxEvent.objects.filter(sent_at=None).count(),
}))
"""


@dataclass
class Rush:
    """What the people were told, and for how long they asked."""

    seconds: float = 0.0
    # By idempotency key: the number and the total of the order that was answered.
    placed: dict[str, tuple[int, Decimal]] = field(default_factory=dict)
    answers: Counter[int] = field(default_factory=Counter)
    changed_their_mind: list[str] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        return len(self.placed) / self.seconds


def shop_for(folder: Path, database_url: str, valkey: Valkey, sink: EventSink) -> Shop:
    return Shop(
        free_port(),
        folder,
        DATABASE_URL=database_url,
        REDIS_URL=valkey.url,
        KEYCLOAK_SERVER_URL="http://localhost:9",
        KEYCLOAK_PUBLIC_URL="http://localhost:9",
        CLOUD_EVENT_SINK=sink.url,
        WEB_CONCURRENCY="2",
        LOG_LEVEL="WARNING",
    )


def order_at_once(shop: Shop, *, people: int, seconds: float) -> Rush:
    """Let each of them fill a cart and order it, again and again."""
    told = shop.manage("shell", "-v0", "-c", _LOG_IN.format(people=people))
    guests = [x.split()[1:] for x in told.splitlines() if x.startswith("guest ")]
    rush, lock, begin = Rush(), threading.Lock(), threading.Barrier(people + 1)
    ends: list[float] = []

    def take_part(name: int, session: str, token: str) -> None:
        guest = _Guest(shop.port, session, token)
        pizza = guest.ask("GET", "/api/menu/")[1][name % 6]["id"]
        item = {"pizza": pizza, "size": "medium", "quantity": 1}
        begin.wait()
        number = 0
        while not ends or time.monotonic() < ends[0]:
            number += 1
            key = f"{name}-{number}"
            guest.ask("POST", "/api/cart/items/", item)
            answers = [
                guest.ask("POST", "/api/orders/", _CHECKOUT, key)
                for _ in range(2 if number % _TWICE == 0 else 1)
            ]
            with lock:
                _note(rush, key, answers)
        guest.close()

    threads = [
        threading.Thread(target=take_part, args=(name, *guest))
        for name, guest in enumerate(guests)
    ]
    for thread in threads:
        thread.start()
    begin.wait()
    began = time.monotonic()
    ends.append(began + seconds)
    for thread in threads:
        thread.join()
    rush.seconds = time.monotonic() - began
    return rush


def _note(rush: Rush, key: str, answers: list[tuple[int, Any]]) -> None:
    for status, body in answers:
        rush.answers[status] += 1
        if status != http.HTTPStatus.CREATED:
            continue
        order = (body["id"], Decimal(body["total_amount"]))
        if rush.placed.setdefault(key, order) != order:
            rush.changed_their_mind.append(key)


class _Guest:
    def __init__(self, port: int, session: str, token: str) -> None:
        self._connection = http.client.HTTPConnection("localhost", port, timeout=60)
        self._headers = {
            "Cookie": f"mario_session={session}; csrftoken={token}",
            "X-CSRFToken": token,
            "Referer": f"http://localhost:{port}/",
            "Content-Type": "application/json",
        }

    def close(self) -> None:
        self._connection.close()

    def ask(
        self, method: str, path: str, data: object = None, key: str = ""
    ) -> tuple[int, Any]:
        headers = self._headers | ({"Idempotency-Key": key} if key else {})
        body = None if data is None else json.dumps(data)
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        return answer.status, json.loads(answer.read())


def check_the_books(shop: Shop, rush: Rush, sink: EventSink) -> None:
    """
    Hold what people were told against what is stored, and what was sent.

    :raises AssertionError: if an order is lost or doubled, or money or events differ
    """
    shop.manage("relay_events", "--once")
    books = json.loads(shop.manage("shell", "-v0", "-c", _BOOKS).split("books ")[1])
    stored = {key: (pk, Decimal(sum_)) for key, (pk, sum_) in books["orders"].items()}
    assert set(rush.answers) == {http.HTTPStatus.CREATED}, rush.answers
    assert not rush.changed_their_mind
    assert stored == rush.placed
    assert books["count"] == books["confirmed"] == len(rush.placed)
    assert books["bad_sums"] == 0
    assert books["unsent"] == 0
    sent = [x for x in sink.received if x["type"].endswith("order.confirmed.v1")]
    assert sorted(int(x["subject"]) for x in sent) == sorted(
        pk for pk, _ in rush.placed.values()
    )
    assert sum(Decimal(x["data"]["total_amount"]) for x in sent) == sum(
        total for _, total in rush.placed.values()
    )
