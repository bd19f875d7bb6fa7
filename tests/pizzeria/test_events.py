import re
from decimal import Decimal

import pytest
from django.db import transaction

from pizzeria.events.models import OutboxEvent, ReceivedEvent
from pizzeria.events.services import record
from pizzeria.events.signals import event_received, event_recorded
from pizzeria.events.types import EventType
from pizzeria.exceptions import StatusConflict
from pizzeria.orders.models import Order
from pizzeria.orders.services import move_order
from pizzeria.orders.transitions import Status
from tests.pizzeria.conftest import FRIDAY_EVENING
from tests.shop import ROOT


def recorded(kind="order"):
    """The types in the outbox, oldest first, without what all of them share."""
    return [
        event.type.removeprefix("io.mario-pizzeria.").removesuffix(".v1")
        for event in OutboxEvent.objects.order_by("pk")
        if event.aggregate.startswith(f"{kind}:")
    ]


class TestRecording:
    def test_an_order_tells_every_stage_of_its_life(
        self, order_of, peach, luigi, yoshi
    ):
        order = order_of(peach)
        for to, actor in [
            (Status.COOKING, luigi),
            (Status.READY, luigi),
            (Status.DELIVERING, yoshi),
            (Status.DELIVERED, yoshi),
        ]:
            move_order(order_id=order.pk, to=to, actor=actor, now=FRIDAY_EVENING)

        assert recorded() == [
            "order.created",
            "order.pizza.added",
            "order.confirmed",
            "order.cooking.started",
            "order.ready",
            "order.delivery.driver.assigned",
            "order.delivery.started",
            "order.delivered",
        ]
        about_the_customer = [
            told.removeprefix("customer.")
            for told in recorded("customer")
            if "registered" not in told and "profile" not in told
        ]
        assert about_the_customer.count("notification.created") == 4
        assert [x for x in about_the_customer if "notification" not in x] == [
            "active.order.added",
            "active.order.removed",
        ]

    def test_steps_back_are_told_too(self, order_of, peach, luigi, yoshi):
        order = order_of(peach)
        for to, actor in [
            (Status.COOKING, luigi),
            (Status.CONFIRMED, luigi),
            (Status.COOKING, luigi),
            (Status.READY, luigi),
            (Status.COOKING, luigi),
            (Status.READY, luigi),
            (Status.DELIVERING, yoshi),
            (Status.READY, yoshi),
        ]:
            move_order(order_id=order.pk, to=to, actor=actor, now=FRIDAY_EVENING)

        told = recorded()
        assert "order.cooking.undone" in told
        assert "order.recalled" in told
        assert told[-1] == "order.delivery.returned"

    def test_says_who_did_what_and_for_how_much(self, order_of, peach, luigi):
        order = order_of(peach)
        move_order(
            order_id=order.pk, to=Status.COOKING, actor=luigi, now=FRIDAY_EVENING
        )

        confirmed = OutboxEvent.objects.get(type__endswith="order.confirmed.v1")
        started = OutboxEvent.objects.get(type__endswith="order.cooking.started.v1")
        assert confirmed.data["total_amount"] == "16.89"
        assert confirmed.data["confirmed_time"] == "2026-11-20T19:30:00Z"
        assert started.data["user_name"] == "Luigi"
        assert started.data["aggregate_id"] == str(order.pk)
        assert started.source == "https://mario-pizzeria.io"

    def test_what_did_not_happen_is_not_told(self, order_of, peach, luigi):
        order = order_of(peach)
        before = OutboxEvent.objects.count()

        with pytest.raises(StatusConflict):
            move_order(
                order_id=order.pk, to=Status.READY, actor=luigi, now=FRIDAY_EVENING
            )

        assert OutboxEvent.objects.count() == before

    def test_a_change_that_is_taken_back_takes_its_event_along(self, order_of, peach):
        with transaction.atomic():
            order_of(peach)
            assert recorded()
            transaction.set_rollback(True)

        assert not recorded()
        assert not Order.objects.exists()

    @pytest.mark.django_db(transaction=True)
    def test_nothing_is_recorded_outside_of_a_transaction(self):
        with pytest.raises(RuntimeError):
            record(
                event_type=EventType.PIZZA_CREATED,
                subject=1,
                data={},
                occurred_at=FRIDAY_EVENING,
            )

    def test_without_a_sink_nothing_is_kept_and_receivers_hear_all(self, db, settings):
        settings.EVENT_SINK = None
        heard = []

        def listen(event, **_):
            heard.append(event.data["base_price"])

        event_recorded.connect(listen)
        try:
            record(
                event_type=EventType.PIZZA_CREATED,
                subject=1,
                data={"base_price": Decimal("9.90")},
                occurred_at=FRIDAY_EVENING,
            )
        finally:
            event_recorded.disconnect(listen)

        assert heard == [Decimal("9.90")]
        assert not OutboxEvent.objects.exists()


