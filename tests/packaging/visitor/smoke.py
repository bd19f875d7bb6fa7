"""
What a person would see of the engine in an empty project, as tests of that project.

Run by `manage.py test`. REDIS_PORT and REDIS_PID name a server of the tests' own.
"""

import asyncio
import json
import os
import signal
import time
from io import StringIO
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.backends.db import SessionStore as DatabaseSession
from django.core.cache import caches
from django.core.management import call_command
from django.http import HttpRequest, JsonResponse
from django.test import TransactionTestCase, modify_settings, override_settings
from django.urls import include, path

from sessions_backend.engine import SessionStore
from sessions_backend.operators import handle_of

OURS = "sessions_backend.middleware.SessionMiddleware"
DJANGOS = "django.contrib.sessions.middleware.SessionMiddleware"


def count(request: HttpRequest) -> JsonResponse:
    request.session["visits"] = request.session.get("visits", 0) + 1
    return JsonResponse({"visits": request.session["visits"]})


async def count_async(request: HttpRequest) -> JsonResponse:
    visits = await request.session.aget("visits", 0) + 1
    await request.session.aset("visits", visits)
    return JsonResponse({"visits": visits})


urlpatterns = [
    path("count/", count),
    path("count-async/", count_async),
    path("", include("project.urls")),
]


def redis() -> Any:
    cache: Any = caches["sessions"]
    return cache.client.get_client()


@override_settings(ROOT_URLCONF=__name__)
class WithOurMiddleware(TransactionTestCase):
    def setUp(self) -> None:
        redis().flushall()

    def test_visits_are_counted_in_one_readable_record(self):
        visits = [self.client.get("/count/").json()["visits"] for _ in range(3)]

        key = "session:" + self.client.cookies["sessionid"].value
        assert visits == [1, 2, 3]
        assert json.loads(redis().get(key))["visits"] == 3

    def test_asynchronous_views_share_the_session(self):
        self.client.get("/count/")
        self.async_client.cookies = self.client.cookies

        response = asyncio.run(self.async_client.get("/count-async/"))

        assert response.json() == {"visits": 2}
        assert self.client.get("/count/").json() == {"visits": 3}

    def test_a_login_changes_the_id_and_a_logout_ends_the_session(self):
        get_user_model().objects.create_superuser("luigi", password="mamma-mia")
        self.client.get("/count/")
        former = self.client.cookies["sessionid"].value

        self.client.post(
            "/admin/login/?next=/admin/",
            {"username": "luigi", "password": "mamma-mia"},
        )

        present = self.client.cookies["sessionid"].value
        assert present != former
        assert self.client.get("/admin/").status_code == 200
        assert self.client.get("/count/").json() == {"visits": 2}
        assert "_auth_user_id" not in SessionStore(former).load()

        self.client.post("/admin/logout/")

        assert not SessionStore().exists(present)
        assert self.client.get("/admin/").status_code == 302

    def test_the_stock_admin_shows_and_ends_sessions(self):
        users = get_user_model().objects
        self.client.force_login(users.create_superuser("luigi"))
        other = SessionStore()
        other["_auth_user_id"] = str(users.create_user("peach").pk)
        other["cart"] = {"margherita": 1}
        other.create()
        handle = handle_of(str(other.session_key))

        listed = self.client.get("/admin/sessions_backend/session/?q=peach")
        shown = self.client.get(f"/admin/sessions_backend/session/{handle}/")
        self.client.post("/admin/sessions_backend/session/end/", {"handle": handle})

        assert handle in listed.content.decode()
        assert "margherita" in shown.content.decode()
        assert not SessionStore().exists(other.session_key)
        assert self.client.get("/admin/sessions_backend/session/").status_code == 200

    def test_sessions_of_the_database_are_taken_along(self):
        former = DatabaseSession()
        former["cart"] = {"margherita": 1}
        former.create()

        engine = "django.contrib.sessions.backends.db"
        call_command("sessions", "import", "--from", engine, stdout=StringIO())

        assert SessionStore(former.session_key)["cart"] == {"margherita": 1}

    def test_two_requests_at_once_keep_what_both_changed(self):
        session = SessionStore()
        session["cart"] = {}
        session.create()
        one, other = (SessionStore(session.session_key) for _ in range(2))
        one["cart"]["margherita"] = 1
        other["cart"]["diavola"] = 2

        one.save()
        other.save()

        assert SessionStore(session.session_key)["cart"] == {
            "margherita": 1,
            "diavola": 2,
        }

    def test_a_save_does_not_revive_a_session_that_was_deleted(self):
        session = SessionStore()
        session.create()
        late = SessionStore(session.session_key)
        late["visits"] = 7
        session.delete()

        # pytest is not installed there.
        with self.assertRaises(UpdateError):  # noqa: PT027
            late.save()

        assert not SessionStore().exists(session.session_key)

    def test_an_outage_is_no_logout(self):
        # Nobody in this process has seen this session.
        redis().set("session:" + "a" * 40, b'{"visits":5}', ex=600)
        self.client.cookies["sessionid"] = "a" * 40
        self.client.raise_request_exception = False

        os.kill(int(os.environ["REDIS_PID"]), signal.SIGSTOP)
        try:
            away = self.client.get("/count/")
        finally:
            os.kill(int(os.environ["REDIS_PID"]), signal.SIGCONT)

        self.check_outage_page(away)
        assert "sessionid" not in away.cookies
        deadline = time.monotonic() + 15
        while (back := self.client.get("/count/")).status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert back.json() == {"visits": 6}

    def check_outage_page(self, response):
        assert response.status_code == 503
        assert "Retry-After" in response.headers

    def test_commands_find_the_session(self):
        self.client.get("/count/")

        call_command("sessions", "ping")
        call_command("sessions", "list")
        call_command("clearsessions")


@modify_settings(MIDDLEWARE={"remove": OURS, "prepend": DJANGOS})
class WithDjangosMiddleware(WithOurMiddleware):
    def check_outage_page(self, response):
        """Django's middleware has no page for it."""
        assert response.status_code >= 500
