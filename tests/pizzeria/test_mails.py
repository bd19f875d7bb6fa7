"""What customers are told by e-mail, over a mail server on a socket."""

import os
import signal
import subprocess
import sys
import time
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from pydantic import ValidationError

from mario.env import Environment
from pizzeria.customers.services import erase_customer, update_profile
from pizzeria.notifications import mails
from pizzeria.notifications.mail_server import MailServer
from pizzeria.notifications.models import Notification
from pizzeria.orders.models import Order
from pizzeria.orders.services import move_order
from pizzeria.orders.transitions import Status
from tests.pizzeria.conftest import FRIDAY_EVENING
from tests.pizzeria.mail_servers import SmtpServer
from tests.servers import wait_until
from tests.shop import ROOT


@pytest.fixture
def smtp(settings):
    with SmtpServer() as smtp:
        settings.MAIL_SERVER = smtp.url
        settings.SHOP_URL = "https://pizzeria.example.com"
        yield smtp


@pytest.fixture
def cooking(smtp, order_of, peach, luigi):
    """Bring an order of hers into the oven, at this moment."""
    peach.email = "peach@example.com"
    peach.save()

    def cooking(now=FRIDAY_EVENING):
        order = order_of(peach)
        move_order(order_id=order.pk, to=Status.COOKING, actor=luigi, now=now)
        return order

    return cooking


def send(smtp, *, seconds=20, now=FRIDAY_EVENING):
    server = MailServer(smtp.url, seconds=seconds, answer_seconds=seconds)
    return mails.send_due(server, clock=lambda: now)


class TestAMail:
    def test_says_the_stage_and_where_to_follow_it(self, smtp, cooking):
        order = cooking()

        assert send(smtp).sent == 1

        (mail,) = smtp.received
        assert mail["To"] == "peach@example.com"
        assert mail["Subject"] == f"Order {order.pk} is in the oven"
        assert mail.get_content_type() == "text/plain"
        text = mail.get_content()
        assert "Stage: In the oven" in text
        assert f"https://pizzeria.example.com/orders/{order.pk}/" in text
        assert "https://pizzeria.example.com/profile/edit/" in text

    def test_is_sent_once(self, smtp, cooking):
        cooking()

        assert [send(smtp).sent for _ in range(3)] == [1, 0, 0]

        assert len(smtp.received) == 1
        assert Notification.objects.get().mailed_at == FRIDAY_EVENING

    def test_is_none_without_a_server(self, settings, cooking):
        settings.MAIL_SERVER = None
        cooking()

        assert Notification.objects.get().mail_due_at is None
        with pytest.raises(CommandError, match="MAIL_SERVER"):
            call_command("send_mails")

    def test_waits_in_no_request(self, smtp, cooking, browser_of, luigi, order_of):
        smtp.greeting = ""
        order = order_of(cooking().customer)

        browser_of(luigi).post(f"/kitchen/{order.pk}/advance/", {"to": "cooking"})

        assert Notification.objects.filter(mail_due_at__isnull=False).count() == 2
        assert smtp.received == []

    @pytest.mark.parametrize("address", ["", "nobody", "a@b\nBcc: c@example.com"])
    def test_goes_to_no_address_that_is_none(self, smtp, cooking, peach, address):
        peach.email = address
        peach.save()
        order = cooking()
        order.customer.email = address
        order.customer.save()

        assert send(smtp).was_idle
        assert not Notification.objects.filter(mail_due_at__isnull=False).exists()

    def test_that_comes_too_late_or_was_read_is_none(self, smtp, cooking):
        cooking()
        assert send(smtp, now=FRIDAY_EVENING + timedelta(hours=3)).was_idle
        cooking()
        Notification.objects.update(read_at=FRIDAY_EVENING)

        assert send(smtp).was_idle
        assert smtp.received == []


