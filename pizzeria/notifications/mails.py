"""
Notifications as e-mails, sent beside the requests.

A sender claims a mail by moving the moment at which it is due: of two at the same
moment one gets it, and one that dies while it sends leaves it to the next.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.urls import reverse
from django.utils import timezone

from pizzeria.notifications.mail_server import (
    AnswerMissing,
    MailRefused,
    MailServer,
    MailServerAway,
)
from pizzeria.notifications.models import Notification
from pizzeria.rounds import LONGEST_PAUSE, Round

logger = logging.getLogger(__name__)

BATCH = 50
# Longer than the server may take.
CLAIMED_FOR = timedelta(minutes=1)
# Where a pizza was two hours ago helps nobody.
WORTH_SENDING = timedelta(hours=2)


def send_due(
    server: MailServer,
    *,
    clock: Callable[[], datetime] = timezone.now,
    should_stop: Callable[[], bool] = lambda: False,
) -> Round:
    """Send what is due, a batch at most; nothing more once the server is away."""
    done = Round()
    # One over which the server goes away goes to the end of those that wait.
    due = Notification.objects.mail_due(clock()).order_by("mail_due_at", "pk")
    for pk, due_at in list(due.values_list("pk", "mail_due_at")[:BATCH]):
        if should_stop() or done.is_sink_away:
            break
        told = _claim(pk, due_at, clock())
        if told is None:
            continue
        if _is_wanted(told, clock()):
            _send(server, told, clock, done)
        else:
            _note(told, mail_due_at=None)
    return done


def as_mail(told: Notification) -> EmailMessage:
    """Write the mail; a second one has the same id, by which its reader knows it."""
    mail = EmailMessage()
    mail["From"] = settings.MAIL_FROM
    mail["To"] = told.recipient.email
    mail["Subject"] = told.title
    mail["Date"] = format_datetime(told.created_at)
    domain = parseaddr(settings.MAIL_FROM)[1].rpartition("@")[2]
    mail["Message-ID"] = f"<notification-{told.pk}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(
        f"{told.title}\n\n{told.message}\n\n"
        f"{_way_on(told)}\n\n"
        "You no longer want these mails? Say so in your preferences:\n"
        f"{settings.SHOP_URL}{reverse('profile_edit')}\n"
    )
    return mail


def _way_on(told: Notification) -> str:
    if told.order_id is None:
        return f"Your profile: {settings.SHOP_URL}{reverse('profile')}"
    order = reverse("order_detail", args=[told.order_id])
    return f"Stage: {told.get_kind_display()}\nFollow it: {settings.SHOP_URL}{order}"


def _claim(pk: int, due_at: datetime | None, now: datetime) -> Notification | None:
    """Take it, as it is now: earlier ones of the batch may have taken minutes."""
    it = Notification.objects.filter(pk=pk)
    if not it.filter(mail_due_at=due_at).update(mail_due_at=now + CLAIMED_FOR):
        return None
    return it.select_related("recipient__profile").first()


def _is_wanted(told: Notification, now: datetime) -> bool:
    """Whether it still makes sense; the answer may have changed since it was made."""
    profile = getattr(told.recipient, "profile", None)
    if profile is not None and not profile.wants_mail:
        return False
    if told.read_at or told.dismissed_at or told.created_at < now - WORTH_SENDING:
        # They know, or it is too late to.
        return False
    try:
        validate_email(told.recipient.email)
    except ValidationError:
        return False
    return True


def _send(
    server: MailServer, told: Notification, clock: Callable[[], datetime], done: Round
) -> None:
    try:
        server.deliver(as_mail(told))
    except MailServerAway as error:
        logger.warning("The mail server is away: %s", error)
        done.is_sink_away = True
        _note(told, mail_due_at=clock())
    except MailRefused as refusal:
        logger.warning("The mail of notification %s: %s", told.pk, refusal)
        done.refused += 1
        later = None if refusal.is_final else clock() + LONGEST_PAUSE
        _note(told, mail_due_at=later)
    except AnswerMissing:
        # It is on their page, too: better once or never than again and again.
        logger.warning("The mail of notification %s got no answer.", told.pk)
        done.is_sink_away = True
        _note(told, mail_due_at=None)
    else:
        done.sent += 1
        _note(told, mail_due_at=None, mailed_at=clock())


def _note(told: Notification, **fields: datetime | None) -> None:
    Notification.objects.filter(pk=told.pk).update(**fields)
