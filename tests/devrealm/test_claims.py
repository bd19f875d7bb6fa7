"""
The tokens' contents, as a real Keycloak 26.7.4 writes them.

The lists were read off Keycloak's tokens; both realms are held against them.
"""

import pytest

from tests.devrealm.relying_party import claims, header

_PROFILE = {
    "email_verified": bool,
    "name": str,
    "preferred_username": str,
    "given_name": str,
    "family_name": str,
    "email": str,
}
_ALWAYS = {
    "exp": int,
    "iat": int,
    "jti": str,
    "iss": str,
    "aud": str,
    "sub": str,
    "typ": str,
    "azp": str,
    "sid": str,
}
EXPECTED = {
    "access_token": {
        **_ALWAYS,
        **_PROFILE,
        "auth_time": int,
        "acr": str,
        "allowed-origins": list,
        "realm_access": dict,
        "scope": str,
    },
    "id_token": {
        **_ALWAYS,
        **_PROFILE,
        "auth_time": int,
        "acr": str,
        "at_hash": str,
        "nonce": str,
    },
    "refresh_token": {
        **_ALWAYS,
        "scope": str,
        "aud_x": str,
        "prov": str,
        "reuse_id": str,
    },
}
RESPONSE = {
    "access_token": str,
    "expires_in": int,
    "refresh_expires_in": int,
    "refresh_token": str,
    "token_type": str,
    "id_token": str,
    "not-before-policy": int,
    "session_state": str,
    "scope": str,
}


def shape(values: dict[str, object]) -> dict[str, type]:
    return {name: type(value) for name, value in values.items()}


@pytest.fixture
def tokens(party):
    return party.log_in("chef")


def test_the_token_response_has_keycloaks_members(tokens):
    assert shape(tokens) == RESPONSE
    assert tokens["session_state"] == claims(tokens["id_token"])["sid"]


@pytest.mark.parametrize("kind", EXPECTED)
def test_each_token_has_keycloaks_claims(tokens, kind):
    assert shape(claims(tokens[kind])) == EXPECTED[kind]


@pytest.mark.parametrize("kind", EXPECTED)
def test_each_token_has_keycloaks_header(tokens, kind):
    algorithm = "HS512" if kind == "refresh_token" else "RS256"

    assert header(tokens[kind]).keys() == {"alg", "typ", "kid"}
    assert header(tokens[kind])["alg"] == algorithm
    assert header(tokens[kind])["typ"] == "JWT"


def test_a_refreshed_id_token_only_lacks_the_nonce(party, tokens):
    new = party.refresh(tokens["refresh_token"]).json()

    expected = EXPECTED["id_token"].keys() - {"nonce"}
    assert claims(new["id_token"]).keys() == expected
    assert claims(new["access_token"]).keys() == EXPECTED["access_token"].keys()


def test_the_values_are_those_of_the_realm_file(party, tokens):
    access, identity = claims(tokens["access_token"]), claims(tokens["id_token"])
    refresh = claims(tokens["refresh_token"])

    assert access["iss"] == identity["iss"] == party.realm.issuer
    assert refresh["aud"] == party.realm.issuer
    assert access["aud"] == identity["aud"] == access["azp"] == "mario-app"
    assert [access["typ"], identity["typ"], refresh["typ"]] == [
        "Bearer",
        "ID",
        "Refresh",
    ]
    assert sorted(access["realm_access"]["roles"]) == ["chef", "operator"]
    assert 290 <= access["exp"] - access["iat"] <= 300
    assert 86_390 <= refresh["exp"] - refresh["iat"] <= 86_400
    assert access["sid"] == identity["sid"] == refresh["sid"]
    assert access["sub"] == "5e0f7a10-0000-4000-8000-000000000005"
    assert identity["nonce"] == "the-nonce"
    assert identity["acr"] == "1"
    assert party.realm.shop_url in access["allowed-origins"]


@pytest.mark.parametrize(
    ("name", "roles"),
    [
        ("admin", {"admin", "manager"}),
        ("manager", {"manager"}),
        ("customer", {"customer"}),
        ("driver", {"delivery_driver"}),
        ("chef", {"chef", "operator"}),
        ("user", {"user"}),
    ],
)
def test_everybody_of_the_realm_has_their_roles(party, name, roles):
    access = claims(party.log_in(name)["access_token"])

    assert set(access["realm_access"]["roles"]) == roles
