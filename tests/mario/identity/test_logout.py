"""
The end of a login: inputs 63 to 84 of the catalogue of bad inputs, and fault 46.
"""

import time
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

import pytest
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import UpdateError
from django.test import Client

from mario.identity import jwks, login_session, people, validator
from mario.identity.models import Identity
from pizzeria.customers import services as customers
from pizzeria.customers.models import Address, Favourite
from pizzeria.menu.models import Pizza
from pizzeria.orders import services
from pizzeria.orders.announcing import announce
from pizzeria.orders.models import Order
from sessions_backend import failover, index, operators
from sessions_backend.engine import SessionStore
from sessions_backend.exceptions import StorageUnavailable
from sessions_backend.signals import session_ended
from tests.mario.identity.issuer import Issuer
from tests.mario.identity.test_login import begin, come_back, log_in
from tests.pizzeria.conftest import CHECKOUT
from tests.servers import wait_until

pytestmark = pytest.mark.django_db

BACK_CHANNEL = "/auth/backchannel-logout"
KEYS = "mario_session:*"


def logout_token(
    issuer: Issuer, *, header: dict[str, Any] | None = None, **changes
) -> str:
    wanted = {
        "typ": "Logout",
        "jti": "j1",
        "events": {validator.LOGOUT_EVENT: {}},
        "exp": int(time.time()) + 120,
        **changes,
    }
    return issuer.sign(
        issuer.claims(**wanted), **{"typ": "logout+jwt", **(header or {})}
    )


def tell(token: str, client: Client | None = None):
    return (client or Client()).post(
        BACK_CHANNEL,
        urlencode({"logout_token": token}),
        content_type="application/x-www-form-urlencoded",
    )


def bearer(issuer: Issuer, **changes):
    token = issuer.sign(issuer.claims(**changes))
    return Client().get("/api/cart/", headers={"Authorization": f"Bearer {token}"})


@pytest.fixture
def session_key(client, issuer: Issuer) -> str:
    """Peach is logged in with this browser."""
    log_in(client, issuer)
    return str(client.session.session_key)


@pytest.fixture
def ended():
    heard: list[str] = []

    def note(session_key, **_):
        heard.append(session_key)

    session_ended.connect(note)
    yield heard
    session_ended.disconnect(note)


def another_browser(issuer: Issuer, **claims) -> Client:
    client = Client()
    log_in(client, issuer, **claims)
    return client


