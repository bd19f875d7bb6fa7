"""
Inputs 63 to 80, and 84, of the catalogue, with logout tokens that each realm has made
itself, and, where none makes such, with some that are signed with a key of its own.
"""

import json
import re
import time
from collections.abc import Callable
from contextlib import contextmanager
from html import unescape
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client

from mario.identity import jwks, not_before
from mario.identity.validator import LOGOUT_EVENT
from sessions_backend import index, operators
from sessions_backend.exceptions import StorageUnavailable
from tests.devrealm.forge import MINE, Forge
from tests.devrealm.relying_party import RelyingParty, claims, header
from tests.mario.identity.issuer import encode, sign_by_hand
from tests.realms import Keycloak

pytestmark = pytest.mark.django_db

BACK_CHANNEL = "/auth/backchannel-logout"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(autouse=True)
def _shop(settings, realm):
    """Let the shop of this process know the realm, and nothing yet of its keys."""
    settings.OIDC_OP_ISSUER = realm.issuer
    settings.OIDC_OP_JWKS_ENDPOINT = f"{realm.protocol_url}/certs"
    settings.OIDC_OP_DISCOVERY_ENDPOINT = (
        f"{realm.issuer}/.well-known/openid-configuration"
    )
    jwks.forget()
    not_before.forget()
    yield
    jwks.forget()


@pytest.fixture
def forge(realm) -> Forge:
    return Forge.of(realm)


class Login:
    """One login of a person at the realm, and its session here."""

    def __init__(self, party: RelyingParty, name: str = "customer") -> None:
        self.party = party
        self.tokens = party.log_in(name)
        self.sid = claims(self.tokens["access_token"])["sid"]
        assert self.is_in()

    def is_in(self) -> bool:
        return is_taken(self.tokens["access_token"])

    def end(self, listener) -> str:
        """Log out at the realm; return the token that it sends to the shop."""
        self.party.log_out(id_token_hint=self.tokens["id_token"])
        token: str = listener.told_about(self.sid)
        return token


@pytest.fixture
def login(party) -> Login:
    return Login(party)


def is_taken(bearer: str) -> bool:
    answer = Client().get("/api/cart/", headers={"Authorization": f"Bearer {bearer}"})
    return answer.status_code == 200


def tell(token: str):
    return Client().post(BACK_CHANNEL, f"logout_token={token}", content_type=FORM)


def assert_refused(answer, login: Login) -> None:
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_request"})
    assert "no-store" in answer["Cache-Control"]
    assert login.is_in()


def unsigned(token: str) -> str:
    head = encode(json.dumps({**header(token), "alg": "none"}).encode()).decode()
    return f"{head}.{token.split('.')[1]}."


def by_me(token: str, key: object = MINE, **changes: object) -> str:
    return sign_by_hand({**header(token), **changes}, claims(token), key)


FORGED: dict[str, Callable[[str], str]] = {
    "64-none": unsigned,
    "64-no-signature": lambda token: f"{token.rsplit('.', 1)[0]}.",
    "64-a-broken-one": lambda token: f"{token[:-8]}AAAAAAAA",
    "64-another-key": by_me,
    "64-HS256": lambda token: by_me(token, b"mario-secret-123", alg="HS256"),
    "64-RS512": lambda token: by_me(token, alg="RS512"),
    "73-typ-JWT": lambda token: by_me(token, typ="JWT"),
}


def test_ends_its_login_once_and_cannot_be_changed(login: Login, listener):
    token = login.end(listener)

    for name, forge in FORGED.items():
        answer = tell(forge(token))
        assert answer.status_code == 400, name
    assert login.is_in()
    # 63: not where it belongs.
    assert Client().get(f"{BACK_CHANNEL}?logout_token={token}").status_code == 405
    assert_refused(Client().post(f"{BACK_CHANNEL}?logout_token={token}"), login)
    as_json = {"logout_token": token}
    assert_refused(
        Client().post(BACK_CHANNEL, as_json, content_type="application/json"), login
    )

    # 79, 80: honoured with CSRF checks on, and nothing of the login is left.
    strict = Client(enforce_csrf_checks=True)
    told = strict.post(BACK_CHANNEL, f"logout_token={token}", content_type=FORM)
    assert (told.status_code, told.content) == (200, b"")
    assert not login.is_in()

    # 70: used up.
    assert tell(token).status_code == 400


def test_65_of_another_client_or_realm_is_refused(login: Login, listener, settings):
    token = login.end(listener)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "OIDC_RP_CLIENT_ID", "another")
        answer = tell(token)
    assert_refused(answer, login)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "OIDC_OP_ISSUER", f"{settings.OIDC_OP_ISSUER}/")
        answer = tell(token)
    assert_refused(answer, login)


def at(name: str, seconds: int) -> Callable[[Forge], str]:
    def make(forge: Forge) -> str:
        changes: dict[str, Any] = {name: int(time.time()) + seconds}
        return forge.logout_token(**changes)

    return make


def claiming(**changes: Any) -> Callable[[Forge], str]:
    return lambda forge: forge.logout_token(**changes)


