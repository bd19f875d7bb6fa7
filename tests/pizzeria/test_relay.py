import os
import signal
import subprocess
import sys
import threading
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from pizzeria.events import lease, relay
from pizzeria.events.backlog import backlog
from pizzeria.events.models import OutboxEvent
from pizzeria.events.relay import Relay
from pizzeria.events.services import record
from pizzeria.events.sink import Sink
from pizzeria.events.types import EventType
from tests.pizzeria.conftest import FRIDAY_EVENING
from tests.pizzeria.sinks import EventSink
from tests.servers import wait_until
from tests.shop import ROOT


class Clock:
    """Time that passes when a test says so."""

    def __init__(self):
        self.now = FRIDAY_EVENING

    def __call__(self):
        return self.now

    def advance(self, **amount):
        self.now += timedelta(**amount)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def sink():
    with EventSink() as sink:
        yield sink


@pytest.fixture
def happen(db):
    """Record that something happened to a pizza; a number tells it from others."""

    def happen(pizza, number, event_type=EventType.PIZZA_PRICE_CHANGED):
        with transaction.atomic():
            record(
                event_type=event_type,
                subject=pizza,
                data={"number": number},
                occurred_at=FRIDAY_EVENING,
            )

    return happen


@pytest.fixture
def the_relay(sink, clock):
    return Relay(Sink(sink.url, seconds=2), clock=clock)


def numbers(sink, pizza=None):
    return [
        event["data"]["number"]
        for event in sink.received
        if pizza is None or event["subject"] == str(pizza)
    ]


class TestSending:
    def test_sends_cloud_events(self, sink, the_relay, happen):
        happen(7, 1)

        assert the_relay.run_once().sent == 1

        (event,) = sink.received
        stored = OutboxEvent.objects.get()
        assert event == {
            "id": stored.event_id,
            "source": "https://mario-pizzeria.io",
            "specversion": "1.0",
            "type": "io.mario-pizzeria.pizza.price.changed.v1",
            "subject": "7",
            "time": "2026-11-20T19:30:00Z",
            "datacontenttype": "application/json",
            "data": {"number": 1, "aggregate_id": "7"},
        }
        assert sink.content_types == {"application/cloudevents+json"}
        assert stored.sent_at is not None

    def test_sends_each_once_and_in_order(self, sink, the_relay, happen):
        for number in range(5):
            happen(number % 2, number)

        the_relay.run_once()
        the_relay.run_once()

        assert numbers(sink) == [0, 1, 2, 3, 4]

    def test_an_hour_without_the_sink_loses_nothing(self, clock, happen):
        sink = EventSink()
        the_relay = Relay(Sink(sink.url, seconds=1), clock=clock)
        for number in range(6):
            happen(number % 2, number)
            done = the_relay.run_once()
            assert done.is_sink_away
            clock.advance(minutes=10)
        assert backlog().waiting == 6

        with sink:
            assert the_relay.run_once().sent == 6

        assert numbers(sink) == [0, 1, 2, 3, 4, 5]
        assert backlog().waiting == 0
        assert not OutboxEvent.objects.filter(tries__gt=1).exists()

    def test_busy_is_away(self, sink, the_relay, clock, happen):
        happen(1, 1)
        sink.answer = lambda event: 503

        for _ in range(relay.TRIES_WHEN_REFUSED + 1):
            assert the_relay.run_once().is_sink_away
            clock.advance(minutes=5)
        sink.answer = lambda event: 202

        assert the_relay.run_once().sent == 1

    def test_a_sink_that_trickles_is_left_within_the_time(
        self, the_relay, sink, happen
    ):
        happen(1, 1)
        release = threading.Event()

        def hang(event):
            release.wait(30)
            return 202

        sink.answer = hang
        try:
            assert the_relay.run_once().is_sink_away
        finally:
            release.set()

    def test_old_ones_are_forgotten(self, the_relay, clock, happen):
        happen(1, 1)
        happen(1, 2)
        OutboxEvent.objects.filter(data__number=1).update(
            sent_at=FRIDAY_EVENING - timedelta(days=31)
        )

        assert the_relay.forget_old() == 1
        assert OutboxEvent.objects.get().data["number"] == 2


