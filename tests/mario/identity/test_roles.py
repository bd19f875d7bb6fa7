"""What a role gives, and that it is gone when the role is."""

import re
import time
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.admin import site
from django.contrib.auth.models import Group, User
from django.test import Client

from mario.identity.roles import roles_of
from sessions_backend.engine import SessionStore
from tests.mario.identity.issuer import Issuer
from tests.mario.identity.test_login import come_back, log_in
from tests.mario.identity.test_logout import bearer

pytestmark = pytest.mark.django_db


def with_roles(*names: str, **more):
    return {"realm_access": {"roles": list(names)}, **more}


def peach() -> User:
    return User.objects.get(identities__subject="8c2f6d0e-peach")


def groups() -> set[str]:
    return set(peach().groups.values_list("name", flat=True))


@pytest.fixture
def admin(client, issuer: Issuer) -> Client:
    log_in(client, issuer, **with_roles("admin"), auth_time=int(time.time()))
    browser: Client = client
    return browser


def age(client: Client, seconds: int) -> None:
    session = SessionStore(client.session.session_key)
    session["user_info"]["auth_time"] = int(time.time()) - seconds
    session.save()


def admin_addresses() -> dict[str, str]:
    """Every address of a model's admin, by its name; as if for the object number 1."""
    return {
        pattern.name: re.sub("<[^>]+>", "1", f"/admin/{model.pattern}{pattern.pattern}")
        for model in site.get_urls()
        for pattern in getattr(model, "url_patterns", [])
        if pattern.name
    }


class TestTheTable:
    def test_a_realm_role_gives_its_group(self, client, issuer: Issuer):
        log_in(client, issuer, **with_roles("chef", "unknown"))

        assert groups() == {"chef"}

    def test_a_clients_role_is_another_than_the_realms(self, client, issuer, settings):
        settings.OIDC_ROLES = {"mario-app:auditor": {"groups": ["auditor"]}}
        access = {"mario-app": {"roles": ["auditor"]}, "account": {"roles": ["x"]}}

        log_in(client, issuer, **with_roles("auditor"))
        assert groups() == set()

        log_in(Client(), issuer, resource_access=access)
        assert groups() == {"auditor"}

    def test_a_role_gives_and_takes_permissions(self, client, issuer, settings):
        settings.OIDC_ROLES = {
            "manager": {"permissions": ["auth.view_user", "auth.view_group"]},
            "chef": {"permissions": ["auth.view_group"]},
        }

        log_in(client, issuer, **with_roles("manager"))
        assert peach().has_perms(["auth.view_user", "auth.view_group"])

        log_in(Client(), issuer, **with_roles("chef"))
        assert peach().has_perm("auth.view_group")
        assert not peach().has_perm("auth.view_user")

    def test_the_admin_is_staff_and_superuser_until_the_role_is_gone(
        self, admin, issuer: Issuer
    ):
        assert (peach().is_staff, peach().is_superuser) == (True, True)

        later = int(time.time()) + 2
        assert bearer(issuer, iat=later).status_code == 200

        assert (peach().is_staff, peach().is_superuser) == (False, False)
        assert admin.get("/admin/").status_code == 302

    def test_what_was_given_by_hand_stays(self, client, issuer: Issuer):
        log_in(client, issuer)
        peach().groups.add(Group.objects.create(name="choir"))

        log_in(client, issuer, **with_roles("chef"))

        assert groups() == {"choir", "chef"}

    @pytest.mark.parametrize(
        "access",
        [
            {"realm_access": 5},
            {"realm_access": {"roles": "admin"}},
            {"realm_access": {"roles": {"admin": 1}}},
            {"realm_access": {"roles": [["admin"], 5, None]}},
            {"resource_access": ["admin"]},
            {"resource_access": {"mario-app": ["admin"]}},
        ],
        ids=str,
    )
    def test_what_is_no_list_of_roles_gives_nothing(self, access):
        assert roles_of(access) == set()


