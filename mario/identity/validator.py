"""
One strict reading of every token that Keycloak signs.

Libraries accept an ID token, a refresh token or a logout token as a bearer; here
the caller says which kind it expects, and any other is refused. Nothing in a
token's content causes a request to anybody but the configured key set.
"""

import hmac
import json
import re
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Never

from django.conf import settings
from joserfc import jws
from joserfc.errors import JoseError

from mario.identity import jwks
from mario.identity.exceptions import InvalidToken

type Claims = dict[str, Any]

# Bytes; Keycloak's access token for the shop has 1,224 characters.
MAX_TOKEN_SIZE = 8192
# Seconds that two clocks may differ.
LEEWAY = 30
# No token that the shop takes lives longer than the realm's longest session.
MAX_LIFETIME = 31 * 24 * 3600
# Characters of a sid or sub; OpenID Connect Core 2 gives sub this bound.
MAX_IDENTIFIER_LENGTH = 255
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"

_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


def access_token(token: str) -> Claims:
    """
    Read an access token that a client sends as a bearer (RFC 6750, RFC 9068).

    :raises InvalidToken: if it must not be believed
    """
    return _read(token, _ACCESS)


def id_token(token: str, *, nonce: str, access_token: str) -> Claims:
    """
    Read the ID token of a login (OpenID Connect Core 3.1.3.7 and 3.1.3.8).

    :raises InvalidToken: if it must not be believed, or belongs to another attempt
        or another access token
    """
    claims = _read(token, _ID)
    if not _equal(claims.get("nonce"), nonce):
        _refuse("the nonce is of another attempt")
    if "at_hash" in claims and not _equal(claims["at_hash"], _half_hash(access_token)):
        _refuse("at_hash is of another access token")
    return claims


def logout_token(token: str) -> Claims:
    """
    Read a back-channel logout token (OpenID Connect Back-Channel Logout 2.6).

    :raises InvalidToken: if it must not be believed
    """
    return _read(token, _LOGOUT)


def _check_access(claims: Claims) -> None:
    if claims.get("typ") != "Bearer":
        _refuse("it is not an access token")
    if "cnf" in claims:
        # Sender-constrained tokens prove nothing when sent as plain bearers.
        _refuse("it is bound to a key whose proof is missing")
    _check_subject(claims)
    if "azp" in claims and not isinstance(claims["azp"], str):
        _refuse("azp is not a string")


def _check_id(claims: Claims) -> None:
    if claims.get("typ", "ID") != "ID" or "events" in claims:
        _refuse("it is not an ID token")
    _check_subject(claims)
    client_id = settings.OIDC_RP_CLIENT_ID
    is_for_several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if (is_for_several or "azp" in claims) and claims.get("azp") != client_id:
        _refuse("it was issued to another client")


def _check_logout(claims: Claims) -> None:
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict):
        _refuse("it holds no logout event")
    if "nonce" in claims:
        _refuse("a logout token has no nonce")
    if not (claims.get("sid") or claims.get("sub")):
        _refuse("it names neither a session nor a subject")
    if not isinstance(claims.get("jti"), str):
        _refuse("it has no jti")


@dataclass(frozen=True)
class _Kind:
    header_types: frozenset[str]
    check: Callable[[Claims], None]


_ACCESS = _Kind(frozenset({"jwt", "at+jwt"}), _check_access)
_ID = _Kind(frozenset({"jwt"}), _check_id)
_LOGOUT = _Kind(frozenset({"logout+jwt"}), _check_logout)


def _read(token: str, kind: _Kind) -> Claims:
    if len(token) > MAX_TOKEN_SIZE:
        _refuse("it is too long for a token")
    if not _COMPACT.fullmatch(token):
        _refuse("it is not three parts of base64url")
    encoded = token.encode("ascii")
    try:
        signed = jws.extract_compact(encoded)
        kid = _check_header(signed.headers(), kind)
        verified = jws.deserialize_compact(
            encoded, jwks.key(kid), algorithms=[settings.OIDC_RP_SIGN_ALGO]
        )
        claims = _parse(verified.payload)
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        raise InvalidToken(f"{type(error).__name__}: not a valid signature") from error
    _check_common(claims)
    kind.check(claims)
    return claims


def _check_header(header: Mapping[str, Any], kind: _Kind) -> str:
    if header.get("alg") != settings.OIDC_RP_SIGN_ALGO:
        _refuse("its algorithm is not allowed")
    if "crit" in header:
        _refuse("it has critical headers")
    if str(header.get("typ", "JWT")).lower() not in kind.header_types:
        _refuse("its header is of another kind of token")
    kid = header.get("kid")
    if not isinstance(kid, str) or not kid:
        _refuse("it names no key")
    return kid


def _parse(payload: bytes) -> Claims:
    claims = json.loads(
        payload, object_pairs_hook=_without_duplicates, parse_constant=_no_constant
    )
    if not isinstance(claims, dict):
        _refuse("its payload is no object")
    return claims


def _without_duplicates(pairs: list[tuple[str, Any]]) -> Claims:
    members = dict(pairs)
    if len(members) != len(pairs):
        _refuse("a member stands there twice")
    return members


def _no_constant(name: str) -> Never:
    _refuse(f"it holds {name}")


def _check_common(claims: Claims) -> None:
    if claims.get("iss") != settings.OIDC_OP_ISSUER:
        _refuse("its issuer is another")
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if settings.OIDC_RP_CLIENT_ID not in audiences:
        _refuse("it is meant for others")
    _check_times(claims, now=time.time())
    for name in ("sid", "sub"):
        if name in claims and not _is_identifier(claims[name]):
            _refuse(f"{name} is no identifier")


def _check_times(claims: Claims, *, now: float) -> None:
    times = {name: claims[name] for name in ("exp", "iat", "nbf") if name in claims}
    if not {"exp", "iat"} <= times.keys():
        _refuse("exp or iat is missing")
    # bool is an int in Python, and 1e30 a float in JSON.
    if any(type(value) is not int or value < 0 for value in times.values()):
        _refuse("a time is not a whole number of seconds")
    if times["exp"] <= now - LEEWAY:
        _refuse("it has expired")
    if times["exp"] - times["iat"] > MAX_LIFETIME:
        _refuse("it lives too long")
    if max(times["iat"], times.get("nbf", 0)) > now + LEEWAY:
        _refuse("it is not valid yet")


def _check_subject(claims: Claims) -> None:
    if "sub" not in claims:
        # Keycloak 25 moved sub and sid to the client scope `basic`.
        _refuse("sub is missing; does the client have the scope `basic`?")


def _is_identifier(value: object) -> bool:
    return (
        isinstance(value, str)
        and 0 < len(value) <= MAX_IDENTIFIER_LENGTH
        and value.isprintable()
    )


def _half_hash(token: str) -> str:
    digest = sha256(token.encode()).digest()
    return urlsafe_b64encode(digest[:16]).rstrip(b"=").decode("ascii")


def _equal(one: object, other: str) -> bool:
    return isinstance(one, str) and hmac.compare_digest(one.encode(), other.encode())


def _refuse(reason: str) -> Never:
    raise InvalidToken(reason)
