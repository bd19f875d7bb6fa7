"""
The 34 ways to send a wrong bearer, each with its answer.

Numbers are those of the catalogue in docs/identity.md. Every token is sent over the
API to the shop that believes in one of the realms, signed with a key which that realm
publishes: Keycloak is given one whose private half the tests know.
"""

import json
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from mario.identity import jwks, not_before, validator
from tests.devrealm.forge import MINE, MINE_EC, Forge
from tests.devrealm.relying_party import RelyingParty
from tests.mario.identity.test_jwks import cool_down
from tests.realms import DevRealm, Keycloak, RunningRealm
from tests.servers import free_port

pytestmark = pytest.mark.django_db

type Make = Callable[[Forge], str]
INVALID = 'Bearer realm="pizzeria", error="invalid_token"'
DEEP = b'{"a":' * 1000 + b"1" + b"}" * 1000


def _cases(cases: dict[str, Make]) -> list[object]:
    return [pytest.param(make, id=name) for name, make in cases.items()]


def unsigned(algorithm: str, signature: str) -> Make:
    return lambda forge: forge.unsigned(algorithm, signature)


def claiming(**changes: Any) -> Make:
    return lambda forge: forge.token(**changes)


def numbered(name: str, number: str) -> Make:
    return lambda forge: forge.sign(forge.with_number(name, number))


def issued_by(change: Callable[[Forge], object]) -> Make:
    return lambda forge: forge.token(iss=change(forge))


def headed(**header: Any) -> Make:
    return lambda forge: forge.sign(forge.claims(), **header)


# With nothing but what a login or the public key set gives.
BY_ANYBODY: dict[str, Make] = {
    **{
        f"1-alg-{alg or 'empty'}-{signature or 'unsigned'}": (unsigned(alg, signature))
        for alg in ("none", "NoNe", "nOnE", "")
        for signature in ("", "AA")
    },
    "2-HS256-pem": lambda forge: forge.by_me(
        MINE.import_key(forge.public_key).as_pem(private=False), alg="HS256"
    ),
    "2-HS256-modulus": lambda forge: forge.by_me(
        forge.public_key["n"].encode(), alg="HS256"
    ),
    "2-HS256-jwk": lambda forge: forge.by_me(
        json.dumps(forge.public_key).encode(), alg="HS256"
    ),
    "3-PS256": lambda forge: forge.by_me(alg="PS256"),
    "3-RS512": lambda forge: forge.by_me(alg="RS512"),
    "3-ES256": lambda forge: forge.by_me(MINE_EC, alg="ES256"),
    "4-jwk": lambda forge: forge.by_me(jwk=MINE.as_dict(private=False)),
    "4-jku": lambda forge: forge.by_me(jku=f"http://127.0.0.1:{free_port()}/keys"),
    "4-x5u": lambda forge: forge.by_me(x5u=f"http://127.0.0.1:{free_port()}/cert"),
    "4-x5c": lambda forge: forge.by_me(x5c=["MIIB"]),
    "5-kid-unknown": lambda forge: forge.by_me(kid="mine"),
    "5-kid-absent": lambda forge: forge.by_me(kid=None),
    "5-kid-int": lambda forge: forge.by_me(kid=7),
    "5-kid-10kB": lambda forge: forge.by_me(kid="k" * 10_000),
    "5-kid-path": lambda forge: forge.by_me(kid="../../dev/null"),
    "5-kid-sql": lambda forge: forge.by_me(kid="' OR 1=1 --"),
    "5-kid-nul": lambda forge: forge.by_me(kid="a\x00b"),
    "6-kid-of-encryption": lambda forge: forge.by_me(kid=forge.encryption_kid),
    "7-another-key": lambda forge: forge.by_me(),
    "8-crit-unknown": lambda forge: forge.by_me(crit=["exp"]),
    "8-crit-empty": lambda forge: forge.by_me(crit=[]),
    "8-crit-no-list": lambda forge: forge.by_me(crit="exp"),
    "8-b64": lambda forge: forge.by_me(b64=False, crit=["b64"]),
    "9-two-parts": lambda forge: forge.access_token.rsplit(".", 1)[0],
    "9-four-parts": lambda forge: f"{forge.access_token}.AA",
    "9-five-parts": lambda forge: f"{forge.access_token}.AA.AA",
    "9-padding": lambda forge: f"{forge.access_token}==",
    "9-not-canonical": lambda forge: forge.spelled_otherwise(),
    "10-1MB": lambda forge: forge.access_token + "A" * 1_000_000,
    "18-id-token": lambda forge: forge.id_token,
    "18-refresh-token": lambda forge: forge.refresh_token,
}