class TestThePreference:
    def test_is_asked_for_where_the_shop_sends_mails(self, settings, browser_of, peach):
        settings.MAIL_SERVER = None
        browser = browser_of(peach)
        assert "wants_mail" not in browser.get("/profile/edit/").text
        assert "E-mails" not in browser.get("/profile/").text

        settings.MAIL_SERVER = "smtp://localhost"

        assert "wants_mail" in browser.get("/profile/edit/").text
        assert "E-mails about orders</dt><dd>Sent<" in browser.get("/profile/").text

    def test_switches_mails_off_and_on(self, smtp, cooking, browser_of, api_of, peach):
        browser_of(peach).post("/profile/edit/", {})
        cooking()
        assert send(smtp).was_idle

        answer = api_of(peach).patch(
            "/api/profile/", {"wants_mail": True}, format="json"
        )
        assert answer.json()["wants_mail"] is True
        cooking()
        assert send(smtp).sent == 1
        assert len(smtp.received) == 1

    def test_stays_where_the_page_does_not_ask(self, settings, browser_of, peach):
        settings.MAIL_SERVER = None

        browser_of(peach).post("/profile/edit/", {"phone": ""})

        peach.profile.refresh_from_db()
        assert peach.profile.wants_mail


class TestAServer:
    def test_that_is_away_gets_it_later(self, smtp, cooking, settings):
        cooking()
        away = SmtpServer()
        assert send(away).is_sink_away

        assert send(smtp).sent == 1

    @pytest.mark.parametrize("line", ["greeting", "goodbye"])
    def test_that_hangs_is_left(self, smtp, cooking, line):
        cooking()
        setattr(smtp, line, "")
        began = time.monotonic()

        done = send(smtp, seconds=2)

        assert time.monotonic() - began < 15
        # Whoever hangs over the farewell has taken it.
        assert done.sent == (line == "goodbye")
        setattr(smtp, line, "221 bye" if line == "goodbye" else "220 ready")
        assert send(smtp).sent == (line == "greeting")
        assert len(smtp.received) == 1

    def test_that_is_slow_is_sent_nothing_once_the_time_is_over(self, smtp, cooking):
        cooking()
        smtp.pause_seconds = 1.5

        assert send(smtp, seconds=2).is_sink_away

        # Whoever was still talking to it has hung up.
        wait_until(lambda: smtp.left == 1, seconds=30)
        assert smtp.received == []

    def test_that_does_not_say_whether_it_has_it_gets_it_once(self, smtp, cooking):
        cooking()
        smtp.taken = ""

        assert send(smtp, seconds=2).is_sink_away
        smtp.taken = "250 taken"

        assert send(smtp, now=FRIDAY_EVENING + timedelta(minutes=6)).was_idle
        assert len(smtp.received) == 1

    def test_that_chokes_on_one_gets_the_others_first(self, smtp, cooking):
        _, other = cooking(), cooking()
        answers = iter(["", "250 fine", "250 fine"])
        smtp.answer = lambda recipient: next(answers)
        later = FRIDAY_EVENING + timedelta(seconds=30)
        assert send(smtp, seconds=2, now=later).is_sink_away

        assert send(smtp, now=later).sent == 2
        assert smtp.received[0]["Subject"] == f"Order {other.pk} is in the oven"

    @pytest.mark.parametrize("trouble", ["refuses", "hangs", "hangs up", "is silent"])
    def test_in_trouble_is_one_line_in_the_log_that_names_nobody(
        self, smtp, cooking, caplog, trouble
    ):
        cooking()
        answers = {
            "refuses": "550 <peach@example.com>?",
            "hangs": "",
            "hangs up": "421 bye",
        }
        smtp.answer = lambda recipient: answers.get(trouble, "250 fine")
        smtp.taken = "" if trouble == "is silent" else "250 taken"

        send(smtp, seconds=2)

        (line,) = caplog.messages
        assert "mail" in line
        assert "peach" not in line
        assert "@" not in line

    def test_that_refuses_one_for_good_gets_the_others(self, smtp, cooking, peach):
        cooking()
        cooking()
        answers = iter(["550 nobody here", "250 fine"])
        smtp.answer = lambda recipient: next(answers)

        done = send(smtp)

        assert (done.refused, done.sent) == (1, 1)
        assert send(smtp).was_idle

    def test_that_says_later_gets_it_after_minutes(self, smtp, cooking):
        cooking()
        smtp.answer = lambda recipient: "451 greylisted"
        assert send(smtp).refused == 1
        smtp.answer = lambda recipient: "250 fine"

        assert send(smtp).was_idle
        assert send(smtp, now=FRIDAY_EVENING + timedelta(minutes=6)).sent == 1

    def test_that_cannot_do_tls_is_told_nothing(self, smtp, cooking):
        cooking()
        with_tls = smtp.url.replace("smtp://", "smtp+tls://peach:secret@")

        assert mails.send_due(
            MailServer(with_tls), clock=lambda: FRIDAY_EVENING
        ).is_sink_away
        assert smtp.received == []