BY_THE_REALM: dict[str, Callable[[Forge], str]] = {
    "65-iss": claiming(iss="http://elsewhere/realms/pyneuro"),
    "65-aud": claiming(aud="pyneuro-public"),
    "65-aud-missing": claiming(aud=None),
    "66-no-events": claiming(events=None),
    "66-empty": claiming(events={}),
    "66-another-event": claiming(events={"http://other": {}}),
    "66-no-object": claiming(events={LOGOUT_EVENT: True}),
    "67-nonce": claiming(nonce="n"),
    "68-neither": claiming(sid=None, sub=None),
    "68-sid-int": claiming(sid=7),
    "68-sid-empty": claiming(sid=""),
    "69-iat-missing": claiming(iat=None),
    "69-iat-future": at("iat", 120),
    "69-iat-old": at("iat", -700),
    "69-exp-past": at("exp", -60),
    "69-exp-missing": claiming(exp=None),
    "70-jti-missing": claiming(jti=None),
    "72-typ-ID": claiming(kind="ID"),
    "77-sub-of-another": claiming(sub="bowser"),
    **{f"73-header-{typ}": claiming(typ=typ) for typ in ("JWT", "at+jwt", None, 7)},
}


@pytest.mark.parametrize("make", BY_THE_REALM.values(), ids=BY_THE_REALM)
def test_is_refused_though_the_realm_signed_it(forge: Forge, make):
    assert is_taken(forge.access_token)

    answer = tell(make(forge))

    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_request"})
    assert "no-store" in answer["Cache-Control"]
    assert is_taken(forge.access_token)


def test_71_one_that_failed_may_be_sent_again(forge: Forge, monkeypatch):
    assert is_taken(forge.access_token)
    token = forge.logout_token()

    def fail(*_: object, **__: object) -> None:
        raise StorageUnavailable

    with monkeypatch.context() as broken:
        broken.setattr(index, "revoke", fail)
        broken.setattr(operators, "known_here", list)
        assert tell(token).status_code == 503
    assert is_taken(forge.access_token)

    assert tell(token).status_code == 200
    assert not is_taken(forge.access_token)


@pytest.mark.parametrize("kind", ["id_token", "access_token", "refresh_token"])
def test_72_another_kind_of_token_is_refused(login: Login, kind):
    assert_refused(tell(login.tokens[kind]), login)


def test_74_a_login_that_is_not_here_is_answered_alike(party, listener):
    tokens = party.log_in()
    party.log_out(id_token_hint=tokens["id_token"])
    token = listener.told_about(claims(tokens["id_token"])["sid"])

    answer = tell(token)

    assert (answer.status_code, answer.content) == (200, b"")


def test_76_the_persons_other_login_goes_on(realm, login: Login, listener):
    with RelyingParty(realm) as phone:
        other = Login(phone)

        assert tell(login.end(listener)).status_code == 200

        assert not login.is_in()
        assert other.is_in()


def test_76_may_be_widened_to_the_person(realm, login: Login, listener, settings):
    settings.OIDC_LOGOUT_WIDENS_TO_SUBJECT = True
    with RelyingParty(realm) as phone, RelyingParty(realm) as tablet:
        other = Login(phone)
        never_here = tablet.log_in()

        assert tell(login.end(listener)).status_code == 200

        assert not other.is_in()
        other.tokens = never_here
        assert not other.is_in()


@contextmanager
def another_client(realm: Keycloak, *, attributes: dict[str, str], **changes: object):
    """Let Keycloak take the shop for a client with other settings, for so long."""
    with realm.admin() as admin:
        query = {"clientId": realm.client_id}
        (client,) = admin.get("clients", params=query).json()
        path = f"clients/{client['id']}"
        known = {**client["attributes"], **attributes}
        changed = {**client, **changes, "attributes": known}
        admin.put(path, json=changed).raise_for_status()
        try:
            yield
        finally:
            admin.put(path, json=client).raise_for_status()


@pytest.mark.keycloak
@pytest.mark.slow
@pytest.mark.parametrize("realm", ["real_keycloak"], indirect=True)
def test_75_a_sub_alone_ends_all_of_the_persons_logins(
    realm: Keycloak, login: Login, listener
):
    """Keycloak leaves the `sid` out where the client does not ask for it."""
    attributes = {"backchannel.logout.session.required": "false"}
    with RelyingParty(realm) as phone:
        other = Login(phone)
        with another_client(realm, attributes=attributes):
            login.party.log_out(id_token_hint=login.tokens["id_token"])
            while "sid" in claims(token := listener.tokens.get(timeout=10)):
                pass

        assert claims(token)["events"] == {LOGOUT_EVENT: {}}
        assert tell(token).status_code == 200
        assert not login.is_in()
        assert not other.is_in()


@pytest.mark.keycloak
@pytest.mark.slow
@pytest.mark.parametrize("realm", ["real_keycloak"], indirect=True)
def test_84_keycloaks_frame_ends_the_login_without_any_cookie(
    realm: Keycloak, login: Login, settings
):
    settings.OIDC_FRONTCHANNEL_LOGOUT = True
    address = f"{realm.shop_url}/auth/frontchannel-logout"
    attributes = {
        "frontchannel.logout.url": address,
        "frontchannel.logout.session.required": "true",
    }
    with another_client(realm, attributes=attributes, frontchannelLogout=True):
        page = login.party.log_out(id_token_hint=login.tokens["id_token"])
    found = re.search(r'<iframe[^>]*src="([^"]+)"', page.text)
    assert found
    frame = urlsplit(unescape(found[1]))
    assert frame.geturl().startswith(f"{address}?")
    assert login.is_in()

    answer = Client().get(f"{frame.path}?{frame.query}")

    assert (answer.status_code, answer.content) == (200, b"")
    assert not login.is_in()
