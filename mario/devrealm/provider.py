"""Authlib's authorization server, told where this realm keeps things."""

import sqlite3
import time
from functools import cache
from typing import Any

from authlib.common.urls import add_params_to_uri
from authlib.integrations.django_oauth2 import AuthorizationServer
from authlib.oauth2 import OAuth2Error, OAuth2Request
from authlib.oauth2.rfc6749 import (
    InvalidClientError,
    InvalidGrantError,
    InvalidRequestError,
    UnauthorizedClientError,
)
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc6750 import BearerTokenGenerator
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oidc.rpinitiated import EndSessionEndpoint

from mario.devrealm import backchannel
from mario.devrealm.claims import (
    access_token_claims,
    refresh_token_claims,
    service_token_claims,
)
from mario.devrealm.grants import (
    CodeGrant,
    CodeIdToken,
    PasswordGrant,
    RefreshGrant,
    RefreshIdToken,
    RequiredS256,
    ServiceGrant,
)
from mario.devrealm.realm_file import RealmClient
from mario.devrealm.runtime import realm
from mario.devrealm.sign_ins import SignIn

_WHO_ARE_YOU = "Invalid client or Invalid client credentials"


class AuthorizationRequest(OAuth2Request):  # type: ignore[misc]
    """An authorization request that was kept while the person signed in."""

    def __init__(self, params: dict[str, str]) -> None:
        super().__init__("GET", f"{realm().protocol_url}/auth")
        self.payload = BasicOAuth2Payload(params)


class RealmServer(AuthorizationServer):  # type: ignore[misc]
    """The realm's clients and tokens, without Authlib's database models."""

    def __init__(self) -> None:
        super().__init__(client_model=None, token_model=None)
        self.register_token_generator(
            "default",
            BearerTokenGenerator(_access_token, _refresh_token, _access_seconds),
        )
        self.register_grant(CodeGrant, [RequiredS256(), CodeIdToken()])
        self.register_grant(RefreshGrant, [RefreshIdToken()])
        self.register_grant(PasswordGrant, [RefreshIdToken()])
        self.register_grant(ServiceGrant)
        self.register_endpoint(Revocation)
        self.register_endpoint(EndSession)

    def query_client(self, client_id: str) -> RealmClient | None:
        return realm().file.clients.get(client_id)

    def authenticate_client(
        self, request: Any, methods: list[str], endpoint: str = "token"
    ) -> RealmClient:
        """
        Return the client that showed it is the one it says.

        :raises InvalidClientError: if there is no such client
        :raises UnauthorizedClientError: if its secret is wrong or missing; both
            are 401 with the same words, as from Keycloak
        """
        try:
            client: RealmClient = super().authenticate_client(
                request, methods, endpoint
            )
        except InvalidClientError as error:
            is_known = "does not exist" not in (error.description or "")
            refusal = UnauthorizedClientError if is_known else InvalidClientError
            raise refusal(_WHO_ARE_YOU, status_code=401) from error
        return client

    def save_token(self, token: dict[str, Any], request: Any) -> None:
        """Add what Keycloak says beside the tokens; they keep themselves."""
        sign_in: SignIn | None = request.user
        if sign_in is None:
            token |= {"refresh_expires_in": 0, "not-before-policy": 0}
            return
        token |= {
            "refresh_expires_in": realm().sign_ins.seconds_left(sign_in),
            "not-before-policy": 0,
            "session_state": sign_in.sid,
        }

    def handle_error_response(self, request: Any, error: OAuth2Error) -> Any:
        """Say who refuses (RFC 9207) where the refusal goes to the client."""
        status, body, headers = error(self.get_error_uri(request, error))
        if error.redirect_uri:
            iss = [("iss", realm().issuer)]
            headers = [("Location", add_params_to_uri(headers[0][1], iss))]
        return self.handle_response(status, body, headers)


