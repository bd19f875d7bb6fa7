"""The endpoints that programs talk to."""

import time
from functools import cache
from typing import Any

from authlib.integrations.django_oauth2 import ResourceProtector
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import MissingAuthorizationError
from authlib.oauth2.rfc6750 import BearerTokenValidator
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from mario.devrealm.provider import server
from mario.devrealm.runtime import realm


@require_safe
def discovery(request: HttpRequest) -> JsonResponse:
    """Say what there is, and only that: no grant the realm does not do."""
    del request
    base = realm().protocol_url
    return JsonResponse(
        {
            "issuer": realm().issuer,
            "authorization_endpoint": f"{base}/auth",
            "token_endpoint": f"{base}/token",
            "userinfo_endpoint": f"{base}/userinfo",
            "end_session_endpoint": f"{base}/logout",
            "jwks_uri": f"{base}/certs",
            "revocation_endpoint": f"{base}/revoke",
            "grant_types_supported": [
                "authorization_code",
                "refresh_token",
                "password",
                "client_credentials",
            ],
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "subject_types_supported": ["public"],
            "prompt_values_supported": ["none", "login"],
            "acr_values_supported": ["0", "1"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": [
                "client_secret_basic",
                "client_secret_post",
            ],
            "code_challenge_methods_supported": ["S256"],
            "scopes_supported": ["openid", *_scopes()],
            "claims_supported": [
                *("iss", "sub", "aud", "exp", "iat", "auth_time", "acr", "azp"),
                *("nonce", "name", "given_name", "family_name", "email"),
                "preferred_username",
            ],
            "backchannel_logout_supported": True,
            "backchannel_logout_session_supported": True,
            "frontchannel_logout_supported": False,
            "authorization_response_iss_parameter_supported": True,
        }
    )


@require_safe
def certs(request: HttpRequest) -> JsonResponse:
    del request
    return JsonResponse(realm().keys.published())


@require_POST
def token(request: HttpRequest) -> HttpResponse:
    response: HttpResponse = server().create_token_response(request)
    return response


@require_POST
def revoke(request: HttpRequest) -> HttpResponse:
    response: HttpResponse = server().create_endpoint_response("revocation", request)
    return response


@require_http_methods(["GET", "POST"])
def userinfo(request: HttpRequest) -> HttpResponse:
    """Describe the bearer of a living access token, as the scopes allow."""
    try:
        access = _protector().acquire_token(request, ["openid"])
    except MissingAuthorizationError:
        return _refused()
    except OAuth2Error as error:
        return _refused(error.error)
    profile = access.sign_in.user.profile(set(access.get_scope().split()))
    return JsonResponse({"sub": access.sign_in.user.sub} | profile)


class _AccessToken:
    """An access token of the realm; the method names are Authlib's."""

    def __init__(self, claims: dict[str, Any]) -> None:
        self._claims = claims
        self.sign_in = realm().sign_ins.of_sid(claims.get("sid", ""))

    def is_expired(self) -> bool:
        return bool(self._claims["exp"] <= time.time())

    def is_revoked(self) -> bool:
        """Say whether its login, its client's part or itself has ended."""
        sid, client_id = self._claims.get("sid", ""), self._claims.get("azp", "")
        revoked = realm().store.row(
            "SELECT 1 FROM revoked_access_token WHERE jti = :jti",
            jti=self._claims.get("jti"),
        )
        is_attached = realm().sign_ins.is_attached(sid, client_id)
        return self.sign_in is None or not is_attached or revoked is not None

    def get_scope(self) -> str:
        return str(self._claims.get("scope", ""))


class _Validator(BearerTokenValidator):  # type: ignore[misc]
    """Accept access tokens alone: an ID token is no key to anything."""

    def authenticate_token(self, token_string: str) -> _AccessToken | None:
        claims = realm().keys.read(token_string)
        if claims is None or claims.get("typ") != "Bearer" or "exp" not in claims:
            return None
        return _AccessToken(claims)


@cache
def _protector() -> ResourceProtector:
    protector = ResourceProtector()
    protector.register_token_validator(_Validator(realm().file.name))
    return protector


def _refused(error: str = "") -> HttpResponse:
    challenge = f'Bearer realm="{realm().file.name}"'
    if error:
        challenge += f', error="{error}", error_description="Token verification failed"'
    return HttpResponse(status=401, headers={"WWW-Authenticate": challenge})


def _scopes() -> list[str]:
    return [scope["name"] for scope in realm().file.data.get("clientScopes", ())]
