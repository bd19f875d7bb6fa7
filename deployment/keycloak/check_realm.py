#!/usr/bin/env python3
"""
Hold a realm against OWASP ASVS 5.0, chapter 10.4, and against the shop's sessions.

    python deployment/keycloak/check_realm.py REALM.json [--production]

REALM.json is the file that Keycloak imports, or what its admin console exports. Each
line of the answer names the requirement; the exit code is 1 if there is one.
`--production` also refuses what is meant for one's own machine: demo passwords,
published secrets, addresses without TLS, and the client for tests. It needs nothing
but Python.
"""

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# Keycloak makes these itself; the addresses with a wildcard are its own pages, and
# `admin-cli` has the password grant in every Keycloak there is.
BUILT_IN = {
    "account",
    "account-console",
    "admin-cli",
    "broker",
    "realm-management",
    "security-admin-console",
}
DEVELOPMENT_MARK = "mario.development.only"
DEVELOPMENT_SECRETS = {
    "mario-secret-123",
    "mario-api-secret-123",
    "mario-service-secret-123",
}
LONGEST_CODE = 60
LONGEST_ACCESS_TOKEN = 300
LONGEST_SIGN_IN = 31 * 86400
MOST_FAILURES = 30
_PLACEHOLDER = re.compile(r"\$\{[A-Z][A-Z0-9_]*:([^}]*)\}")


type Json = dict[str, Any]
type Rule = tuple[str, Callable[[Json], bool], str]


def _between(name: str, most: int, *, default: int = 0) -> Callable[[Json], bool]:
    return lambda realm: 0 < realm.get(name, default) <= most


def _registration_is_closed(realm: Json) -> bool:
    """Keycloak closes anonymous registration itself; a realm may have opened it."""
    policies = realm.get("components", {}).get(
        "org.keycloak.services.clientregistration.policy.ClientRegistrationPolicy"
    )
    return policies is None or any(
        policy.get("subType") == "anonymous"
        and policy.get("providerId") == "trusted-hosts"
        and not any(policy.get("config", {}).get("trusted-hosts", []))
        for policy in policies
    )


def _takes_no_passwords(client: Json) -> bool:
    return not client.get("directAccessGrantsEnabled", False) or (
        _is_for_development(client) and not _has_browser(client)
    )


def _has_audience(client: Json) -> bool:
    return any(
        mapper.get("protocolMapper") == "oidc-audience-mapper"
        and mapper.get("config", {}).get("access.token.claim") == "true"
        for mapper in client.get("protocolMappers", [])
    )


def _is_for_development(client: Json) -> bool:
    return _attribute(client, DEVELOPMENT_MARK) == "true"


def _has_browser(client: Json) -> bool:
    return bool(client.get("standardFlowEnabled", False))


def _attribute(client: Json, name: str) -> str:
    return str(client.get("attributes", {}).get(name, ""))


def _addresses(client: Json) -> list[str]:
    return [
        *client.get("redirectUris", []),
        *client.get("webOrigins", []),
        *_attribute(client, "post.logout.redirect.uris").split("##"),
    ]


def _scopes(client: Json) -> list[str]:
    return [
        *client.get("defaultClientScopes", []),
        *client.get("optionalClientScopes", []),
    ]