class Revocation(RevocationEndpoint):  # type: ignore[misc]
    """Revoke a refresh token, and with it this client's part of the sign-in."""

    CLIENT_AUTH_METHODS = CodeGrant.TOKEN_ENDPOINT_AUTH_METHODS

    def query_token(self, token: str, hint: str | None) -> "_Revocable | None":
        del hint
        keys = realm().keys
        claims = keys.read_refresh_token(token) or keys.read(token)
        if claims is None or claims.get("typ") not in {"Refresh", "Bearer"}:
            return None
        return _Revocable(claims)

    def revoke_token(self, token: "_Revocable", request: Any) -> None:
        del request
        claims = token.claims
        if claims["typ"] == "Bearer":
            store = realm().store
            store.change(
                "DELETE FROM revoked_access_token WHERE exp < :now", now=time.time()
            )
            store.change(
                "INSERT OR IGNORE INTO revoked_access_token VALUES (:jti, :exp)",
                jti=claims["jti"],
                exp=claims["exp"],
            )
            return
        sign_ins = realm().sign_ins
        sign_ins.detach(claims["sid"], claims["azp"])
        if not sign_ins.clients(claims["sid"]):
            # Keycloak ends a sign-in that no client is left in.
            sign_ins.end(claims["sid"])


class _Revocable:
    """Any token of the realm, in the shape Authlib's revocation asks for."""

    def __init__(self, claims: dict[str, Any]) -> None:
        self.claims = claims

    def check_client(self, client: RealmClient) -> bool:
        return bool(self.claims.get("azp") == client.client_id)


class EndSession(EndSessionEndpoint):  # type: ignore[misc]
    """RP-initiated logout, with Keycloak's refusals."""

    def validate_request(self, request: Any) -> Any:
        """
        Check the whole request before anything ends.

        :raises InvalidRequestError: for a foreign hint or an address that is
            not exactly one of the client's
        """
        validated = super().validate_request(request)
        claims = validated.id_token_claims
        if claims is not None and claims.get("typ") != "ID":
            raise InvalidRequestError("Invalid parameter: id_token_hint")
        address = request.payload.data.get("post_logout_redirect_uri")
        if address and validated.client is None:
            raise InvalidRequestError("Missing parameters: id_token_hint")
        if address and address not in validated.client.post_logout_redirect_uris:
            raise InvalidRequestError("Invalid redirect uri")
        return validated

    def _is_valid_post_logout_redirect_uri(self, client: RealmClient, uri: str) -> bool:
        return uri in client.post_logout_redirect_uris

    def is_post_logout_redirect_uri_legitimate(self, *args: Any) -> bool:
        """Allow it without a hint: the person is asked first then."""
        del args
        return True

    def get_server_jwks(self) -> dict[str, Any]:
        keys = realm().keys.published()["keys"]
        return {"keys": [key for key in keys if key["use"] == "sig"]}

    def get_algorithms(self) -> list[str]:
        return ["RS256"]

    def end_session(self, end_session_request: Any) -> None:
        sid = (end_session_request.id_token_claims or {}).get("sid")
        if sid:
            sign_out(sid)


def sign_out(sid: str) -> None:
    """End the sign-in and tell every client that took part."""
    sign_ins = realm().sign_ins
    sign_in, client_ids = sign_ins.of_sid(sid), sign_ins.clients(sid)
    if sign_ins.end(sid) and sign_in is not None:
        clients = [realm().file.clients[name] for name in client_ids]
        backchannel.notify(sign_in, clients)


@cache
def server() -> RealmServer:
    return RealmServer()


def _access_token(
    *, client: RealmClient, grant_type: str, user: SignIn | None, scope: str
) -> str:
    claims = (
        service_token_claims(client, scope, grant_type)
        if user is None
        else access_token_claims(user, client, scope, grant_type)
    )
    return realm().keys.sign(claims)


def _refresh_token(
    *, client: RealmClient, grant_type: str, user: SignIn, scope: str
) -> str:
    del grant_type
    claims = refresh_token_claims(user, client, scope)
    try:
        realm().store.change(
            "INSERT INTO refresh_token "
            "VALUES (:jti, :sid, :client_id, :scope, :acr, :now, NULL)",
            jti=claims["jti"],
            sid=user.sid,
            client_id=client.client_id,
            scope=scope,
            acr=user.acr,
            now=time.time(),
        )
    except sqlite3.IntegrityError as error:
        # A logout was faster than this request: there is no session to hang on.
        raise InvalidGrantError("Session not active") from error
    return realm().keys.sign_refresh_token(claims)


def _access_seconds(client: RealmClient, grant_type: str) -> int:
    del client, grant_type
    return realm().file.seconds("accessTokenLifespan")
