"""Reading the realm file, the same one Keycloak imports."""

import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mario.devrealm.environment import RealmRefused

# ${NAME} or ${NAME:default}, as Keycloak's own import replaces them.
_PLACEHOLDER = re.compile(r"\$\{(?P<name>[A-Z][A-Z0-9_]*)(?::(?P<default>[^}]*))?\}")
# Keycloak's way of putting several values into one client attribute.
_LIST_SEPARATOR = "##"


@dataclass(frozen=True)
class RealmUser:
    """One person of the realm file."""

    data: Mapping[str, Any]

    @property
    def sub(self) -> str:
        return str(self.data["id"])

    @property
    def username(self) -> str:
        return str(self.data["username"])

    @property
    def email(self) -> str:
        return str(self.data.get("email", ""))

    @property
    def service_of(self) -> str | None:
        """Return the client that this user stands for; None for a person."""
        client_id = self.data.get("serviceAccountClientId")
        return None if client_id is None else str(client_id)

    @property
    def is_enabled(self) -> bool:
        return bool(self.data.get("enabled", True))

    @property
    def roles(self) -> list[str]:
        return list(self.data.get("realmRoles", ()))

    def profile(self, scopes: set[str]) -> dict[str, Any]:
        """Return the claims about the person that the scopes open."""
        claims: dict[str, Any] = {}
        if "email" in scopes:
            claims["email_verified"] = bool(self.data.get("emailVerified"))
        if "profile" in scopes:
            first, last = self.data["firstName"], self.data["lastName"]
            claims |= {
                "name": f"{first} {last}",
                "preferred_username": self.username,
                "given_name": first,
                "family_name": last,
            }
        if "email" in scopes:
            claims["email"] = self.email
        return claims

    def has_password(self, password: str) -> bool:
        return any(
            hmac.compare_digest(str(credential["value"]).encode(), password.encode())
            for credential in self.data.get("credentials", ())
            if credential.get("type") == "password"
        )


@dataclass(frozen=True)
class RealmClient:
    """
    One client of the realm file, in the shape Authlib asks for.

    The method names are ``authlib.oauth2.rfc6749.ClientMixin``'s.
    """

    data: Mapping[str, Any]
    # The realm roles that its tokens may carry; None is Keycloak's full scope.
    roles: frozenset[str] | None = None
    # The client scopes that a token's `scope` names, in the file's order.
    spoken_scopes: tuple[str, ...] = ()

    @property
    def client_id(self) -> str:
        return str(self.data["clientId"])

    @property
    def is_public(self) -> bool:
        return bool(self.data.get("publicClient"))

    @property
    def scopes(self) -> list[str]:
        return list(self.data.get("defaultClientScopes", ()))

    @property
    def optional_scopes(self) -> list[str]:
        return list(self.data.get("optionalClientScopes", ()))

    @property
    def allowed_origins(self) -> list[str]:
        return list(self.data.get("webOrigins", ()))

    @property
    def redirect_uris(self) -> list[str]:
        return list(self.data.get("redirectUris", ()))

    @property
    def post_logout_redirect_uris(self) -> list[str]:
        return self.attribute("post.logout.redirect.uris").split(_LIST_SEPARATOR)

    @property
    def backchannel_logout_url(self) -> str:
        return self.attribute("backchannel.logout.url")

    @property
    def audience(self) -> list[str]:
        """Return what the client's audience mappers put into access tokens."""
        configs = [
            mapper["config"]
            for mapper in self.data.get("protocolMappers", ())
            if mapper["protocolMapper"] == "oidc-audience-mapper"
            and mapper["config"].get("access.token.claim") == "true"
        ]
        names = (
            config.get("included.client.audience")
            or config.get("included.custom.audience")
            for config in configs
        )
        return [name for name in names if name]

    def attribute(self, name: str) -> str:
        return str(self.data.get("attributes", {}).get(name, ""))

    def get_client_id(self) -> str:
        return self.client_id

    def get_default_redirect_uri(self) -> None:
        """Give none: OpenID Connect wants the address in every request."""

    def get_allowed_scope(self, scope: str | None) -> str | None:
        """
        Return the scope as the token response says it, None for an unknown one.

        Keycloak names "openid" first and only what a client scope with
        "include in token scope" stands for.
        """
        asked = (scope or "").split()
        if not set(asked) <= {"openid", *self.scopes, *self.optional_scopes}:
            return None
        given = {*self.scopes, *asked}
        return " ".join(
            [*(name for name in ("openid",) if name in asked)]
            + [name for name in self.spoken_scopes if name in given]
        )

    def roles_of(self, user: RealmUser) -> list[str]:
        """Return what of the user's roles this client's tokens tell."""
        if self.roles is None:
            return user.roles
        return [role for role in user.roles if role in self.roles]

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri in self.redirect_uris

    def check_client_secret(self, client_secret: str) -> bool:
        secret = str(self.data.get("secret", ""))
        return bool(secret) and hmac.compare_digest(
            secret.encode(), client_secret.encode()
        )

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        del endpoint
        return (method == "none") == self.is_public

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code" and bool(self.data.get("standardFlowEnabled"))

    def check_grant_type(self, grant_type: str) -> bool:
        setting = {
            "authorization_code": "standardFlowEnabled",
            "password": "directAccessGrantsEnabled",
            "client_credentials": "serviceAccountsEnabled",
        }.get(grant_type)
        return grant_type == "refresh_token" or bool(setting and self.data.get(setting))