class TestPoison:
    def refuse(self, sink, number, status):
        sink.answer = lambda event: status if event["data"]["number"] == number else 202

    def test_is_parked_after_its_tries_and_others_pass(
        self, sink, the_relay, clock, happen
    ):
        self.refuse(sink, 1, 400)
        happen(1, 1)
        happen(2, 2)
        happen(1, 3)

        the_relay.run_once()

        # Its own aggregate waits for it: order comes first.
        assert numbers(sink) == [2]

        for _ in range(relay.TRIES_WHEN_REFUSED - 1):
            clock.advance(minutes=5)
            the_relay.run_once()

        assert numbers(sink) == [2, 3]
        poison = OutboxEvent.objects.get(data__number=1)
        assert poison.parked_at == clock.now
        assert poison.last_error == "The sink answered 400."
        assert (backlog().waiting, backlog().parked) == (0, 1)

    def test_one_that_breaks_the_sink_gets_more_time(
        self, sink, the_relay, clock, happen
    ):
        self.refuse(sink, 1, 500)
        happen(1, 1)

        begun = clock.now
        while not OutboxEvent.objects.exclude(parked_at=None).exists():
            the_relay.run_once()
            clock.advance(seconds=301)

        assert clock.now - begun > timedelta(hours=1)

    def test_waits_between_its_tries(self, sink, the_relay, clock, happen):
        self.refuse(sink, 1, 400)
        happen(1, 1)

        the_relay.run_once()
        the_relay.run_once()

        assert OutboxEvent.objects.get().tries == 1

    def test_a_redirect_is_no_receipt(self, sink, the_relay, happen):
        self.refuse(sink, 1, 302)
        happen(1, 1)

        assert the_relay.run_once().refused == 1

    def test_a_hundred_that_wait_let_others_pass(
        self, sink, the_relay, clock, happen, monkeypatch
    ):
        monkeypatch.setattr(relay, "BATCH", 3)
        self.refuse(sink, 0, 400)
        happen(1, 0)
        for number in range(1, 6):
            happen(1, number)
        happen(2, 99)

        the_relay.run_once()
        the_relay.run_once()

        assert numbers(sink) == [99]


class TestOnlyOne:
    def test_a_second_relay_sends_nothing(self, sink, the_relay, clock, happen):
        other = Relay(Sink(sink.url), clock=clock)
        happen(1, 1)
        the_relay.run_once()
        happen(1, 2)

        done = other.run_once()

        assert done.is_somebody_elses
        assert numbers(sink) == [1]

    def test_it_takes_over_when_the_first_has_died(
        self, sink, the_relay, clock, happen
    ):
        other = Relay(Sink(sink.url), clock=clock)
        happen(1, 1)
        the_relay.run_once()
        happen(1, 2)
        clock.now += lease.LIFE

        assert other.run_once().sent == 1
        assert the_relay.run_once().is_somebody_elses

    def test_one_that_ends_makes_room_at_once(self, sink, the_relay, clock, happen):
        other = Relay(Sink(sink.url), clock=clock)
        happen(1, 1)
        the_relay.run_once()
        the_relay.stop()

        assert not other.run_once().is_somebody_elses


class TestCommand:
    def test_wants_a_sink(self, db, settings):
        settings.EVENT_SINK = None

        with pytest.raises(CommandError, match="CLOUD_EVENT_SINK"):
            call_command("relay_events", "--once")

    def test_once_empties_the_outbox(self, sink, settings, happen, capsys):
        settings.EVENT_SINK = sink.url
        for number in range(3):
            happen(1, number)

        call_command("relay_events", "--once")

        assert numbers(sink) == [0, 1, 2]
        assert "secret-of-the-sink" not in capsys.readouterr().out

    def test_once_fails_if_something_is_left(self, settings, happen, caplog):
        settings.EVENT_SINK = EventSink().url
        happen(1, 1)

        with pytest.raises(CommandError, match="1 events wait"):
            call_command("relay_events", "--once")

        assert "is away" in caplog.text
        assert "secret-of-the-sink" not in caplog.text


@pytest.mark.django_db(transaction=True)
class TestCrash:
    @pytest.fixture
    def start(self, sink):
        started = []

        def start(*arguments):
            process = subprocess.Popen(
                [sys.executable, "manage.py", "relay_events", *arguments],
                cwd=ROOT,
                env={
                    **os.environ,
                    "CLOUD_EVENT_SINK": sink.url,
                    "DATABASE_URL": f"sqlite:///{connection.settings_dict['NAME']}",
                },
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            started.append(process)
            return process

        yield start
        for process in started:
            process.kill()
            process.communicate(timeout=10)

    def test_killed_after_sending_it_sends_the_same_event_again(
        self, sink, start, happen
    ):
        happen(1, 1)
        happen(1, 2)
        begun = threading.Event()
        victim: list[subprocess.Popen[bytes]] = []

        def kill_the_relay(event):
            begun.wait(20)
            # The event is here; the relay never hears that it is.
            os.kill(victim[0].pid, signal.SIGKILL)
            return 202

        sink.answer = kill_the_relay
        victim.append(start())
        begun.set()
        victim[0].wait(timeout=30)
        wait_until(lambda: sink.received)
        assert OutboxEvent.objects.filter(sent_at=None).count() == 2

        sink.answer = lambda event: 202
        start()
        wait_until(lambda: not OutboxEvent.objects.pending().exists(), seconds=60)

        names = [(event["source"], event["id"]) for event in sink.received]
        assert numbers(sink) == [1, 1, 2]
        assert names[0] == names[1] != names[2]

    def test_a_signal_ends_it_quietly(self, sink, start, happen):
        happen(1, 1)
        process = start()
        wait_until(lambda: sink.received, seconds=30)

        process.terminate()

        assert process.wait(timeout=15) == 0


def test_metrics_say_how_much_waits(client, happen):
    happen(1, 1)
    happen(2, 2)
    OutboxEvent.objects.filter(subject="2").update(parked_at=FRIDAY_EVENING)

    page = client.get("/metrics").content.decode()

    assert "\nevents_backlog 1.0\n" in page
    assert "\nevents_parked 1.0\n" in page
    assert "\nevents_backlog_oldest_seconds " in page