SERVICED = {
    "specversion": "1.0",
    "id": "1",
    "source": "https://ovens.example.com",
    "type": "com.example.oven.serviced.v1",
    "data": {"oven": 1},
}
CLOUD_EVENT = "application/cloudevents+json"


class TestFromOutside:
    def send(self, client, event=SERVICED, content_type=CLOUD_EVENT):
        import json  # noqa: PLC0415

        return client.post("/api/events/", json.dumps(event), content_type=content_type)

    def test_nobody_is_believed_without_a_login(self, client, db):
        assert self.send(client).status_code == 401
        assert not ReceivedEvent.objects.exists()

    @pytest.mark.parametrize("who", ["peach", "luigi", "yoshi"])
    def test_only_who_may_send_events_is_believed(self, request, api_of, who):
        sender = api_of(request.getfixturevalue(who))

        assert self.send(sender).status_code == 403
        assert not ReceivedEvent.objects.exists()

    def test_an_event_counts_once(self, api_of, daisy):
        heard = []

        def listen(event, **_):
            heard.append(event.type)

        event_received.connect(listen)
        try:
            first = self.send(api_of(daisy))
            again = self.send(api_of(daisy))
        finally:
            event_received.disconnect(listen)

        assert (first.status_code, first.json()) == (202, {"is_new": True})
        assert (again.status_code, again.json()) == (202, {"is_new": False})
        assert heard == ["com.example.oven.serviced.v1"]
        assert ReceivedEvent.objects.get().received_from == daisy

    @pytest.mark.parametrize(
        "wrong",
        [
            {**SERVICED, "specversion": "0.3"},
            {key: SERVICED[key] for key in SERVICED if key != "id"},
            {**SERVICED, "id": ""},
            {**SERVICED, "id": "x" * 201},
            {**SERVICED, "source": "x\x00"},
            {**SERVICED, "time": "yesterday"},
            {**SERVICED, "data": {"name": "a\x00b"}},
            {**SERVICED, "data": "\ud800"},
            ["no", "event"],
            "text",
        ],
    )
    def test_what_is_no_event_is_refused(self, api_of, daisy, wrong):
        answer = self.send(api_of(daisy), wrong)

        assert answer.status_code == 400
        assert answer.json()["code"] == "invalid_input"
        assert not ReceivedEvent.objects.exists()

    def test_other_content_is_refused(self, api_of, daisy):
        answer = self.send(api_of(daisy), content_type="application/json")

        assert answer.status_code == 415

    def test_no_other_address_swallows_events(self, api_of, daisy):
        answer = api_of(daisy).post("/api/cart/items/", b"{}", content_type=CLOUD_EVENT)

        assert answer.status_code == 415


def test_every_type_is_documented():
    page = (ROOT / "docs" / "events.md").read_text()
    table = page.partition("<!-- events: begin -->")[2].partition("<!-- events: end")[0]
    listed = re.findall(r"^\| `([a-z.0-9]+)` \|", table, re.MULTILINE)

    assert sorted(listed) == sorted(EventType)