# Only somebody who has the realm's private key can make these.
BY_THE_REALM: dict[str, Make] = {
    "3-PS256-own-key": lambda forge: forge.sign(forge.claims(), alg="PS256"),
    "3-RS512-own-key": lambda forge: forge.sign(forge.claims(), alg="RS512"),
    "4-jku-own-key": lambda forge: forge.sign(
        forge.claims(), jku=f"http://127.0.0.1:{free_port()}/keys"
    ),
    "5-kid-absent-own-key": lambda forge: forge.sign(forge.claims(), kid=None),
    "5-kid-unknown-own-key": lambda forge: forge.sign(forge.claims(), kid="other"),
    "8-crit-own-key": lambda forge: forge.sign(forge.claims(), crit=["exp"]),
    "8-crit-empty-own-key": lambda forge: forge.sign(forge.claims(), crit=[]),
    "8-b64-own-key": lambda forge: forge.sign(forge.claims(), b64=False),
    "10-array": lambda forge: forge.sign(b"[]"),
    "10-string": lambda forge: forge.sign(b'"text"'),
    "10-no-utf-8": lambda forge: forge.sign(b'{"iss": "\xff\xfe"}'),
    "10-utf-16": lambda forge: forge.sign(json.dumps(forge.claims()).encode("utf-16")),
    "10-beyond-all-numbers": lambda forge: forge.sign(forge.with_number("x", "1e999")),
    "10-deep": lambda forge: forge.sign(DEEP),
    "10-deep-lists": lambda forge: forge.sign(b"[" * 3000 + b"]" * 3000),
    "10-nested": lambda forge: forge.token(
        deep=json.loads('{"a":' * 9 + "1" + "}" * 9)
    ),
    "10-half-a-character": lambda forge: forge.token(given_name="\ud800"),
    "11-sub-twice": lambda forge: forge.sign(forge.with_member_twice("sub", "bowser")),
    "11-aud-twice": lambda forge: forge.sign(forge.with_member_twice("aud", "other")),
    "12-expired": lambda forge: forge.token(
        exp=int(time.time()) - validator.LEEWAY - 1
    ),
    **{
        f"13-exp-{name}": claiming(exp=value)
        for name, value in {
            "missing": None,
            "string": "1999999999",
            "bool": True,
            "negative": -1,
            "1e30": 1e30,
            "far": 9_999_999_999,
        }.items()
    },
    **{
        f"13-exp-{number}": (numbered("exp", number))
        for number in ("null", "NaN", "Infinity", "-Infinity", "1" * 5000)
    },
    "14-nbf-future": lambda forge: forge.token(nbf=int(time.time()) + 120),
    "14-iat-future": lambda forge: forge.token(iat=int(time.time()) + 120),
    "14-iat-missing": lambda forge: forge.token(iat=None),
    **{
        f"15-iss-{name}": issued_by(change)
        for name, change in {
            "wrong": lambda _: "http://elsewhere/realms/pyneuro",
            "slash": lambda forge: f"{forge.realm.issuer}/",
            "other-realm": lambda forge: f"{forge.realm.url}/realms/master",
            "https": lambda forge: forge.realm.issuer.replace("http:", "https:"),
            "list": lambda forge: [forge.realm.issuer],
            "missing": lambda _: None,
        }.items()
    },
    **{
        f"16-aud-{name}": claiming(aud=value)
        for name, value in {
            "missing": None,
            "other": "pyneuro-public",
            "prefix": "mario",
            "longer": "mario-app-2",
            "object": {"mario-app": 1},
            "account": "account",
            "parts": ["mario", "app"],
        }.items()
    },
    **{
        f"18-typ-{value}": claiming(typ=value)
        for value in ("ID", "Refresh", "Offline", "Logout", None, 7)
    },
    **{
        f"19-header-{value}": (headed(typ=value))
        for value in ("logout+jwt", "dpop+jwt", 7)
    },
    "20-azp-other": lambda forge: forge.token(azp="pyneuro-public"),
    "20-azp-missing": lambda forge: forge.token(azp=None),
    "20-azp-list": lambda forge: forge.token(azp=["mario-app"]),
    **{
        f"21-sub-{name}": claiming(sub=value)
        for name, value in {
            "missing": None,
            "int": 7,
            "empty": "",
            "long": "s" * 256,
            "newline": "a\nb",
        }.items()
    },
}