class TestADisabledUser:
    def test_is_refused_at_the_next_page(self, client, issuer: Issuer):
        log_in(client, issuer)
        User.objects.update(is_active=False)

        assert client.get("/orders/").status_code == 302

    def test_is_refused_at_the_next_call(self, client, issuer: Issuer):
        log_in(client, issuer)
        User.objects.update(is_active=False)

        assert bearer(issuer).status_code == 401
        assert client.get("/api/cart/").status_code in (401, 403)


class TestWhatMatters:
    ADDRESS = "/admin/auth/group/add/"

    def test_is_done_after_a_recent_login(self, admin):
        answer = admin.post(self.ADDRESS, {"name": "choir"})

        assert answer.status_code == 302
        assert Group.objects.filter(name="choir").exists()

    def test_asks_for_the_login_once_more_and_leads_back(self, admin):
        age(admin, 301)

        answer = admin.post(
            self.ADDRESS,
            {"name": "choir"},
            headers={"Referer": f"http://testserver{self.ADDRESS}"},
        )

        assert answer["Location"] == (
            "/auth/login?next=%2Fadmin%2Fauth%2Fgroup%2Fadd%2F&max_age=300"
        )
        assert not Group.objects.filter(name="choir").exists()

    def test_is_whatever_is_sent_but_the_shops_daily_work(self, admin):
        """So that an address which is added, to give money back, is asked for it."""
        age(admin, 301)

        admin.raise_request_exception = False
        asks: set[str] = set()
        asks_not: set[str] = set()
        for name, path in admin_addresses().items():
            location = admin.post(path).headers.get("Location", "")
            known = asks if location.startswith("/auth/login?") else asks_not
            known.add(name.rsplit("_", 1)[0])

        assert asks_not == {
            *("menu_pizza", "menu_menuchange", "kitchen_kitchen"),
            "notifications_notification",
        }
        assert {"auth_user", "auth_group", "sessions_backend_session"} <= asks

    def test_leads_to_no_other_host(self, admin):
        age(admin, 301)

        answer = admin.post(
            self.ADDRESS, {"name": "x"}, headers={"Referer": "http://evil.example/x"}
        )

        assert answer["Location"] == "/auth/login?next=%2F&max_age=300"

    def test_lets_people_look_around(self, admin):
        age(admin, 301)

        assert admin.get(self.ADDRESS).status_code == 200

    @pytest.mark.parametrize("auth_time", [None, "soon", True])
    def test_takes_no_login_for_recent_that_does_not_say_when(self, admin, auth_time):
        session = SessionStore(admin.session.session_key)
        session["user_info"]["auth_time"] = auth_time
        session.save()

        answer = admin.post(self.ADDRESS, {"name": "choir"})

        assert answer["Location"].startswith("/auth/login?")


class TestAStrongerLogin:
    """Where the settings name a level of the realm's, any login is too little."""

    @pytest.fixture(autouse=True)
    def _level(self, settings):
        settings.RECENT_LOGIN_ACR = "2"

    def enter(self, client, issuer: Issuer, acr: object):
        asked = client.get("/auth/login?next=/admin/&max_age=300&acr_values=2")
        query = parse_qs(urlsplit(asked["Location"]).query)
        assert query["acr_values"] == ["2"]
        claims = with_roles("admin", auth_time=int(time.time()), acr=acr)
        issuer.will_answer(query["nonce"][0], **claims)
        return come_back(client, {"state": query["state"][0]})

    def test_is_asked_for(self, admin):
        answer = admin.post(TestWhatMatters.ADDRESS, {"name": "choir"})

        assert answer["Location"].endswith("&max_age=300&acr_values=2")
        assert not Group.objects.filter(name="choir").exists()

    def test_is_enough(self, client, issuer: Issuer):
        assert self.enter(client, issuer, "2").status_code == 302

        client.post(TestWhatMatters.ADDRESS, {"name": "choir"})

        assert Group.objects.filter(name="choir").exists()

    @pytest.mark.parametrize("acr", ["1", None, 2])
    def test_that_was_not_made_is_no_login(self, client, issuer: Issuer, acr):
        assert self.enter(client, issuer, acr).status_code == 400
        assert "mario_session" not in client.cookies
