"""The two ways to tokens: a code with PKCE, and a refresh token used once."""

import secrets
import sqlite3
import time
from dataclasses import dataclass, replace
from typing import Any

from authlib.common.urls import add_params_to_uri
from authlib.oauth2.rfc6749 import InvalidGrantError, InvalidRequestError, grants
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import OpenIDCode, OpenIDToken
from joserfc.jwk import RSAKey

from mario.devrealm import throttle
from mario.devrealm.claims import id_token_claims
from mario.devrealm.realm_file import RealmClient, RealmUser
from mario.devrealm.runtime import realm
from mario.devrealm.sign_ins import SignIn

_CLIENT_MAY_SAY_WHO_IT_IS_BY = ["client_secret_basic", "client_secret_post", "none"]


@dataclass(frozen=True)
class IssuedCode:
    """A code of the store; the method names are Authlib's."""

    row: sqlite3.Row
    sign_in: SignIn

    @property
    def code_challenge(self) -> str:
        return str(self.row["code_challenge"])

    @property
    def code_challenge_method(self) -> str:
        return str(self.row["code_challenge_method"])

    def get_redirect_uri(self) -> str:
        return str(self.row["redirect_uri"])

    def get_scope(self) -> str:
        return str(self.row["scope"])

    def get_nonce(self) -> str | None:
        nonce: str | None = self.row["nonce"]
        return nonce

    def get_auth_time(self) -> int:
        return int(self.row["auth_time"])

    def get_acr(self) -> str:
        return str(self.row["acr"])

    def get_amr(self) -> None:
        """Keycloak has none without a mapper for it."""


@dataclass(frozen=True)
class IssuedRefreshToken:
    """A refresh token of the store; the method names are Authlib's."""

    row: sqlite3.Row
    sign_in: SignIn

    def check_client(self, client: RealmClient) -> bool:
        return bool(self.row["client_id"] == client.client_id)

    def get_scope(self) -> str:
        return str(self.row["scope"])


class CodeGrant(grants.AuthorizationCodeGrant):  # type: ignore[misc]
    """Authorization code: once, within its minute, for whom it was issued."""

    TOKEN_ENDPOINT_AUTH_METHODS = _CLIENT_MAY_SAY_WHO_IT_IS_BY

    def create_authorization_response(
        self, redirect_uri: str, grant_user: SignIn
    ) -> tuple[int, str, list[tuple[str, str]]]:
        """Add Keycloak's session_state and RFC 9207's iss to the callback."""
        _, _, headers = super().create_authorization_response(redirect_uri, grant_user)
        extra = [("session_state", grant_user.sid), ("iss", realm().issuer)]
        if self.request.payload.data.get("kc_action"):
            # Nobody changes a password or a profile here.
            extra.append(("kc_action_status", "error"))
        return 302, "", [("Location", add_params_to_uri(headers[0][1], extra))]

    def generate_authorization_code(self) -> str:
        return secrets.token_urlsafe(32)

    def save_authorization_code(self, code: str, request: Any) -> None:
        sign_in: SignIn = request.user
        data = request.payload.data
        realm().sign_ins.attach(sign_in.sid, request.client.client_id)
        realm().store.change(
            "INSERT INTO code VALUES (:code, :client_id, :redirect_uri, :scope, "
            ":nonce, :challenge, :method, :sid, :sub, :auth_time, :acr, :now, NULL)",
            code=code,
            client_id=request.client.client_id,
            redirect_uri=request.payload.redirect_uri,
            scope=request.scope,
            nonce=data.get("nonce"),
            challenge=data["code_challenge"],
            method=data["code_challenge_method"],
            sid=sign_in.sid,
            sub=sign_in.user.sub,
            auth_time=sign_in.auth_time,
            acr=sign_in.acr,
            now=time.time(),
        )

    def query_authorization_code(
        self, code: str, client: RealmClient
    ) -> IssuedCode | None:
        """
        Return the code, which is used up by this call whatever comes after.

        :raises InvalidGrantError: if the code is unknown, used, late, somebody
            else's, or its sign-in has ended
        """
        store = realm().store
        is_first_use = store.change(
            "UPDATE code SET used_at = :now WHERE code = :code AND used_at IS NULL",
            code=code,
            now=time.time(),
        )
        row = store.row("SELECT * FROM code WHERE code = :code", code=code)
        if row is None:
            raise InvalidGrantError("Code not valid")
        if not is_first_use:
            # RFC 6749 4.1.2: what the first use brought is no longer trusted.
            realm().sign_ins.detach(row["sid"], row["client_id"])
            raise InvalidGrantError("Code not valid")
        if time.time() - row["issued_at"] > realm().file.seconds("accessCodeLifespan"):
            raise InvalidGrantError("Code is expired")
        if row["client_id"] != client.client_id:
            raise InvalidGrantError("Code not valid")
        sign_in = realm().sign_ins.of_sid(row["sid"])
        if sign_in is None:
            raise InvalidGrantError("Session not active")
        return IssuedCode(
            row, replace(sign_in, acr=row["acr"], auth_time=row["auth_time"])
        )

    def authenticate_user(self, authorization_code: IssuedCode) -> SignIn:
        return authorization_code.sign_in

    def delete_authorization_code(self, authorization_code: IssuedCode) -> None:
        """Leave the used code where it is: a second use must be recognised."""
        realm().store.change(
            "DELETE FROM code WHERE issued_at < :old", old=time.time() - 3600
        )