# What must be let in, as strict as everything is.
GOOD: dict[str, Make] = {
    "12-at-the-edge": lambda forge: forge.token(
        exp=int(time.time()) - validator.LEEWAY + 5
    ),
    "17-aud-among-others": lambda forge: forge.token(aud=["account", "mario-app"]),
    "19-header-at+jwt": lambda forge: forge.sign(forge.claims(), typ="at+jwt"),
    "19-header-missing": lambda forge: forge.sign(forge.claims(), typ=None),
    "28-as-keycloak-made-it": lambda forge: forge.access_token,
}


@pytest.fixture
def shop(settings) -> Callable[[RunningRealm], None]:
    """Let the shop of this process know a realm, and nothing yet of its keys."""

    def know(realm: RunningRealm) -> None:
        settings.OIDC_OP_ISSUER = realm.issuer
        settings.OIDC_OP_JWKS_ENDPOINT = f"{realm.protocol_url}/certs"
        settings.OIDC_OP_DISCOVERY_ENDPOINT = (
            f"{realm.issuer}/.well-known/openid-configuration"
        )
        jwks.forget()
        not_before.forget()

    return know


@pytest.fixture
def development(embedded_realm, shop) -> Iterator[Forge]:
    shop(embedded_realm)
    yield Forge.of(embedded_realm)
    jwks.forget()


@pytest.fixture
def keycloak(real_keycloak, shop) -> Iterator[Forge]:
    shop(real_keycloak)
    yield Forge.of(real_keycloak)
    jwks.forget()


@pytest.fixture(
    params=[
        "development",
        pytest.param("keycloak", marks=[pytest.mark.keycloak, pytest.mark.slow]),
    ]
)
def forge(request) -> Forge:
    """Tokens of either realm."""
    made: Forge = request.getfixturevalue(request.param)
    return made


@pytest.fixture(autouse=True)
def calls(monkeypatch, valkey) -> list[object]:
    """Every address that this process opens a connection to, but its Valkey."""
    opened: list[object] = []
    connect = socket.socket.connect

    def noted(self: socket.socket, address):
        if not (isinstance(address, tuple) and address[1] == valkey.port):
            opened.append(address)
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", noted)
    return opened


def call(token: str, path: str = "/api/cart/"):
    return Client().get(path, headers={"Authorization": f"Bearer {token}"})


def told(logout_token: str):
    """Send a logout token to the shop, as a realm does."""
    return Client().post(
        "/auth/backchannel-logout",
        f"logout_token={logout_token}",
        content_type="application/x-www-form-urlencoded",
    )


def assert_refused(answer) -> None:
    assert answer.status_code == 401, answer.content
    assert answer["WWW-Authenticate"] == INVALID
    assert answer.json()["code"] == "invalid_token"


def assert_asked_only_the_realm(calls: list[object], realm: RunningRealm) -> None:
    assert {address[1] for address in calls} <= {realm.port}  # type: ignore[index]


@pytest.mark.parametrize("make", _cases(BY_ANYBODY))
def test_is_refused(forge: Forge, make: Make, calls):
    token = make(forge)
    calls.clear()

    assert_refused(call(token))
    assert_asked_only_the_realm(calls, forge.realm)


@pytest.mark.parametrize("make", _cases(BY_THE_REALM))
def test_is_refused_though_the_realm_signed_it(forge: Forge, make: Make, calls):
    token = make(forge)
    calls.clear()

    answer = call(token)

    assert_refused(answer)
    assert_asked_only_the_realm(calls, forge.realm)


@pytest.mark.parametrize("make", _cases(GOOD))
def test_is_accepted(forge: Forge, make: Make):
    assert call(make(forge)).status_code == 200


# What a claim may be that nobody asked for: of another type, too long, unstorable.
ODD = [
    *("7", "-1", "1.5", "true", '""', "[]", "[[]]", "{}", '{"roles": 7}', str(2**70)),
    *(f'"{"x" * 300}"', f'"{chr(0xFDFA) * 60}"', r'"a\u0000b"'),
]
# Of these a user and a session are made; the others decide whether the token is taken.
OF_THE_PERSON = (
    *("preferred_username", "given_name", "family_name", "name", "email", "acr"),
    *("email_verified", "realm_access", "resource_access"),
)


