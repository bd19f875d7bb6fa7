"""Where somebody is logged in, the end of it, and what was written down."""

import json
import re
import time
from typing import Any
from unittest.mock import Mock

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError
from django.test import Client

from mario.account import audit
from mario.account.devices import describe
from mario.account.models import AuditEntry
from sessions_backend.engine import SessionStore
from tests.mario.identity.issuer import Issuer
from tests.mario.identity.test_login import log_in
from tests.mario.identity.test_logout import bearer, logout_token, tell

pytestmark = pytest.mark.django_db

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1"
)


def enter(issuer: Issuer, agent: str = FIREFOX, **claims: Any) -> Client:
    """Let somebody log in with a browser of their own."""
    browser = Client(headers={"User-Agent": agent}, REMOTE_ADDR="192.0.2.7")
    log_in(browser, issuer, **{"auth_time": int(time.time()), **claims})
    return browser


@pytest.fixture
def laptop(issuer: Issuer) -> Client:
    return enter(issuer)


@pytest.fixture
def phone(issuer: Issuer, laptop) -> Client:
    return enter(issuer, IPHONE, sid="phone")


def grow_old(browser: Client) -> None:
    session = SessionStore(browser.session.session_key)
    session["user_info"]["auth_time"] = int(time.time()) - 3600
    session.save()


def handles(browser: Client) -> list[str]:
    page = browser.get("/account/sessions/").content.decode()
    return re.findall(r'name="handle" value="([0-9a-f]{16})"', page)


def is_in(browser: Client) -> bool:
    return browser.get("/account/").status_code == 200


class TestThePage:
    def test_shows_each_device_and_marks_this_one(self, laptop, phone):
        page = phone.get("/account/sessions/").content.decode()

        assert page.index("Safari on an iPhone") < page.index("Firefox on Linux")
        assert page.count("This one") == 1
        assert page.count("192.0.2.7") >= 2
        assert phone.session.session_key not in page
        assert laptop.session.session_key not in page

    def test_is_not_kept_by_any_cache(self, laptop):
        for path in ("/account/", "/account/sessions/"):
            assert "no-store" in laptop.get(path)["Cache-Control"]

    @pytest.mark.parametrize("path", ["/account/", "/account/sessions/"])
    def test_is_for_who_is_logged_in(self, client, path):
        assert client.get(path)["Location"] == f"/auth/login?next={path}"

    def test_shows_nothing_of_others(self, issuer: Issuer, laptop):
        bowser = enter(issuer, IPHONE, sub="bowser", sid="castle")

        assert handles(bowser) == []
        assert b"Firefox" not in bowser.get("/account/sessions/").content

    def test_escapes_what_a_browser_says_of_itself(self, issuer: Issuer):
        evil = enter(issuer, "<script>alert(1)</script>")

        assert b"alert(1)" not in evil.get("/account/sessions/").content

    @pytest.mark.parametrize("damage", [5, {"since": "x", "seen_at": True}, {}])
    def test_works_on_a_record_that_somebody_has_edited(self, laptop, phone, damage):
        session = SessionStore(laptop.session.session_key)
        session["device"] = damage
        session.save()

        assert phone.get("/account/sessions/").status_code == 200

    def test_notes_now_and_then_that_a_session_is_in_use(self, laptop):
        def seen_at():
            return SessionStore(laptop.session.session_key)["device"]["seen_at"]

        laptop.get("/account/")
        first = seen_at()
        session = SessionStore(laptop.session.session_key)
        session["device"]["seen_at"] = first - 601
        session.save()

        laptop.get("/account/", REMOTE_ADDR="198.51.100.9")

        assert seen_at() >= first
        assert b"198.51.100.9" in laptop.get("/account/sessions/").content

    def test_writes_nothing_for_a_session_seen_lately(self, laptop, redis_client):
        key = f"mario_session:{laptop.session.session_key}"
        laptop.get("/account/")
        before = redis_client.get(key)

        laptop.get("/account/")

        assert redis_client.get(key) == before