class RefreshGrant(grants.RefreshTokenGrant):  # type: ignore[misc]
    """Refresh, with each token worth one where the file says ``revokeRefreshToken``."""

    INCLUDE_NEW_REFRESH_TOKEN = True
    TOKEN_ENDPOINT_AUTH_METHODS = _CLIENT_MAY_SAY_WHO_IT_IS_BY

    def authenticate_refresh_token(self, refresh_token: str) -> IssuedRefreshToken:
        """
        Return the refresh token, which is used up by this call.

        :raises InvalidGrantError: with Keycloak's words for the reason
        """
        claims = realm().keys.read_refresh_token(refresh_token)
        if claims is None:
            raise InvalidGrantError("Invalid refresh token")
        if claims["azp"] != self.request.client.client_id:
            raise InvalidGrantError(
                "Invalid refresh token. Token client and authorized client don't match"
            )
        sid, now = claims["sid"], time.time()
        sign_in = realm().sign_ins.of_sid(sid)
        if sign_in is None:
            raise InvalidGrantError("Session not active")
        if claims["exp"] <= now:
            raise InvalidGrantError("Token is not active")
        if not realm().sign_ins.is_attached(sid, claims["azp"]):
            raise InvalidGrantError("Session doesn't have required client")
        is_first_use = realm().store.change(
            "UPDATE refresh_token SET used_at = :now "
            "WHERE jti = :jti AND used_at IS NULL",
            jti=claims["jti"],
            now=now,
        )
        row = realm().store.row(
            "SELECT * FROM refresh_token WHERE jti = :jti", jti=claims["jti"]
        )
        is_spent = realm().file.uses_refresh_tokens_once and not is_first_use
        if row is None or is_spent:
            # Somebody has a copy: nobody goes on with this client's tokens.
            realm().sign_ins.detach(sid, claims["azp"])
            raise InvalidGrantError("Maximum allowed refresh token reuse exceeded")
        realm().sign_ins.seen(sid)
        return IssuedRefreshToken(row, replace(sign_in, acr=row["acr"]))

    def authenticate_user(self, refresh_token: IssuedRefreshToken) -> SignIn:
        return refresh_token.sign_in

    def revoke_old_credential(self, refresh_token: IssuedRefreshToken) -> None:
        """Do nothing: the token was used up when it was read."""


class PasswordGrant(grants.ResourceOwnerPasswordCredentialsGrant):  # type: ignore[misc]
    """Name and password for tokens: for the development client alone."""

    TOKEN_ENDPOINT_AUTH_METHODS = _CLIENT_MAY_SAY_WHO_IT_IS_BY

    def authenticate_user(self, username: str, password: str) -> RealmUser:
        """
        Return who has this name and password.

        :raises InvalidGrantError: if one is wrong, or too often was
        """
        user = realm().file.user_by_login(username)
        if user is None or not throttle.admits(
            user, is_right=user.is_enabled and user.has_password(password)
        ):
            raise InvalidGrantError("Invalid user credentials")
        return user

    def generate_token(self, *, user: RealmUser, **kwargs: Any) -> dict[str, Any]:
        """Begin a sign-in without a browser, once all else was found right."""
        sign_in, _ = realm().sign_ins.begin(user)
        realm().sign_ins.attach(sign_in.sid, self.request.client.client_id)
        self.request.user = sign_in
        tokens: dict[str, Any] = super().generate_token(user=sign_in, **kwargs)
        return tokens


class ServiceGrant(grants.ClientCredentialsGrant):  # type: ignore[misc]
    """A client that acts as itself."""

    TOKEN_ENDPOINT_AUTH_METHODS = _CLIENT_MAY_SAY_WHO_IT_IS_BY


class RequiredS256(CodeChallenge):  # type: ignore[misc]
    """PKCE as the realm's clients demand it: always, and S256 only."""

    SUPPORTED_CODE_CHALLENGE_METHOD = ["S256"]

    def validate_code_challenge(self, grant: Any, redirect_uri: str) -> None:
        """Refuse a request without it, which Authlib leaves to the client."""
        for name in ("code_challenge_method", "code_challenge"):
            if not grant.request.payload.data.get(name):
                raise InvalidRequestError(f"Missing parameter: {name}")
        super().validate_code_challenge(grant, redirect_uri)

    def validate_code_verifier(self, grant: Any, result: Any) -> None:
        try:
            super().validate_code_verifier(grant, result)
        except InvalidRequestError as error:
            # Keycloak's answer to a missing or malformed verifier.
            raise InvalidGrantError(error.description) from error


class _KeycloakIdToken(OpenIDToken):  # type: ignore[misc]
    """Fill the ID token as Keycloak does; Authlib adds at_hash and signs."""

    def resolve_client_private_key(self, client: RealmClient) -> RSAKey:
        del client
        return RSAKey.import_key(realm().keys.signing_key())

    def get_encode_header(self, client: RealmClient) -> dict[str, str]:
        del client
        return {"alg": "RS256", "typ": "JWT", "kid": realm().keys.signing_key()["kid"]}

    def get_compatible_claims(self, request: Any) -> dict[str, Any]:
        return id_token_claims(request.user, request.client)

    def generate_user_info(self, user: SignIn, scope: str) -> dict[str, Any]:
        return user.user.profile(set(scope.split()))


class CodeIdToken(_KeycloakIdToken, OpenIDCode):  # type: ignore[misc]
    """The ID token of a login: nonce checked in, nonce given back."""

    def exists_nonce(self, nonce: str, request: Any) -> bool:
        """Let every nonce pass: remembering them is the client's part."""
        del nonce, request
        return False


class RefreshIdToken(_KeycloakIdToken):
    """The ID token that comes with a refresh: the same person, no nonce."""