@pytest.mark.parametrize("odd", ODD, ids=[odd[:12] for odd in ODD])
def test_is_answered_whatever_its_claims_are(development: Forge, odd: str):
    def answer(*names: str) -> int:
        # Of somebody new, whose user and session are made of it.
        new = {"sub": f"new-{names[0]}", "sid": f"new-{names[0]}"}
        text = json.dumps(development.claims(**new | dict.fromkeys(names, "ODD")))
        token = development.sign(text.replace('"ODD"', odd).encode())
        return int(call(token).status_code)

    assert answer(*OF_THE_PERSON) == 200
    for name in ("sid", "auth_time", "scope", "jti"):
        assert answer(name) in (200, 401, 403)


def test_28_as_keycloak_made_it(forge: Forge):
    assert call(forge.access_token).status_code == 200


def test_2_with_a_known_key_asks_for_nothing(forge: Forge, calls):
    jwks.warm()
    calls.clear()

    call(forge.access_token)
    call(forge.by_me())

    assert calls == []


@pytest.mark.keycloak
@pytest.mark.slow
def test_15_of_another_realm(keycloak: Forge):
    """A real token of Keycloak's own administrator."""
    assert isinstance(keycloak.realm, Keycloak)
    with keycloak.realm.admin() as admin:
        token = admin.headers["Authorization"].removeprefix("Bearer ")

    assert_refused(call(token))


def test_20_of_another_client(forge: Forge):
    player = "http://localhost:8085/"
    with RelyingParty(forge.realm) as party:
        party.redirect_uri = player
        page = party.ask(client_id="pyneuro-public")
        answer = party.submit(page, "manager")
        code = httpx.URL(answer.headers["location"]).params["code"]
        tokens = party.exchange(
            code, client_id="pyneuro-public", client_secret=None
        ).json()

    assert_refused(call(tokens["access_token"]))


def test_19_plain_jwt_where_at_jwt_is_demanded(forge: Forge, settings):
    settings.OIDC_ACCESS_TOKEN_TYPES = frozenset({"at+jwt"})

    assert_refused(call(forge.access_token))
    assert call(forge.sign(forge.claims(), typ="at+jwt")).status_code == 200


@pytest.mark.parametrize(
    "scope", ["", "openid profile", "carts", "cart,orders", None, 7]
)
def test_22_for_something_else(forge: Forge, scope):
    answer = call(forge.token(scope=scope))

    assert answer.status_code == 403
    assert answer["WWW-Authenticate"] == (
        'Bearer realm="pizzeria", error="insufficient_scope", scope="cart"'
    )
    assert answer.json()["code"] == "insufficient_scope"


def test_23_bound_to_a_key(forge: Forge):
    answer = call(forge.token(cnf={"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2Hglb"}))

    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == f'{INVALID}, DPoP error="invalid_token"'


def test_24_from_before_the_realms_not_before_policy(forge: Forge):
    iat = forge.claims()["iat"]
    not_before.learn({"not-before-policy": 0})
    assert call(forge.access_token).status_code == 200

    not_before.learn({"not-before-policy": iat + 60})

    assert_refused(call(forge.access_token))
    # Another process of the shop hears of it.
    not_before.forget()
    assert_refused(call(forge.access_token))


def test_25_of_a_login_that_was_logged_out(forge: Forge):
    call(forge.access_token)

    answer = told(forge.logout_token())

    assert answer.status_code == 200
    assert_refused(call(forge.access_token))


def test_25_of_a_login_that_an_administrator_ended(forge: Forge, listener):
    """The realm's own logout token, as it is sent to the shop."""
    # Not one whose login another test has ended.
    forge = Forge(forge.realm)
    call(forge.access_token)
    forge.realm.sign_out("customer")
    token = listener.told_about(forge.claims()["sid"])

    answer = told(token)

    assert answer.status_code == 200
    assert_refused(call(forge.access_token))


def test_26_of_somebody_who_was_switched_off(forge: Forge):
    call(forge.access_token)
    get_user_model().objects.update(is_active=False)

    assert_refused(call(forge.access_token))


def test_27_with_the_login_of_somebody_else(forge: Forge, redis_client):
    call(forge.access_token)
    before = redis_client.keys("mario_session:*")

    assert_refused(call(forge.token(sub="bowser")))
    assert redis_client.keys("mario_session:*") == before