# What must hold, and what is said if it does not.
REALM_RULES: list[Rule] = [
    ("6.3.1", lambda realm: realm.get("bruteForceProtected") is True,
     "bruteForceProtected must be true."),
    ("6.3.1", _between("failureFactor", MOST_FAILURES, default=MOST_FAILURES),
     f"failureFactor must be {MOST_FAILURES} or less."),
    ("7.4", _between("accessTokenLifespan", LONGEST_ACCESS_TOKEN),
     f"accessTokenLifespan must be {LONGEST_ACCESS_TOKEN} s or less: roles last so."),
    ("9.1.2", lambda realm: realm.get("defaultSignatureAlgorithm", "RS256") == "RS256",
     "defaultSignatureAlgorithm must be RS256, the one that the shop takes."),
    ("10.4.3", _between("accessCodeLifespan", LONGEST_CODE),
     f"accessCodeLifespan must be {LONGEST_CODE} s or less."),
    ("10.4.5", lambda realm: realm.get("revokeRefreshToken") is True,
     "revokeRefreshToken must be true, so that refresh tokens rotate."),
    ("10.4.5", lambda realm: realm.get("refreshTokenMaxReuse", 0) == 0,
     "refreshTokenMaxReuse must be 0: a second use ends the login."),
    ("10.4.7", _registration_is_closed,
     "anybody may register a client; let `Trusted Hosts` name none."),
    ("10.4.8", _between("ssoSessionMaxLifespan", LONGEST_SIGN_IN),
     "ssoSessionMaxLifespan must end every login within 31 days."),
    ("10.4.8", lambda realm: 0 < realm.get("ssoSessionIdleTimeout", 0)
     <= realm.get("ssoSessionMaxLifespan", 0) or not realm.get("ssoSessionMaxLifespan"),
     "ssoSessionIdleTimeout must be set, and no longer than the whole."),
    ("10.4.8", lambda realm: realm.get("offlineSessionMaxLifespanEnabled") is True,
     "offlineSessionMaxLifespanEnabled must be true."),
    ("12.2", lambda realm: realm.get("sslRequired") != "none",
     "sslRequired must be `external` or `all`."),
]  # fmt: skip
CLIENT_RULES: list[Rule] = [
    ("9.2.4", _has_audience,
     "has no audience mapper: nobody can tell whom its tokens are for."),
    ("10.4.1", lambda client: bool(client.get("redirectUris")) == _has_browser(client),
     "must have redirectUris with the code flow, and none without."),
    ("10.4.4", lambda client: not client.get("implicitFlowEnabled", False),
     "has the implicit flow."),
    ("10.4.4", _takes_no_passwords, "takes passwords (directAccessGrantsEnabled)."),
    ("10.4.8", lambda client: "offline_access" not in _scopes(client),
     "may ask for tokens that outlive the login (offline_access)."),
    ("10.4.10", lambda client: not (client.get("publicClient", False)
                                    and client.get("serviceAccountsEnabled", False)),
     "acts as itself without a secret."),
    ("10.4.11", lambda client: client.get("fullScopeAllowed", True) is False,
     "may tell every role (fullScopeAllowed)."),
]  # fmt: skip
# Keycloak writes `+`, "as the redirectUris", to clients that have none, too.
BROWSER_CLIENT_RULES: list[Rule] = [
    ("10.4.1", lambda client: not any("*" in one or one == "+"
                                      for one in _addresses(client)),
     "does not say exactly where it goes: an address is `+` or has a `*`."),
    ("10.4.6", lambda client: _attribute(client, "pkce.code.challenge.method")
     == "S256",
     "does not demand PKCE with S256."),
]  # fmt: skip
# A public client runs in the browser alone: nobody could tell it of a logout.
CONFIDENTIAL_CLIENT_RULES: list[Rule] = [
    ("7.6.1", lambda client: bool(_attribute(client, "backchannel.logout.url"))
     and not client.get("frontchannelLogout", False),
     "is not told of logouts (backchannel.logout.url)."),
    ("7.6.1", lambda client: _attribute(client, "backchannel.logout.session.required")
     == "true",
     "is not told which login has ended (backchannel.logout.session.required)."),
]  # fmt: skip


def findings(realm: Json, *, for_production: bool = False) -> Iterator[str]:
    """Say what is wrong with a realm, a sentence for each mistake."""
    realm = _filled(realm)
    for requirement, holds, sentence in REALM_RULES:
        if not holds(realm):
            yield f"{requirement}: {sentence}"
    clients = [
        client
        for client in realm.get("clients", [])
        if client.get("clientId") not in BUILT_IN and client.get("enabled", True)
    ]
    if not clients:
        yield "10.4: the file names no client of yours."
    for client in clients:
        for requirement, holds, sentence in _rules_for(client):
            if not holds(client):
                yield f"{requirement}: {client['clientId']} {sentence}"
    if for_production:
        yield from _of_production(realm, clients)


def _rules_for(client: Json) -> list[Rule]:
    rules = CLIENT_RULES
    if _has_browser(client):
        rules = rules + BROWSER_CLIENT_RULES
        if not client.get("publicClient", False):
            rules = rules + CONFIDENTIAL_CLIENT_RULES
    return rules


def _of_production(realm: Json, clients: list[Json]) -> Iterator[str]:
    for user in realm.get("users", []):
        if any("value" in credential for credential in user.get("credentials", [])):
            yield f"6.3.2: {user['username']} has a password that stands in the file."
    for client in clients:
        name = client["clientId"]
        if _is_for_development(client):
            yield f"10.4.4: {name} is for development only; delete it."
        if client.get("secret") in DEVELOPMENT_SECRETS:
            yield f"13.2.3: {name} has the secret that everybody can read."
        plain = [
            address
            for address in (
                *client.get("redirectUris", []),
                *client.get("webOrigins", []),
            )
            if not address.startswith("https://")
        ]
        if plain:
            yield f"12.2.1: {name} has addresses without TLS: {', '.join(plain)}"


def _filled(value: Any) -> Any:
    """Put the defaults in the place of the file's placeholders."""
    if isinstance(value, dict):
        return {key: _filled(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item) for item in value]
    return _PLACEHOLDER.sub(r"\1", value) if isinstance(value, str) else value


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("realm", type=Path)
    parser.add_argument("--production", action="store_true")
    options = parser.parse_args(arguments)
    try:
        realm = json.loads(options.realm.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        parser.error(f"{options.realm} cannot be read: {error}")
    if not isinstance(realm, dict):
        parser.error(f"{options.realm} holds no realm")
    found = list(findings(realm, for_production=options.production))
    sys.stdout.writelines(f"{finding}\n" for finding in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
