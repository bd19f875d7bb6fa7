"""The realm file that both realms read."""

import json
import re

import pytest

from mario.devrealm.environment import REALM_FILE, RealmRefused
from mario.devrealm.realm_file import read_realm_file


@pytest.fixture
def data():
    return json.loads(REALM_FILE.read_text())


@pytest.fixture
def clients():
    return read_realm_file(REALM_FILE, {}).clients


def test_no_address_has_a_wildcard(clients):
    for client in clients.values():
        addresses = [
            *client.redirect_uris,
            *client.post_logout_redirect_uris,
            *client.allowed_origins,
        ]
        for address in filter(None, addresses):
            assert re.fullmatch(r"http://localhost:\d+(/[a-z/-]*)?", address)


_FLOWS = {
    "mario-app": {"standardFlowEnabled"},
    "pyneuro-public": {"standardFlowEnabled"},
    "mario-api": {"directAccessGrantsEnabled"},
    "mario-service": {"serviceAccountsEnabled"},
}


def test_every_client_has_its_one_flow_and_the_browsers_need_pkce(clients):
    assert clients.keys() == _FLOWS.keys()
    for name, client in clients.items():
        flows = {
            setting
            for setting, is_on in client.data.items()
            if setting.endswith("Enabled") and is_on
        }
        assert flows == _FLOWS[name]
        if "standardFlowEnabled" in flows:
            assert client.attribute("pkce.code.challenge.method") == "S256"


def test_tokens_tell_the_roles_that_the_shop_knows_and_no_more(clients):
    assert clients["mario-app"].roles == {
        *("admin", "manager", "chef", "delivery_driver", "customer", "user"),
        "operator",
    }
    assert clients["mario-service"].roles == {"chef"}


def test_addresses_follow_the_ports():
    variables = {
        "SHOP_URL": "http://localhost:9000",
        "SHOP_COPY_URL": "http://localhost:9001",
        "SHOP_INTERNAL_URL": "http://mario-pizzeria-app:8080",
    }

    shop = read_realm_file(REALM_FILE, variables).clients["mario-app"]

    assert shop.redirect_uris == [
        "http://localhost:9000/auth/callback",
        "http://localhost:9001/auth/callback",
    ]
    assert shop.post_logout_redirect_uris == [
        "http://localhost:9000/auth/logged-out",
        "http://localhost:9001/auth/logged-out",
    ]
    assert shop.backchannel_logout_url == (
        "http://mario-pizzeria-app:8080/auth/backchannel-logout"
    )


def test_lifetimes_are_those_of_the_shops_sessions(data):
    assert data["ssoSessionIdleTimeout"] == 24 * 3600
    assert data["ssoSessionMaxLifespan"] == 168 * 3600
    assert data["accessTokenLifespan"] == 300
    assert data["accessCodeLifespan"] == 60
    assert data["revokeRefreshToken"] is True
    assert data["refreshTokenMaxReuse"] == 0
    assert data["bruteForceProtected"] is True


def test_nobody_is_held_up_at_the_first_login(data):
    for user in data["users"]:
        if "serviceAccountClientId" in user:
            continue
        assert user["enabled"]
        assert user["emailVerified"]
        assert user["requiredActions"] == []
        assert user["firstName"]
        assert user["lastName"]
        assert user["credentials"][0]["temporary"] is False


def test_access_tokens_are_for_the_shop_alone(clients):
    for name in ("mario-app", "mario-api", "mario-service"):
        assert clients[name].audience == ["mario-app"]
    assert clients["pyneuro-public"].audience == ["events-player-web"]


def test_a_placeholder_without_value_or_default_is_named(tmp_path):
    file = tmp_path / "realm.json"
    file.write_text('{"realm": "${NOT_SET}"}')

    with pytest.raises(RealmRefused, match="NOT_SET"):
        read_realm_file(file, {})
