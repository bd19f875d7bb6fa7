"""The admin's pages of sessions, within unfold; the wheel's tests see the stock one."""

import time

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client

from sessions_backend.engine import SessionStore
from sessions_backend.operators import handle_of

pytestmark = pytest.mark.django_db

LIST = "/admin/sessions_backend/session/"
END = f"{LIST}end/"


def browser_of(person):
    browser = Client()
    browser.force_login(person)
    # The project asks for a login that is recent before it ends somebody's session.
    session = browser.session
    session["user_info"] = {"auth_time": int(time.time())}
    session.save()
    return browser


def session_of(person, **data):
    session = SessionStore()
    session.update({"_auth_user_id": str(person.pk), **data})
    session.save()
    return session


def is_live(session):
    return SessionStore().exists(session.session_key)


@pytest.fixture
def admin():
    return browser_of(User.objects.create_superuser("mario"))


@pytest.fixture
def peach():
    return User.objects.create_user("peach", "peach@castle.example")


@pytest.fixture
def session(peach):
    tokens = {"access_token": "opaque-and-secret", "expires_at": 17}
    return session_of(peach, tokens=tokens, cart={"margherita": 1})


def text(response):
    assert response.status_code == 200
    return response.content.decode()


class TestList:
    def test_names_sessions_by_handle_and_user(self, admin, session):
        page = text(admin.get(LIST))

        assert handle_of(session.session_key) in page
        assert session.session_key not in page
        assert "peach" in page
        assert "(yours)" in page

    @pytest.mark.parametrize("query", ["peach", "PEA", "castle", "handle", "id"])
    def test_can_be_searched(self, admin, peach, session, query):
        other = session_of(User.objects.create_user("bowser"))
        queries = {"handle": handle_of(session.session_key), "id": str(peach.pk)}

        page = text(admin.get(LIST, {"q": queries.get(query, query)}))

        assert handle_of(session.session_key) in page
        assert handle_of(other.session_key) not in page

    @pytest.mark.parametrize("query", ["nobody", "9" * 40, "\x00", "%", "'", "é"])
    def test_says_that_nobody_was_found(self, admin, session, query):
        assert "Nobody of this name" in text(admin.get(LIST, {"q": query}))

    def test_shows_a_bounded_number(self, admin):
        for _ in range(101):
            SessionStore().create()

        assert "The first 100 sessions" in text(admin.get(LIST))

    def test_bears_what_records_say_of_users(self, admin):
        for user_id in ("not-a-number", "9" * 40, ["a"], {"b": 1}):
            session = SessionStore()
            session["_auth_user_id"] = user_id
            session.save()

        assert "not-a-number" in text(admin.get(LIST))

    def test_is_linked_from_the_index(self, admin):
        assert LIST in text(admin.get("/admin/"))


class TestSession:
    def test_shows_what_it_holds_and_no_secret(self, admin, session):
        page = text(admin.get(f"{LIST}{handle_of(session.session_key)}/"))

        assert "margherita" in page
        assert "opaque-and-secret" not in page
        assert session.session_key not in page

    @pytest.mark.parametrize("handle", ["0123456789abcdef", "x", "end"])
    def test_that_has_ended_is_not_found(self, admin, handle):
        assert admin.get(f"{LIST}{handle}/").status_code in {404, 405}

    def test_that_is_damaged_says_so(self, admin, session, redis_client):
        redis_client.set(f"mario_session:{session.session_key}", "[]", ex=60)

        page = text(admin.get(f"{LIST}{handle_of(session.session_key)}/"))

        assert "is damaged" in page


class TestEnd:
    def test_ends_the_chosen_and_no_other(self, admin, peach, session):
        other = session_of(peach)

        response = admin.post(
            END, {"handle": handle_of(session.session_key)}, follow=True
        )

        assert "1 session has ended." in text(response)
        assert not is_live(session)
        assert is_live(other)
        assert LogEntry.objects.get().object_id == handle_of(session.session_key)

    def test_ends_all_of_their_users(self, admin, peach, session):
        other = session_of(peach)
        stranger = session_of(User.objects.create_user("bowser"))

        admin.post(END, {"handle": handle_of(other.session_key), "all_of_users": "1"})

        assert not is_live(session)
        assert not is_live(other)
        assert is_live(stranger)

    def test_keeps_the_session_in_use_among_all_of_its_user(self, admin):
        own = admin.cookies["mario_session"].value
        handle = handle_of(own)

        admin.post(END, {"handle": handle, "all_of_users": "1"})
        assert text(admin.get(LIST))

        admin.post(END, {"handle": handle})
        assert admin.get(LIST).status_code == 302

    def test_of_nothing_ends_nothing(self, admin, session):
        for handles in ([], ["x"], [session.session_key]):
            admin.post(END, {"handle": handles})

        assert is_live(session)
        assert not LogEntry.objects.exists()

    def test_is_a_post(self, admin, session):
        handle = handle_of(session.session_key)

        assert admin.get(END, {"handle": handle}).status_code == 405
        assert is_live(session)


class TestWhoMay:
    def test_staff_needs_the_permission(self, session):
        staff = User.objects.create_user("toad", is_staff=True)
        browser = browser_of(staff)
        handle = handle_of(session.session_key)

        assert browser.get(LIST).status_code == 403
        assert browser.get(f"{LIST}{handle}/").status_code == 403
        staff.user_permissions.add(Permission.objects.get(codename="view_session"))
        assert "End the chosen" not in text(browser.get(LIST))
        assert browser.post(END, {"handle": handle}).status_code == 403
        assert is_live(session)
        staff.user_permissions.add(Permission.objects.get(codename="delete_session"))
        assert "End the chosen" in text(browser.get(LIST))

    def test_a_customer_sees_nothing(self, peach, session):
        assert browser_of(peach).get(LIST).status_code in {302, 403}
