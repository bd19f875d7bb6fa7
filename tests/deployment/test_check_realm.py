"""The script that holds a realm against ASVS 10.4, and the realm it was made for."""

import importlib.util
import itertools
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from mario.devrealm.environment import REALM_FILE

SCRIPT = REALM_FILE.parent / "check_realm.py"


def load_script() -> Any:
    spec = importlib.util.spec_from_file_location("check_realm", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


check_realm = load_script()


@pytest.fixture
def realm() -> dict[str, Any]:
    data: dict[str, Any] = json.loads(REALM_FILE.read_text())
    return data


def client(realm: dict[str, Any], name: str = "mario-app") -> dict[str, Any]:
    return next(one for one in realm["clients"] if one["clientId"] == name)


def test_the_realm_of_the_shop_passes(realm):
    assert list(check_realm.findings(realm)) == []


def _in_realm(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda realm: realm.update(changes)


def _in_client(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda realm: client(realm).update(changes)


def _in_attributes(**changes: str) -> Callable[[dict[str, Any]], None]:
    named = {name.replace("_", "."): value for name, value in changes.items()}
    return lambda realm: client(realm)["attributes"].update(named)


@pytest.mark.parametrize(
    ("requirement", "spoil"),
    [
        ("10.4.1", _in_client(redirectUris=["http://localhost:8080/*"])),
        ("10.4.1", _in_client(redirectUris=[])),
        ("10.4.1", _in_client(webOrigins=["+"])),
        ("10.4.1", _in_attributes(post_logout_redirect_uris="+")),
        ("10.4.3", _in_realm(accessCodeLifespan=600)),
        ("10.4.4", _in_client(implicitFlowEnabled=True)),
        ("10.4.4", _in_client(directAccessGrantsEnabled=True)),
        ("10.4.5", _in_realm(revokeRefreshToken=False)),
        ("10.4.5", _in_realm(refreshTokenMaxReuse=1)),
        ("10.4.6", _in_attributes(pkce_code_challenge_method="plain")),
        ("10.4.8", _in_realm(ssoSessionMaxLifespan=10**9)),
        ("10.4.8", _in_realm(ssoSessionIdleTimeout=10**9)),
        ("10.4.8", _in_client(optionalClientScopes=["offline_access"])),
        ("10.4.11", _in_client(fullScopeAllowed=True)),
        ("7.4", _in_realm(accessTokenLifespan=3600)),
        ("7.6.1", _in_attributes(backchannel_logout_url="")),
        ("7.6.1", _in_client(frontchannelLogout=True)),
        ("7.6.1", _in_attributes(backchannel_logout_session_required="false")),
        ("9.1.2", _in_realm(defaultSignatureAlgorithm="HS256")),
        ("9.2.4", _in_client(protocolMappers=[])),
        ("6.3.1", _in_realm(bruteForceProtected=False)),
        ("6.3.1", _in_realm(failureFactor=1000)),
        ("12.2", _in_realm(sslRequired="none")),
        ("10.4", _in_realm(clients=[])),
        (
            "10.4.7",
            _in_realm(
                components={
                    "org.keycloak.services.clientregistration.policy."
                    "ClientRegistrationPolicy": [
                        {
                            "providerId": "trusted-hosts",
                            "subType": "anonymous",
                            "config": {"trusted-hosts": ["*"]},
                        }
                    ]
                }
            ),
        ),
    ],
    ids=itertools.count(),
)
def test_each_weakness_is_named_by_its_requirement(realm, requirement, spoil):
    spoil(realm)

    found = list(check_realm.findings(realm))

    assert [line.partition(":")[0] for line in found] == [requirement]


def test_a_client_without_a_secret_does_not_act_as_itself(realm):
    client(realm, "mario-service")["publicClient"] = True

    assert [line[:8] for line in check_realm.findings(realm)] == ["10.4.10:"]


def test_production_has_nothing_of_ones_own_machine(realm):
    found = "\n".join(check_realm.findings(realm, for_production=True))

    assert "mario-api is for development only" in found
    assert "customer has a password that stands in the file" in found
    assert "mario-app has the secret that everybody can read" in found
    assert "mario-app has addresses without TLS" in found


def test_production_passes_once_that_is_gone(realm):
    realm["users"] = []
    realm["clients"] = [
        one for one in realm["clients"] if one["clientId"] != "mario-api"
    ]
    for one in realm["clients"]:
        one["secret"] = "made-for-this-shop"
        for name in ("redirectUris", "webOrigins"):
            one[name] = ["https://pizzeria.example.com" for _ in one[name]]

    assert list(check_realm.findings(realm, for_production=True)) == []


@pytest.mark.parametrize(
    ("content", "code"), [("{", 2), ("[]", 2), ('{"clients": []}', 1)]
)
def test_the_command_says_how_it_ended(tmp_path, content, code):
    file = tmp_path / "realm.json"
    file.write_text(content)

    done = subprocess.run(
        [sys.executable, "-I", str(SCRIPT), str(file)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == code
    assert "Traceback" not in done.stderr
