import pytest

from pizzeria.events.models import OutboxEvent
from pizzeria.notifications.models import Notification
from pizzeria.orders.services import move_order
from pizzeria.orders.transitions import Status
from tests.pizzeria.conftest import FRIDAY_EVENING


def move(order, actor, *stages, reason=""):
    for stage in stages:
        move_order(
            order_id=order.pk, to=stage, actor=actor, now=FRIDAY_EVENING, reason=reason
        )


def kinds(person):
    mine = Notification.objects.of(person).order_by("pk")
    return [notification.kind for notification in mine]


@pytest.fixture
def told(order_of, peach, luigi):
    """Peach's notification that her order is in the oven."""
    move(order_of(peach), luigi, Status.COOKING)
    return Notification.objects.get()


class TestMaking:
    def test_people_are_told_what_happens_to_their_order(
        self, order_of, peach, luigi, yoshi
    ):
        order = order_of(peach)

        move(order, luigi, Status.COOKING, Status.READY)
        move(order, yoshi, Status.DELIVERING, Status.DELIVERED)

        assert kinds(peach) == [
            "order_cooking_started",
            "order_ready",
            "order_on_its_way",
            "order_delivered",
        ]

    def test_a_cancellation_says_why(self, order_of, peach, daisy):
        move(order_of(peach), daisy, Status.CANCELLED, reason="No more dough")

        assert "No more dough" in Notification.objects.get().message

    def test_nobody_is_told_what_they_did_themselves(self, order_of, peach):
        move(order_of(peach), peach, Status.CANCELLED)

        assert not Notification.objects.exists()

    def test_a_long_reason_fits(self, order_of, peach, daisy):
        move(order_of(peach), daisy, Status.CANCELLED, reason="x" * 200)

        notification = Notification.objects.get()
        notification.full_clean()

    def test_others_hear_that_somebody_was_told(self, told):
        event = OutboxEvent.objects.get(type__endswith="notification.created.v1")

        assert event.subject == str(told.recipient_id)
        assert event.data["notification_type"] == "order_cooking_started"


class TestPages:
    def test_the_bell_counts_what_is_unread(self, browser_of, peach, told):
        browser = browser_of(peach)
        badge = '<span class="visually-hidden"> unread</span>'
        assert f"1{badge}" in browser.get("/menu/").content.decode()

        browser.post(f"/notifications/{told.pk}/read/")

        assert badge not in browser.get("/menu/").content.decode()

    def test_the_bell_counts_to_99(self, browser_of, peach):
        Notification.objects.bulk_create(
            Notification(recipient=peach, title="x", created_at=FRIDAY_EVENING)
            for _ in range(150)
        )

        assert "99+" in browser_of(peach).get("/notifications/badge/").content.decode()

    def test_read_and_dismissed_are_kept(self, browser_of, peach, told):
        browser = browser_of(peach)

        browser.post(f"/notifications/{told.pk}/read/")
        assert told.title in browser.get("/notifications/").content.decode()
        browser.post(f"/notifications/{told.pk}/dismiss/")
        assert told.title not in browser.get("/notifications/").content.decode()

        told.refresh_from_db()
        assert told.read_at is not None
        assert told.dismissed_at is not None

    def test_all_at_once(self, browser_of, peach, order_of, luigi, told):
        move(order_of(peach), luigi, Status.COOKING)

        browser_of(peach).post("/notifications/read/")

        assert not Notification.objects.unread().exists()

    @pytest.mark.parametrize("what", ["read", "dismiss"])
    def test_somebody_elses_is_not_there(self, browser_of, toad, told, what):
        answer = browser_of(toad).post(f"/notifications/{told.pk}/{what}/")

        assert answer.status_code == 404
        told.refresh_from_db()
        assert (told.read_at, told.dismissed_at) == (None, None)

    def test_the_list_has_pages_and_few_queries(
        self, browser_of, peach, django_assert_max_num_queries
    ):
        Notification.objects.bulk_create(
            Notification(recipient=peach, title=f"News {n}", created_at=FRIDAY_EVENING)
            for n in range(45)
        )
        browser = browser_of(peach)

        with django_assert_max_num_queries(8):
            page = browser.get("/notifications/?page=3").content.decode()

        assert page.count('class="card news-item') == 5


class TestApi:
    def test_lists_reads_and_dismisses(self, api_of, peach, told):
        api = api_of(peach)

        listed = api.get("/api/notifications/").json()
        read = api.post(f"/api/notifications/{told.pk}/read/").json()
        again = api.post(f"/api/notifications/{told.pk}/read/").json()
        dismissed = api.post(f"/api/notifications/{told.pk}/dismiss/").json()

        assert listed["count"] == 1
        assert listed["results"][0]["kind"] == "order_cooking_started"
        assert read["read_at"] == again["read_at"] is not None
        assert dismissed["dismissed_at"] is not None
        assert api.get("/api/notifications/").json()["count"] == 0

    def test_reads_all(self, api_of, peach, told):
        assert api_of(peach).post("/api/notifications/read/").json() == {"changed": 1}

    def test_somebody_elses_is_not_there(self, api_of, toad, told):
        api = api_of(toad)

        assert api.post(f"/api/notifications/{told.pk}/read/").status_code == 404
        assert api.get("/api/notifications/").json()["count"] == 0