@dataclass(frozen=True)
class RealmFile:
    """The realm as the file describes it, placeholders filled in."""

    data: Mapping[str, Any]

    @property
    def name(self) -> str:
        return str(self.data["realm"])

    @property
    def title(self) -> str:
        return str(self.data.get("displayName") or self.name)

    @property
    def uses_refresh_tokens_once(self) -> bool:
        """Whether a second use of a refresh token ends what came of the first."""
        return bool(self.data.get("revokeRefreshToken"))

    def seconds(self, setting: str) -> int:
        return int(self.data[setting])

    @cached_property
    def clients(self) -> dict[str, RealmClient]:
        spoken = tuple(
            scope["name"]
            for scope in self.data.get("clientScopes", ())
            if scope.get("attributes", {}).get("include.in.token.scope") == "true"
        )
        return {
            client["clientId"]: RealmClient(
                client, self._roles_for(client), spoken or ("profile", "email")
            )
            for client in self.data["clients"]
            if client.get("enabled", True)
        }

    def _roles_for(self, client: Mapping[str, Any]) -> frozenset[str] | None:
        if client.get("fullScopeAllowed", True):
            return None
        return frozenset(
            role
            for mapping in self.data.get("scopeMappings", ())
            if mapping.get("client") == client["clientId"]
            for role in mapping["roles"]
        )

    @cached_property
    def users(self) -> dict[str, RealmUser]:
        """Return everybody by subject."""
        return {user["id"]: RealmUser(user) for user in self.data["users"]}

    @property
    def people(self) -> list[RealmUser]:
        return [user for user in self.users.values() if user.service_of is None]

    def service_account(self, client_id: str) -> RealmUser | None:
        """Return the user that a client is when it acts as itself."""
        return next(
            (user for user in self.users.values() if user.service_of == client_id),
            None,
        )

    def change_user(self, user: RealmUser, **changes: Any) -> None:
        """Let somebody be otherwise than the file says, until the realm ends."""
        self.users[user.sub] = RealmUser({**user.data, **changes})

    def user_by_login(self, login: str) -> RealmUser | None:
        """Return whose username or e-mail this is, whatever the case."""
        login = login.strip().casefold()
        for user in self.people:
            if login in (user.username.casefold(), user.email.casefold()):
                return user
        return None


def read_realm_file(path: Path, variables: Mapping[str, str]) -> RealmFile:
    """
    Return the realm of this file.

    :raises RealmRefused: if the file is missing, is not JSON, or has a
        placeholder that nothing fills
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RealmRefused(f"The realm file {path} does not exist.") from error
    except ValueError as error:
        raise RealmRefused(f"The realm file {path} is not JSON: {error}.") from error
    return RealmFile(_filled(data, variables))


def _filled(value: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(item, variables) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, variables) for item in value]
    if isinstance(value, str):
        return _PLACEHOLDER.sub(lambda found: _value_of(found, variables), value)
    return value


def _value_of(found: re.Match[str], variables: Mapping[str, str]) -> str:
    value = variables.get(found["name"], found["default"])
    if value is None:
        raise RealmRefused(
            f"The realm file asks for the variable {found['name']}, which is not set "
            "and has no default."
        )
    return value