class TestHere:
    def test_ends_the_session_first_and_goes_on_to_the_provider(
        self, client, issuer: Issuer, session_key, redis_client
    ):
        response = client.post("/auth/logout")

        address = urlsplit(response["location"])
        asked = parse_qs(address.query)
        assert f"{address.scheme}://{address.netloc}" == issuer.url
        assert asked["id_token_hint"][0].count(".") == 2
        assert asked["client_id"] == ["mario-app"]
        assert asked["post_logout_redirect_uri"] == [
            "http://testserver/auth/logged-out"
        ]
        assert len(asked["state"][0]) >= 32
        assert response["Clear-Site-Data"] == '"cache", "storage"'
        assert response["Cache-Control"].count("no-store")
        assert redis_client.keys(KEYS) == []
        assert client.cookies["mario_session"].value == ""

    def test_ends_its_bearer_tokens(self, client, issuer: Issuer, session_key):
        client.post("/auth/logout")

        assert bearer(issuer).status_code == 401

    def test_stops_the_requests_under_way_and_the_live_streams(
        self, client, session_key, redis_client, ended
    ):
        under_way = SessionStore(session_key)
        under_way["cart"] = {"late": 1}

        client.post("/auth/logout")

        with pytest.raises(UpdateError):
            under_way.save()
        assert redis_client.keys(KEYS) == []
        assert session_key in ended

    @pytest.mark.parametrize("whose", ["the browser's", "a bearer's"])
    def test_lets_an_order_under_way_be_none(
        self, client, issuer: Issuer, session_key, monkeypatch, whose
    ):
        pizza = Pizza.objects.create(name="Margherita", base_price="12.99")
        client.post("/cart/add/", {"pizza": pizza.pk, "size": "small"})
        another_tab = Client()
        another_tab.cookies = client.cookies

        def logged_out_meanwhile(*args, **kwargs):
            monkeypatch.setattr(services, "announce", announce)
            another_tab.post("/auth/logout")
            announce(*args, **kwargs)

        monkeypatch.setattr(services, "announce", logged_out_meanwhile)
        if whose == "the browser's":
            answer = client.post("/checkout/", CHECKOUT)
        else:
            token = issuer.sign(issuer.claims())
            headers = {"Authorization": f"Bearer {token}"}
            answer = Client().post(
                "/api/orders/", CHECKOUT, "application/json", headers=headers
            )

        assert not Order.objects.exists()
        if whose == "the browser's":
            assert answer["location"] == "/auth/login?next=/checkout/"
            page = client.get("/cart/").content.decode()
            assert "You were logged out meanwhile, so nothing was changed." in page
        else:
            assert (answer.status_code, answer.json()["code"]) == (401, "logged_out")
            assert answer["WWW-Authenticate"].startswith("Bearer ")

    def test_after_an_order_was_placed_does_not_say_that_there_is_none(
        self, client, session_key, monkeypatch
    ):
        pizza = Pizza.objects.create(name="Margherita", base_price="12.99")
        client.post("/cart/add/", {"pizza": pizza.pk, "size": "small"})
        another_tab = Client()
        another_tab.cookies = client.cookies

        def logged_out_meanwhile(user):
            another_tab.post("/auth/logout")
            return lock(user)

        lock = customers._lock
        monkeypatch.setattr(customers, "_lock", logged_out_meanwhile)
        answer = client.post("/checkout/", {**CHECKOUT, "remember": "on"})

        order = Order.objects.get()
        assert answer["location"] == order.get_absolute_url()
        assert not Address.objects.exists()

    @pytest.mark.parametrize("end", ["a logout", "keycloak", "another person's login"])
    @pytest.mark.parametrize(
        "whose", ["the browser's", "htmx's", "a script's", "a bearer's"]
    )
    def test_lets_no_change_under_way_be_committed(
        self, client, issuer: Issuer, session_key, monkeypatch, whose, end
    ):
        pizza = Pizza.objects.create(name="Margherita", base_price="12.99")
        browser = Client()
        browser.cookies = client.cookies
        address = f"/profile/favourites/{pizza.pk}/"
        # Known before: the transaction that is not to be committed is the test's own.
        another_browser(issuer, sub="bowser", sid="tower")

        def ended_meanwhile(user):
            if end == "a logout":
                browser.post("/auth/logout")
            elif end == "keycloak":
                login_session.lapse(session_key, generation=1)
            else:
                log_in(browser, issuer, sub="bowser", sid="castle")
            return lock(user)

        lock = customers._lock
        monkeypatch.setattr(customers, "_lock", ended_meanwhile)
        if whose == "a bearer's":
            token = issuer.sign(issuer.claims(scope="account"))
            headers = {"Authorization": f"Bearer {token}"}
            answer = Client().put("/api" + address, headers=headers)
        else:
            headers = {
                "htmx's": {"HX-Request": "true"},
                "a script's": {"Sec-Fetch-Mode": "cors"},
            }.get(whose, {})
            answer = client.post(address, {"keep": "true"}, headers=headers)

        assert not Favourite.objects.exists()
        expected = {"the browser's": 302, "htmx's": 200}
        assert answer.status_code == expected.get(whose, 401)
        # Not to the address of the change, at which nothing is shown.
        to_menu = "/auth/login?next=/menu/"
        if whose == "the browser's":
            assert answer["Location"] == to_menu
        elif whose == "htmx's":
            assert unquote(answer["HX-Redirect"]) == to_menu
        elif whose == "a script's":
            assert answer.json()["extra"]["login_url"] == to_menu
        # By now the browser's cookie may be the other person's.
        is_in = end == "another person's login"
        assert browser.get("/orders/").status_code == (200 if is_in else 302)

    def test_of_another_login_lets_a_change_be_committed(
        self, client, issuer: Issuer, session_key, monkeypatch
    ):
        pizza = Pizza.objects.create(name="Margherita", base_price="12.99")
        phone = another_browser(issuer, sid="phone")

        def ended_meanwhile(user):
            phone.post("/auth/logout")
            SessionStore(session_key).cycle_key()
            return lock(user)

        lock = customers._lock
        monkeypatch.setattr(customers, "_lock", ended_meanwhile)
        client.post(f"/profile/favourites/{pizza.pk}/", {"keep": "true"})

        assert Favourite.objects.exists()

    def test_is_no_link(self, client, session_key):
        assert client.get("/auth/logout").status_code == 405
        assert client.session.get("user_info")

    def test_needs_the_csrf_token(self, issuer: Issuer):
        client = Client(enforce_csrf_checks=True)
        log_in(client, issuer)

        assert client.post("/auth/logout").status_code == 403
        assert client.session.get("user_info")

    @pytest.mark.parametrize("damage", [5, [], None, {"sid": 7}], ids=str)
    def test_works_on_a_record_that_somebody_has_edited(
        self, client, session_key, redis_client, damage
    ):
        session = client.session
        session["tokens"] = session["user_info"] = damage
        session.save()

        assert client.post("/auth/logout").status_code == 302
        assert redis_client.keys(KEYS) == []

    def test_of_nobody_leads_to_the_last_page(self, client, issuer: Issuer):
        assert client.post("/auth/logout")["location"] == "/auth/logged-out"

    def test_without_an_id_token_names_the_client_and_lets_keycloak_ask(
        self, client, issuer: Issuer, session_key
    ):
        session = client.session
        session["tokens"] = {}
        session.save()

        address = client.post("/auth/logout")["location"]

        asked = parse_qs(urlsplit(address).query)
        assert asked["client_id"] == ["mario-app"]
        assert "id_token_hint" not in asked


