"""What stands in each kind of token, as Keycloak 26.7 writes it."""

import time
from typing import Any
from uuid import uuid4

from authlib.oauth2.rfc6749 import UnauthorizedClientError

from mario.devrealm.realm_file import RealmClient, RealmUser
from mario.devrealm.runtime import realm
from mario.devrealm.sign_ins import SignIn

BACKCHANNEL_LOGOUT = "http://schemas.openid.net/event/backchannel-logout"
LOGOUT_TOKEN_SECONDS = 120
# Keycloak's mark for "online session, regular token" and the grant it came by.
_TOKEN_MARK = {
    "authorization_code": "onrtac",
    "refresh_token": "onrtrt",
    "password": "onrtro",
    "client_credentials": "trrtcc",
}


def access_token_claims(
    sign_in: SignIn, client: RealmClient, scope: str, grant_type: str
) -> dict[str, Any]:
    claims = _opening(sign_in, realm().file.seconds("accessTokenLifespan"))
    if client.allowed_origins:
        claims["allowed-origins"] = client.allowed_origins
    return claims | {
        **_granted(sign_in.user, client, scope, grant_type),
        "sid": sign_in.sid,
        "acr": sign_in.acr,
        **sign_in.user.profile(set(scope.split())),
    }


def service_token_claims(
    client: RealmClient, scope: str, grant_type: str
) -> dict[str, Any]:
    """Return those of a client that acts as itself: no login, so no ``sid``."""
    now = int(time.time())
    return {
        "exp": now + realm().file.seconds("accessTokenLifespan"),
        "iat": now,
        "iss": realm().issuer,
        **_granted(service_account(client), client, scope, grant_type),
        "client_id": client.client_id,
    }


def service_account(client: RealmClient) -> RealmUser:
    """
    Return the user that the client is when it acts as itself.

    :raises UnauthorizedClientError: if the realm file gives it none
    """
    user = realm().file.service_account(client.client_id)
    if user is None:
        raise UnauthorizedClientError("Client not enabled to retrieve service account")
    return user


def _granted(
    user: RealmUser, client: RealmClient, scope: str, grant_type: str
) -> dict[str, Any]:
    claims: dict[str, Any] = {
        "jti": f"{_TOKEN_MARK[grant_type]}:{uuid4()}",
        "sub": user.sub,
        "typ": "Bearer",
        "azp": client.client_id,
        "realm_access": {"roles": client.roles_of(user)},
        "scope": scope,
    }
    audience = client.audience
    if audience:
        # One audience is written as a string, several as a list.
        claims["aud"] = audience[0] if len(audience) == 1 else audience
    return claims


def id_token_claims(sign_in: SignIn, client: RealmClient) -> dict[str, Any]:
    """Return what does not depend on the request: no nonce, hash or profile."""
    return _opening(sign_in, realm().file.seconds("accessTokenLifespan")) | {
        "aud": client.client_id,
        "sub": sign_in.user.sub,
        "typ": "ID",
        "azp": client.client_id,
        "sid": sign_in.sid,
        "acr": sign_in.acr,
    }


def refresh_token_claims(
    sign_in: SignIn, client: RealmClient, scope: str
) -> dict[str, Any]:
    claims = _opening(sign_in, realm().sign_ins.seconds_left(sign_in))
    del claims["auth_time"]
    names = dict.fromkeys([*scope.split(), *client.scopes])
    return claims | {
        "aud": realm().issuer,
        "sub": sign_in.user.sub,
        "typ": "Refresh",
        "azp": client.client_id,
        "sid": sign_in.sid,
        "scope": " ".join(names),
        "aud_x": " ".join(client.audience),
        "prov": "default",
        "reuse_id": str(uuid4()),
    }


def logout_token_claims(sign_in: SignIn, client: RealmClient) -> dict[str, Any]:
    claims = _opening(sign_in, LOGOUT_TOKEN_SECONDS)
    del claims["auth_time"]
    claims |= {
        "aud": client.client_id,
        "sub": sign_in.user.sub,
        "typ": "Logout",
        "events": {BACKCHANNEL_LOGOUT: {}},
    }
    if client.attribute("backchannel.logout.session.required") == "true":
        claims["sid"] = sign_in.sid
    return claims


def _opening(sign_in: SignIn, seconds: int) -> dict[str, Any]:
    now = int(time.time())
    # No token outlives the sign-in it came from.
    end = int(sign_in.started_at) + realm().sign_ins.max_seconds
    return {
        "exp": min(now + seconds, end),
        "iat": now,
        "auth_time": sign_in.auth_time,
        "jti": str(uuid4()),
        "iss": realm().issuer,
    }
