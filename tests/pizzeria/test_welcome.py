"""Who is seen first is welcomed once, and others are told which way they came."""

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from mario.identity.people import find_or_create_account
from pizzeria.events.models import OutboxEvent
from pizzeria.notifications.mails import as_mail
from pizzeria.notifications.models import Notification

CLAIMS = {"iss": "https://realm.example.com", "sub": "4711"}


@pytest.fixture(autouse=True)
def sink(settings):
    settings.EVENT_SINK = "https://sink.example.com"


@pytest.mark.parametrize("came_by", ["browser", "api"])
def test_once_whatever_the_way(db, came_by):
    first = find_or_create_account(CLAIMS, came_by=came_by)
    find_or_create_account(CLAIMS, came_by="api")

    told = Notification.objects.get(recipient=first.user)
    assert told.title == "Welcome to Mario’s Pizzeria"
    assert (told.order, told.mail_due_at) == (None, None)
    for name in ("customer.registered.v1", "customer.profile.created.v1"):
        event = OutboxEvent.objects.get(type__endswith=name)
        assert event.data["source"] == came_by
    created = OutboxEvent.objects.get(type__endswith="notification.created.v1")
    assert created.subject == str(first.user.pk)
    assert not first.user.has_usable_password()


def test_whom_the_shop_made_is_not_welcomed(db):
    User.objects.create_user("wario").save()

    assert not Notification.objects.exists()
    event = OutboxEvent.objects.get(type__endswith="customer.registered.v1")
    assert event.data["source"] == "shop"


def test_is_on_the_page_and_in_the_api(db, browser_of, api_of):
    person = find_or_create_account(CLAIMS).user

    page = browser_of(person).get("/notifications/")
    answer = api_of(person).get("/api/notifications/").json()

    assert "Welcome to Mario" in page.content.decode()
    assert answer["results"][0]["order"] is None


def test_is_mailed_where_the_shop_mails(db, settings):
    settings.MAIL_SERVER = "smtp://mail.example.com"
    now = timezone.now()
    person = find_or_create_account(CLAIMS).user

    told = Notification.objects.get()

    # Name and address come right after the account.
    assert told.mail_due_at is not None
    assert told.mail_due_at > told.created_at >= now
    User.objects.filter(pk=person.pk).update(email="new@example.com")
    told.refresh_from_db()
    mail = as_mail(Notification.objects.select_related("recipient").get())
    assert mail["To"] == "new@example.com"
    assert "/profile/" in mail.get_content()
    assert "Stage" not in mail.get_content()