class TestTheLastPage:
    def state_of(self, client: Client) -> str:
        address = client.post("/auth/logout")["location"]
        return parse_qs(urlsplit(address).query)["state"][0]

    def test_says_that_keycloak_has_done_its_part(self, client, session_key):
        state = self.state_of(client)

        page = client.get("/auth/logged-out", {"state": state})

        assert b"Here and at the login service" in page.content
        assert client.cookies["mario_logout"].value == ""

    @pytest.mark.parametrize("query", [{}, {"state": "another"}, {"state": "\u00fc"}])
    def test_promises_nothing_to_another_state(self, client, session_key, query):
        self.state_of(client)

        page = client.get("/auth/logged-out", query)

        assert page.status_code == 200
        assert b"You are logged out here." in page.content
        assert b"the login service may still know you" in page.content

    def test_ends_no_login(self, client, session_key):
        page = client.get("/auth/logged-out", {"state": "sent by somebody"})

        assert b"You are still logged in." in page.content
        assert client.session.get("user_info")


class TestByTheBackChannel:
    def test_the_login_of_the_sid_ends(
        self, client, issuer: Issuer, session_key, redis_client, ended
    ):
        under_way = SessionStore(session_key)
        under_way["cart"] = {"late": 1}

        answer = tell(logout_token(issuer))

        assert answer.status_code == 200
        assert "no-store" in answer["Cache-Control"]
        assert redis_client.keys(KEYS) == []
        assert client.get("/orders/").status_code == 302
        assert bearer(issuer).status_code == 401
        assert session_key in ended
        with pytest.raises(UpdateError):
            under_way.save()

    def test_the_other_logins_of_the_person_go_on(self, issuer: Issuer, session_key):
        phone = another_browser(issuer, sid="phone")

        tell(logout_token(issuer))

        assert phone.get("/orders/").status_code == 200

    def test_a_sub_alone_ends_all_of_its_logins(
        self, issuer: Issuer, session_key, redis_client
    ):
        another_browser(issuer, sid="phone")
        bowser = another_browser(issuer, sid="castle", sub="bowser")

        answer = tell(logout_token(issuer, sid=None))

        assert answer.status_code == 200
        assert [key.partition(":")[2] for key in redis_client.keys(KEYS)] == [
            bowser.session.session_key
        ]
        assert bearer(issuer).status_code == 401
        assert bearer(issuer, sid="phone").status_code == 401

    def test_a_sid_may_be_widened_to_its_subject(
        self, issuer: Issuer, session_key, redis_client, settings
    ):
        settings.OIDC_LOGOUT_WIDENS_TO_SUBJECT = True
        another_browser(issuer, sid="phone")

        tell(logout_token(issuer))

        assert redis_client.keys(KEYS) == []

    def test_many_sessions_of_one_person_end_at_once(
        self, issuer: Issuer, session_key, redis_client
    ):
        user = Identity.objects.get(subject="8c2f6d0e-peach").user_id
        for number in range(300):
            session = SessionStore()
            session[SESSION_KEY] = str(user)
            session["user_info"] = issuer.claims(sid=f"s{number}")
            session.save()
        for _ in range(50):
            strangers = SessionStore()
            strangers["cart"] = {}
            strangers.save()
        redis_client.config_resetstat()

        answer = tell(logout_token(issuer, sid=None))

        assert answer.status_code == 200
        assert len(redis_client.keys(KEYS)) == 50
        # Each is found by the person's own list: nobody looks through all of them.
        assert "cmdstat_scan" not in redis_client.info("commandstats")

    @pytest.mark.parametrize("sid", ["never-here", None])
    def test_a_sub_alone_ends_bearers_of_logins_that_were_never_here(
        self, issuer: Issuer, redis_client, sid
    ):
        # The same second: nobody can tell which was first.
        before = int(time.time())

        token = logout_token(issuer, sid=None, iat=before)
        assert tell(token).status_code == 200

        # The second finds no session either.
        answers = [bearer(issuer, sid=sid, iat=before) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [401, 401]
        assert redis_client.keys(KEYS) == []
        kept = redis_client.keys("mario_identity:ended:*")
        assert len(kept) == 1
        assert 24 * 3600 < redis_client.ttl(*kept) < 25 * 3600

    def test_a_sub_alone_ends_what_the_same_login_is_given_later(self, issuer: Issuer):
        now = int(time.time())
        tell(logout_token(issuer, sid=None))

        late = {"iat": now + 5, "auth_time": now - 5}
        assert bearer(issuer, sid="never-here", **late).status_code == 401

    @pytest.mark.parametrize("sid", ["the-next", None])
    def test_a_sub_alone_leaves_later_logins_and_other_people_alone(
        self, issuer: Issuer, sid
    ):
        later = int(time.time()) + 5
        tell(logout_token(issuer, sid=None))

        again = {"iat": later, "auth_time": later}
        assert bearer(issuer, sid=sid, **again).status_code == 200
        assert bearer(issuer, sid="castle", sub="bowser").status_code == 200

    @pytest.mark.parametrize("named", [{}, {"sid": None}], ids=["sid", "sub"])
    def test_a_login_that_is_still_on_its_way_back_is_none(
        self, client, issuer: Issuer, redis_client, named
    ):
        client.get("/menu/")
        asked = begin(client)
        issuer.will_answer(asked["nonce"], iat=int(time.time()) - 2)
        told: list[int] = []

        def tell_first() -> None:
            issuer.before_answering = lambda: None
            told.append(tell(logout_token(issuer, **named)).status_code)

        issuer.before_answering = tell_first

        page = come_back(client, asked)

        assert told == [200]
        assert page.status_code == 400
        assert client.get("/orders/").status_code == 302
        assert redis_client.keys(KEYS) == []
        # And the next one is.
        later = int(time.time()) + 5
        assert log_in(client, issuer, sid="the next", iat=later).status_code == 302

    def test_asks_for_the_password_of_whom_keycloak_still_knows(
        self, client, issuer: Issuer, settings
    ):
        settings.OIDC_LOGOUT_WIDENS_TO_SUBJECT = True
        long_ago, later = int(time.time()) - 600, int(time.time()) + 5
        tell(logout_token(issuer, sid="phone"))

        page = log_in(client, issuer, iat=later, auth_time=long_ago)

        assert page.status_code == 400
        assert b"with your password" in page.content
        assert b"/auth/login?next=%2Forders%2F&amp;prompt=login" in page.content
        assert log_in(client, issuer, iat=later, auth_time=later).status_code == 302

    @pytest.mark.parametrize("sid", ["phone", None])
    @pytest.mark.parametrize("is_first", [True, False])
    def test_a_sub_alone_ends_a_login_whose_session_has_just_begun(
        self, client, issuer: Issuer, redis_client, monkeypatch, sid, is_first
    ):
        if not is_first:
            log_in(client, issuer)
        user_info = people.user_info

        def told_meanwhile(claims):
            monkeypatch.setattr(people, "user_info", user_info)
            assert tell(logout_token(issuer, sid=None)).status_code == 200
            return user_info(claims)

        monkeypatch.setattr(people, "user_info", told_meanwhile)

        page = log_in(client, issuer, sid=sid)

        assert page.status_code == 400
        assert b"You are not logged in." in page.content
        assert client.get("/orders/").status_code == 302
        assert redis_client.keys(KEYS) == []

    def test_a_sub_alone_reaches_a_session_that_is_being_opened(
        self, issuer: Issuer, redis_client, monkeypatch
    ):
        link = index.link

        def told_meanwhile(name, *args, **kwargs):
            monkeypatch.setattr(index, "link", link)
            tell(logout_token(issuer, sid=None))
            return link(name, *args, **kwargs)

        monkeypatch.setattr(index, "link", told_meanwhile)

        before = int(time.time()) - 5
        assert bearer(issuer, sid="never-here", iat=before).status_code == 401
        assert redis_client.keys(KEYS) == []

    @pytest.mark.parametrize(
        "changes",
        [{"sid": "unknown"}, {"sid": None, "sub": "nobody"}, {"sid": "x", "sub": None}],
        ids=str,
    )
    def test_a_login_that_is_not_here_is_answered_alike(self, issuer: Issuer, changes):
        answer = tell(logout_token(issuer, **changes))

        assert (answer.status_code, answer.content) == (200, b"")

    def test_a_login_that_ended_before_it_began_here_opens_nothing(
        self, issuer: Issuer
    ):
        tell(logout_token(issuer))

        assert bearer(issuer).status_code == 401

    def test_the_sid_of_one_with_the_sub_of_another_ends_nothing(
        self, client, issuer: Issuer, session_key
    ):
        another_browser(issuer, sid="castle", sub="bowser")

        answer = tell(logout_token(issuer, sub="bowser"))

        assert answer.status_code == 400
        assert client.get("/orders/").status_code == 200

    def test_works_with_csrf_checks_on(self, issuer: Issuer, session_key, redis_client):
        client = Client(enforce_csrf_checks=True)

        answer = tell(logout_token(issuer), client)

        assert answer.status_code == 200
        assert redis_client.keys(KEYS) == []

    def test_works_where_every_page_asks_for_a_login(
        self, issuer: Issuer, session_key, redis_client, settings
    ):
        demanding = "django.contrib.auth.middleware.LoginRequiredMiddleware"
        settings.MIDDLEWARE = [*settings.MIDDLEWARE, demanding]

        assert Client().get("/menu/").status_code == 302
        assert tell(logout_token(issuer)).status_code == 200
        assert redis_client.keys(KEYS) == []


FORGED: dict[int, dict[str, Any]] = {
    64: {"header": {"alg": "RS512"}},
    65: {"iss": "http://another/realms/pyneuro"},
    66: {"events": None},
    67: {"nonce": "n1"},
    68: {"sid": None, "sub": None},
    69: {"exp": None},
    70: {"jti": None},
    72: {"typ": "Bearer"},
    73: {"header": {"typ": "JWT"}},
}
ALSO_FORGED = [
    {"aud": "another"},
    {"events": {}},
    {"events": {"http://other": {}}},
    {"events": {validator.LOGOUT_EVENT: 1}},
    {"sid": 7},
    {"sid": ""},
    {"iat": None},
    {"iat": int(time.time()) + 3600},
    {"iat": int(time.time()) - 3600},
    {"exp": 1},
    {"jti": 5},
    {"typ": "ID"},
]


class TestRefusal:
    def is_refused(self, answer, redis_client) -> None:
        assert answer.status_code == 400
        assert answer.json() == {"error": "invalid_request"}
        assert "no-store" in answer["Cache-Control"]
        assert len(redis_client.keys(KEYS)) == 1

    @pytest.mark.parametrize("number", FORGED)
    def test_of_a_forged_token(self, issuer: Issuer, session_key, redis_client, number):
        answer = tell(logout_token(issuer, **FORGED[number]))

        self.is_refused(answer, redis_client)

    @pytest.mark.parametrize("changes", ALSO_FORGED, ids=ALSO_FORGED.index)
    def test_of_other_forgeries(
        self, issuer: Issuer, session_key, redis_client, changes
    ):
        self.is_refused(tell(logout_token(issuer, **changes)), redis_client)

    def test_of_no_signature_or_a_broken_one(
        self, issuer: Issuer, session_key, redis_client
    ):
        head, body, signature = logout_token(issuer).split(".")
        unsigned = issuer.sign(b"{}", alg="HS256", key=b"secret").split(".")[0]

        for token in (
            f"{head}.{body}.",
            f"{head}.{body}.{signature[:-8]}AAAAAAAA",
            f"{unsigned}.{body}.{signature}",
        ):
            self.is_refused(tell(token), redis_client)

    def test_of_an_access_token(self, issuer: Issuer, session_key, redis_client):
        token = issuer.sign(issuer.claims())

        self.is_refused(tell(token), redis_client)

    def test_of_a_get(self, issuer: Issuer, session_key):
        address = f"{BACK_CHANNEL}?logout_token={logout_token(issuer)}"

        assert Client().get(address).status_code == 405
        assert Client().post(address).status_code == 400

    @pytest.mark.parametrize("body", ["", "logout_token=", "other=1"])
    def test_of_a_form_without_a_token(
        self, issuer: Issuer, session_key, redis_client, body
    ):
        answer = Client().post(
            BACK_CHANNEL, body, content_type="application/x-www-form-urlencoded"
        )

        self.is_refused(answer, redis_client)

    def test_of_json(self, issuer: Issuer, session_key, redis_client):
        answer = Client().post(
            BACK_CHANNEL,
            {"logout_token": logout_token(issuer)},
            content_type="application/json",
        )

        self.is_refused(answer, redis_client)

    def test_of_what_is_too_large(self, issuer: Issuer, session_key, redis_client):
        self.is_refused(tell("a" * 100_000), redis_client)

    def test_of_a_good_token_in_a_form_that_is_too_large(
        self, issuer: Issuer, session_key, redis_client
    ):
        form = urlencode({"logout_token": logout_token(issuer), "more": "a" * 20_000})

        answer = Client().post(
            BACK_CHANNEL, form, content_type="application/x-www-form-urlencoded"
        )

        self.is_refused(answer, redis_client)

    def test_of_a_megabyte(self, issuer: Issuer, session_key, redis_client):
        assert tell("a" * 1_000_000).status_code == 413
        assert len(redis_client.keys(KEYS)) == 1

    def test_of_what_was_honoured_before(
        self, client, issuer: Issuer, session_key, redis_client
    ):
        token = logout_token(issuer, sid=None)
        assert tell(token).status_code == 200
        another_browser(issuer, sid="the next login", iat=int(time.time()) + 5)

        self.is_refused(tell(token), redis_client)

    def test_leaves_no_token_in_the_log(self, issuer: Issuer, caplog):
        token = logout_token(issuer, nonce="n1")

        tell(token)

        assert "back-channel logout was refused" in caplog.text
        assert token not in caplog.text

    def test_is_a_503_while_the_keys_are_unknown(self, issuer: Issuer):
        token = logout_token(issuer)
        issuer.status = 500
        jwks.forget()

        assert tell(token).status_code == 503


class TestAFailedLogout:
    def test_uses_up_nothing(
        self, issuer: Issuer, session_key, redis_client, monkeypatch
    ):
        token = logout_token(issuer)

        def fail(*_, **__):
            raise StorageUnavailable

        with monkeypatch.context() as broken:
            broken.setattr(index, "revoke", fail)
            broken.setattr(operators, "known_here", list)
            assert tell(token).status_code == 503
        assert len(redis_client.keys(KEYS)) == 1

        assert tell(token).status_code == 200
        assert redis_client.keys(KEYS) == []


class TestWhileRedisIsAway:
    @pytest.fixture
    def away(self, valkey):
        """Redis is paused by the test, and back after it."""
        yield
        valkey.resume()
        wait_until(lambda: not failover.is_degraded(), seconds=20)

    @pytest.mark.usefixtures("session_key", "away")
    def test_the_button_works_where_the_login_was_made_by_another_process(
        self, client, issuer: Issuer, redis_client, valkey
    ):
        failover.reset()
        assert client.get("/orders/").status_code == 200
        cookie = client.cookies["mario_session"].value
        valkey.pause()

        answer = client.post("/auth/logout")

        assert answer["location"].startswith(issuer.url)
        client.cookies["mario_session"] = cookie
        assert client.get("/orders/").status_code == 302

        valkey.resume()
        wait_until(lambda: not failover.is_degraded(), seconds=20)
        wait_until(lambda: redis_client.keys(KEYS) == [])
        assert bearer(issuer).status_code == 401

    @pytest.mark.parametrize("named", [{}, {"sid": None}], ids=["sid", "sub"])
    @pytest.mark.usefixtures("session_key", "away")
    def test_it_holds_here_is_noted_and_keycloak_is_told(
        self, client, issuer: Issuer, redis_client, valkey, named
    ):
        client.get("/orders/")
        valkey.pause()

        answer = tell(logout_token(issuer, **named))

        assert answer.status_code == 503
        assert answer["Retry-After"]
        assert operators.known_here() == []

        valkey.resume()
        wait_until(lambda: not failover.is_degraded(), seconds=20)
        wait_until(lambda: redis_client.keys(KEYS) == [])
        assert client.get("/orders/").status_code == 302
        # And what Keycloak sends again is honoured then.
        assert tell(logout_token(issuer, **named)).status_code == 200

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.usefixtures("session_key", "away")
    def test_what_other_processes_know_ends_on_return(
        self, issuer: Issuer, redis_client, valkey
    ):
        before = int(time.time()) - 1
        situation = failover.situation()
        assert situation
        situation.copies.clear()
        valkey.pause()

        assert tell(logout_token(issuer, sid=None)).status_code == 503

        valkey.resume()
        wait_until(lambda: not failover.is_degraded(), seconds=20)
        wait_until(lambda: redis_client.keys(KEYS) == [])
        # A process that was told nothing.
        failover.reset()
        assert bearer(issuer, sid="never-here", iat=before).status_code == 401


class TestByTheFrontChannel:
    ADDRESS = "/auth/frontchannel-logout"

    @pytest.fixture
    def frame(self, issuer: Issuer, settings):
        settings.OIDC_FRONTCHANNEL_LOGOUT = True

        def frame(**query):
            wanted = {"iss": issuer.issuer, "sid": "a3d1c9-login", **query}
            return Client().get(self.ADDRESS, wanted)

        return frame

    def test_is_off_unless_the_settings_say_otherwise(
        self, client, issuer: Issuer, session_key
    ):
        query = {"iss": issuer.issuer, "sid": "a3d1c9-login"}

        assert Client().get(self.ADDRESS, query).status_code == 404
        assert client.get("/orders/").status_code == 200

    def test_ends_the_login_of_the_sid_without_any_cookie(
        self, frame, session_key, redis_client
    ):
        answer = frame()

        assert (answer.status_code, answer.content) == (200, b"")
        assert redis_client.keys(KEYS) == []

    def test_may_be_framed_by_keycloak_and_nobody_else(self, frame):
        answer = frame()

        assert (
            "frame-ancestors 'self' http://localhost:9"
            in (answer["Content-Security-Policy"])
        )
        assert "X-Frame-Options" not in answer
        assert "no-store" in answer["Cache-Control"]

    @pytest.mark.parametrize(
        "query",
        [{"iss": "http://another"}, {"sid": "unknown"}, {"sid": ""}, {"sid": "a\nb"}],
        ids=str,
    )
    def test_is_blank_and_ends_nothing_for_another(
        self, frame, session_key, redis_client, query
    ):
        answer = frame(**query)

        assert (answer.status_code, answer.content) == (200, b"")
        assert len(redis_client.keys(KEYS)) == 1

    def test_notes_nothing_of_another_issuer(self, frame, redis_client):
        frame(iss="http://another")

        assert redis_client.keys("sessions:label:*") == []


def test_an_operators_revocation_ends_the_bearers_too(issuer: Issuer, session_key):
    found = operators.read(session_key)
    assert found is not None

    operators.revoke(found)

    assert bearer(issuer).status_code == 401