@pytest.mark.parametrize(
    "header",
    [
        "Bearer {0}, Bearer {0}",
        "Bearer {0},Bearer {0}",
        "Basic cGVhY2g6dGVzdA==,Bearer {0}",
        "Bearer",
        "Bearer ",
        "Bearer  {0}",
        "Bearer\t{0}",
        "Bearer {0} {0}",
        "Bearer {0}\n",
        "Bearer \xff{0}",
        "Bearer{0}",
    ],
)
def test_28_in_a_header_that_is_none(forge: Forge, header: str):
    headers = {"Authorization": header.format(forge.access_token)}

    answer = Client().get("/api/cart/", headers=headers)

    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid_request"
    assert answer["WWW-Authenticate"] == (
        'Bearer realm="pizzeria", error="invalid_request"'
    )


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "bEaReR"])
def test_28_the_schemes_case_does_not_matter(forge: Forge, scheme: str):
    headers = {"Authorization": f"{scheme} {forge.access_token}"}

    assert Client().get("/api/cart/", headers=headers).status_code == 200


def test_28_in_the_address(forge: Forge):
    answer = Client().get(f"/api/cart/?access_token={forge.access_token}")

    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid_request"
    assert forge.access_token not in answer.text


def test_28_in_the_body(forge: Forge):
    answer = Client().post(
        "/api/cart/items/",
        f"access_token={forge.access_token}",
        content_type="application/x-www-form-urlencoded",
    )

    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid_request"


def test_29_beside_the_cookie_of_somebody_else(forge: Forge):
    client = Client()
    client.force_login(
        get_user_model().objects.create_user("bowser"),
        backend="mario.identity.oidc.KeycloakBackend",
    )

    headers = {"Authorization": f"Bearer {forge.access_token}"}
    answer = client.get("/api/cart/", headers=headers)

    assert answer.status_code == 400
    assert answer.json()["code"] == "two_people"


@pytest.mark.parametrize("path", ["/api/menu/", "/api/schema/", "/api/docs/"])
def test_30_where_anybody_may_read(forge: Forge, path: str):
    refused = call(forge.by_me(), path)

    # Not every one of these answers with JSON.
    assert (refused.status_code, refused["WWW-Authenticate"]) == (401, INVALID)
    assert call(forge.access_token, path).status_code == 200
    assert Client().get(path).status_code == 200


class TestKeys:
    @pytest.fixture
    def away(self, settings) -> Callable[[], None]:
        def leave() -> None:
            settings.OIDC_OP_JWKS_ENDPOINT = f"http://127.0.0.1:{free_port()}/certs"

        return leave

    def test_31_that_never_could_be_had(self, forge: Forge, away):
        away()

        answer = call(forge.access_token)

        assert answer.status_code == 503
        assert answer["Retry-After"] == "10"
        assert answer.json()["code"] == "login_unavailable"

    def test_31_that_are_known_while_the_realm_is_away(self, forge: Forge, away):
        jwks.warm()
        away()

        assert call(forge.access_token).status_code == 200
        assert_refused(call(forge.by_me(kid="unknown")))

    def test_32_that_are_new(self, forge: Forge):
        jwks.warm()
        forge.realm.rotate_keys()
        cool_down()

        assert call(Forge(forge.realm).access_token).status_code == 200
        # The one before is still published.
        assert call(forge.access_token).status_code == 200

    def test_32_that_were_withdrawn(self, forge: Forge):
        assert call(forge.access_token).status_code == 200
        forge.realm.rotate_keys()
        forge.realm.forget_old_keys()
        Forge.forget()
        cool_down()

        # The one refetch that a token of the new key causes.
        assert call(Forge(forge.realm).access_token).status_code == 200

        assert_refused(call(forge.access_token))

    def test_33_that_are_unknown_a_hundred_times(self, forge: Forge, calls):
        jwks.warm()
        tokens = [forge.by_me(kid=f"unknown-{number}") for number in range(100)]
        cool_down()
        calls.clear()

        for token in tokens:
            assert_refused(call(token))

        assert len(calls) <= 2  # localhost may have two addresses
        assert call(forge.access_token).status_code == 200

    @pytest.mark.parametrize(
        "fault",
        [
            {"status": 302},
            {"status": 200, "body": "<html>"},
            {"status": 200, "body": "{}"},
            {"status": 200, "body": '{"keys": []}'},
            {
                "status": 200,
                "body": '{"keys": [{"kty": "oct", "kid": "x", "k": "AA"}]}',
            },
        ],
        ids=str,
    )
    def test_34_that_are_none(self, development: Forge, fault, calls):
        assert isinstance(development.realm, DevRealm)
        jwks.warm()
        development.realm.misbehave("certs", **fault)
        try:
            cool_down()
            assert_refused(call(development.by_me(kid="unknown")))
            assert call(development.access_token).status_code == 200
        finally:
            development.realm.behave()