class TestEnding:
    def test_one_ends_that_one_and_its_bearers(self, issuer: Issuer, laptop, phone):
        (handle,) = handles(phone)

        answer = phone.post("/account/sessions/end/", {"handle": handle})

        assert answer["Location"] == "/account/sessions/"
        assert not is_in(laptop)
        assert is_in(phone)
        assert bearer(issuer).status_code == 401

    def test_tells_the_provider_so_that_nobody_comes_back_without_a_password(
        self, issuer: Issuer, laptop, phone, settings
    ):
        settings.OIDC_OP_REVOCATION_ENDPOINT = f"{issuer.url}/revoke"
        (handle,) = handles(phone)

        phone.post("/account/sessions/end/", {"handle": handle})

        assert issuer.posted["token"] == ["a-refresh-token"]
        assert issuer.posted["client_id"] == ["mario-app"]

    def test_all_others_leaves_this_one(self, issuer: Issuer, laptop, phone):
        tablet = enter(issuer, sid="tablet")

        tablet.post("/account/sessions/end/", {"others": "1"})

        assert is_in(tablet)
        assert not is_in(laptop)
        assert not is_in(phone)

    def test_asks_for_a_recent_login(self, laptop, phone):
        (handle,) = handles(phone)
        grow_old(phone)

        answer = phone.post(
            "/account/sessions/end/",
            {"handle": handle},
            headers={"Referer": "http://testserver/account/sessions/"},
        )

        assert answer["Location"] == (
            "/auth/login?next=%2Faccount%2Fsessions%2F&max_age=300"
        )
        assert is_in(laptop)

    def test_of_somebody_else_is_not_possible(self, issuer: Issuer, laptop, phone):
        (handle,) = handles(phone)
        bowser = enter(issuer, sub="bowser", sid="castle")

        bowser.post("/account/sessions/end/", {"handle": handle})

        assert is_in(laptop)

    @pytest.mark.parametrize("handle", ["", "x" * 5000, "../..", "\x00"])
    def test_of_nothing_ends_nothing(self, laptop, phone, handle):
        answer = phone.post("/account/sessions/end/", {"handle": handle})

        assert answer.status_code == 302
        assert is_in(laptop)

    def test_is_no_link(self, laptop):
        assert laptop.get("/account/sessions/end/").status_code == 405

    def test_needs_the_csrf_token(self, issuer: Issuer, laptop):
        browser = Client(enforce_csrf_checks=True)
        log_in(browser, issuer, sid="tablet", auth_time=int(time.time()))

        answer = browser.post("/account/sessions/end/", {"others": "1"})

        assert answer.status_code == 403
        assert is_in(laptop)


class TestTheApi:
    PATH = "/api/account/sessions/"

    def call(
        self,
        issuer: Issuer,
        method: str,
        path: str = PATH,
        address: str = "192.0.2.7",
        **claims,
    ):
        wanted = {"auth_time": int(time.time()), "scope": "openid account", **claims}
        token = issuer.sign(issuer.claims(**wanted))
        headers = {"Authorization": f"Bearer {token}"}
        browser = Client(headers=headers, REMOTE_ADDR=address)
        return browser.generic(method, path)

    def test_lists_the_same(self, issuer: Issuer, laptop, phone):
        found = self.call(issuer, "GET").json()

        assert [(one["device"], one["is_this"]) for one in found] == [
            ("Firefox on Linux", True),
            ("Safari on an iPhone", False),
        ]

    def test_ends_one_and_all_others(self, issuer: Issuer, laptop, phone):
        enter(issuer, sid="tablet")
        other = next(
            one for one in self.call(issuer, "GET").json() if "iPhone" in one["device"]
        )

        ended = self.call(issuer, "DELETE", f"{self.PATH}{other['handle']}/")
        again = self.call(issuer, "DELETE", f"{self.PATH}{other['handle']}/")
        rest = self.call(issuer, "DELETE")

        assert (ended.status_code, again.status_code) == (204, 404)
        assert rest.json() == {"ended": 1}
        assert is_in(laptop)
        assert not is_in(phone)

    def test_asks_for_a_recent_login(self, issuer: Issuer, laptop, phone):
        answer = self.call(issuer, "DELETE", auth_time=int(time.time()) - 3600)

        assert answer.status_code == 403
        assert answer.json()["code"] == "recent_login_required"
        assert is_in(phone)

    def test_is_limited(self, issuer: Issuer, laptop, settings):
        settings.RATE_LIMITS = {**settings.RATE_LIMITS, "account": (1, 3600)}
        self.call(issuer, "DELETE")

        answer = self.call(issuer, "DELETE")

        assert answer.status_code == 429
        assert answer["Retry-After"]
        assert answer.json()["extra"]["retry_after_seconds"] > 0

    def test_is_limited_for_a_person_wherever_they_call_from(
        self, issuer: Issuer, laptop, settings
    ):
        settings.RATE_LIMITS = {**settings.RATE_LIMITS, "account": (1, 3600)}

        statuses = [
            self.call(issuer, "DELETE", address=f"192.0.2.{number}").status_code
            for number in range(2)
        ]

        assert statuses == [200, 429]

    def test_is_for_who_is_logged_in(self):
        assert Client().get(self.PATH).status_code == 401