class TestSenders:
    def test_of_two_at_once_one_sends_it(self, smtp, cooking):
        cooking()
        seen = []

        class Slow(MailServer):
            def deliver(self, message):
                # While one is sending, another looks.
                seen.append(send(smtp).sent)
                super().deliver(message)

        done = mails.send_due(Slow(smtp.url), clock=lambda: FRIDAY_EVENING)

        assert (done.sent, seen) == (1, [0])
        assert len(smtp.received) == 1

    def test_that_are_slow_see_what_changed_meanwhile(self, smtp, cooking, peach):
        cooking()
        cooking()

        class Slow(MailServer):
            def deliver(self, message):
                update_profile(user=peach, fields={"wants_mail": False})
                super().deliver(message)

        mails.send_due(Slow(smtp.url), clock=lambda: FRIDAY_EVENING)

        assert len(smtp.received) == 1

    @pytest.mark.parametrize("when", ["before", "meanwhile"])
    def test_write_to_nobody_who_was_forgotten(self, smtp, cooking, peach, when):
        cooking()
        cooking()
        Order.objects.update(status=Status.DELIVERED)

        class Slow(MailServer):
            def deliver(self, message):
                super().deliver(message)
                erase_customer(user=peach)

        if when == "before":
            erase_customer(user=peach)
        mails.send_due(Slow(smtp.url), clock=lambda: FRIDAY_EVENING)

        assert len(smtp.received) == (when == "meanwhile")
        assert send(smtp).was_idle

    def test_that_die_leave_it_to_the_next(self, smtp, cooking):
        cooking()

        class Dying(MailServer):
            def deliver(self, message):
                raise SystemExit

        with pytest.raises(SystemExit):
            mails.send_due(Dying(smtp.url), clock=lambda: FRIDAY_EVENING)

        assert send(smtp).was_idle
        assert send(smtp, now=FRIDAY_EVENING + timedelta(minutes=2)).sent == 1

    def test_say_what_is_left(self, smtp, cooking):
        cooking(timezone.now())
        smtp.__exit__()

        with pytest.raises(CommandError, match="1 mails wait"):
            call_command("send_mails", "--once")

    @pytest.mark.django_db(transaction=True)
    def test_run_until_they_are_told_to_end(self, smtp, cooking):
        cooking(timezone.now())
        process = subprocess.Popen(
            [sys.executable, "manage.py", "send_mails"],
            cwd=ROOT,
            env={
                **os.environ,
                "DATABASE_URL": f"sqlite:///{connection.settings_dict['NAME']}",
                "MAIL_SERVER": smtp.url,
            },
        )
        try:
            wait_until(lambda: len(smtp.received) == 1, seconds=60)
            wait_until(
                lambda: Notification.objects.get().mailed_at is not None, seconds=30
            )
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=30) == 0
        finally:
            process.kill()
            process.wait(timeout=10)


@pytest.mark.parametrize(
    "wrong",
    [
        {"mail_server": "http://mail.example.com"},
        {"mail_server": "smtp://"},
        {"mail_from": "nobody"},
        {"mail_from": "a@example.com\nBcc: b@example.com"},
    ],
)
def test_settings_that_make_no_sense_end_the_start(wrong):
    with pytest.raises(ValidationError):
        Environment(**wrong)