class TestTheStaff:
    @pytest.fixture
    def manager(self, issuer: Issuer, laptop) -> Client:
        roles: Any = {"realm_access": {"roles": ["manager"]}}
        return enter(issuer, IPHONE, sub="toad", sid="office", **roles)

    @pytest.fixture
    def chef(self, issuer: Issuer) -> Client:
        roles: Any = {"realm_access": {"roles": ["chef"]}}
        return enter(issuer, sub="luigi", sid="kitchen", **roles)

    def form_of(self, manager: Client) -> dict[str, str]:
        page = manager.get("/account/staff/").content.decode()
        user, handle = re.findall(
            r'name="user" value="(\d+)"><input type="hidden" name="handle" '
            r'value="([0-9a-f]{16})"',
            page,
        )[0]
        return {"user": user, "handle": handle}

    def test_is_seen_and_logged_out_by_a_manager(self, manager, chef):
        form = self.form_of(manager)

        manager.post("/account/staff/end/", form)

        assert not is_in(chef)
        assert is_in(manager)

    def test_is_logged_out_by_a_manager_who_has_logged_in_lately(self, manager, chef):
        form = self.form_of(manager)
        grow_old(manager)

        answer = manager.post("/account/staff/end/", form)

        assert answer["Location"].startswith("/auth/login?")
        assert "max_age=300" in answer["Location"]
        assert is_in(chef)

    def test_is_not_shown_to_others(self, manager, chef):
        form = self.form_of(manager)

        assert chef.get("/account/staff/").status_code == 403
        assert chef.post("/account/staff/end/", form).status_code == 403
        assert is_in(manager)

    def test_are_no_customers(self, manager, laptop):
        customer = User.objects.get(identities__subject="8c2f6d0e-peach")
        own = laptop.get("/account/sessions/")
        assert own.status_code == 200

        answer = manager.post(
            "/account/staff/end/", {"user": customer.pk, "handle": "0" * 16}
        )

        assert answer.status_code == 404
        assert str(customer.username).encode() not in (
            manager.get("/account/staff/").content
        )

    @pytest.mark.parametrize("user", ["", "x", "9" * 30, "-1", "²"])
    def test_that_is_no_number_is_refused(self, manager, user):
        answer = manager.post("/account/staff/end/", {"user": user, "handle": "x"})

        assert answer.status_code == 400


class TestTheAuditLog:
    def events(self) -> list[str]:
        return list(AuditEntry.objects.order_by("pk").values_list("event", flat=True))

    def test_holds_logins_logouts_and_revocations(self, issuer: Issuer, laptop, phone):
        (handle,) = handles(phone)
        phone.post("/account/sessions/end/", {"handle": handle})
        phone.post("/auth/logout")

        assert self.events() == ["login", "login", "revoked", "logout"]
        login = AuditEntry.objects.earliest("pk")
        assert (login.address, login.device) == ("192.0.2.7", "Firefox on Linux")
        assert AuditEntry.objects.exclude(user=login.user).count() == 0

    def test_holds_the_providers_logouts(self, issuer: Issuer, laptop):
        tell(logout_token(issuer))

        last = AuditEntry.objects.latest("pk")
        assert (last.event, last.address) == ("provider_logout", "")

    def test_holds_refusals(self, client):
        client.get("/auth/callback?state=x&code=y")

        assert self.events() == ["login_refused"]

    def test_holds_refused_tokens(self, issuer: Issuer):
        bearer(issuer, aud="another")
        tell(logout_token(issuer, nonce="n1"))

        assert self.events() == ["token_refused"] * 2
        details = AuditEntry.objects.order_by("pk").values_list("detail", flat=True)
        assert list(details) == [
            "bearer: it is meant for others",
            "logout: a logout token has no nonce",
        ]

    def test_leaves_out_what_has_merely_expired(self, issuer: Issuer):
        bearer(issuer, exp=int(time.time()) - 60)

        assert self.events() == []

    def test_is_not_filled_by_a_flood(self, issuer: Issuer, monkeypatch):
        for _ in range(60):
            bearer(issuer, aud="another")
            tell(logout_token(issuer, nonce="n1"))
            Client().get("/auth/callback?state=x&code=y")
        assert AuditEntry.objects.count() == 60

        later = time.monotonic() + 600
        monkeypatch.setattr(audit, "time", Mock(monotonic=lambda: later))
        bearer(issuer, aud="another")
        last = AuditEntry.objects.latest("pk")
        assert last.detail == "40 more; bearer: it is meant for others"

    def test_holds_no_secret(self, issuer: Issuer, laptop, phone, caplog):
        keys = [laptop.session.session_key, phone.session.session_key]
        bearer(issuer, sub=None)
        tell(logout_token(issuer, nonce="n1"))
        (handle,) = handles(phone)
        phone.post("/account/sessions/end/", {"handle": handle})
        rows = json.dumps(list(AuditEntry.objects.values()), default=str)

        for secret in (*keys, "a-refresh-token", "eyJ"):
            assert secret not in rows
            assert secret not in caplog.text

    def test_is_bounded(self, laptop, monkeypatch):
        monkeypatch.setattr(audit, "MOST", 10)
        monkeypatch.setattr(audit, "_CLEAR_EVERY", 5)
        user = User.objects.get()

        for _ in range(40):
            audit.note_login(user=user)

        assert AuditEntry.objects.count() <= 15

    def test_that_cannot_be_written_keeps_nobody_out(
        self, issuer: Issuer, monkeypatch, caplog
    ):
        def fail(**_):
            raise DatabaseError

        monkeypatch.setattr(AuditEntry.objects, "create", fail)

        assert is_in(enter(issuer))
        assert "could not be stored" in caplog.text

    def test_is_on_the_page_of_whom_it_is_about(self, issuer: Issuer, laptop):
        assert b"Logged in" in laptop.get("/account/").content

    def test_is_read_by_the_admin_and_written_by_nobody(self, issuer: Issuer, laptop):
        roles: Any = {"realm_access": {"roles": ["admin"]}}
        admin = enter(issuer, sub="toad", sid="office", **roles)
        entry = AuditEntry.objects.earliest("pk")

        assert admin.get("/admin/account/auditentry/").status_code == 200
        assert admin.get("/admin/account/auditentry/add/").status_code == 403
        change = f"/admin/account/auditentry/{entry.pk}/"
        assert admin.post(f"{change}delete/", {"post": "yes"}).status_code == 403
        assert admin.post(f"{change}change/", {"address": "x"}).status_code == 403


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (FIREFOX, "Firefox on Linux"),
        (IPHONE, "Safari on an iPhone"),
        (
            "Mozilla/5.0 (Windows NT 10.0) Chrome/140.0 Safari/537.36 Edg/140.0",
            "Edge on Windows",
        ),
        ("Mozilla/5.0 (Linux; Android 15) Chrome/140.0 Safari/537.36", None),
        ("curl/8.0", "A program"),
        ("", "An unknown device"),
        ("Firefox" * 10_000, "Firefox"),
    ],
)
def test_a_device_is_named_in_words_of_our_own(agent, words):
    assert describe(agent) == (words or "Chrome on Android")
