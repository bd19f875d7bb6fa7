"""
One strict reading of every token that Keycloak signs.

Libraries accept an ID token, a refresh token or a logout token as a bearer; here
the caller says which kind it expects, and any other is refused.
"""

import hmac
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256

from django.conf import settings
from joserfc.jwk import Key

from mario.identity import compact, memo
from mario.identity.compact import Claims, refuse
from mario.identity.exceptions import BoundToken, OutOfTime

__all__ = [
    "LEEWAY",
    "LOGOUT_EVENT",
    "Claims",
    "access_token",
    "id_token",
    "logout_token",
    "refreshed_id_token",
    "require_recent_login",
]

# Seconds that two clocks may differ.
LEEWAY = 30
# Seconds from `iat` to `exp`; the realm's access tokens have 300.
MAX_LIFETIME = 24 * 3600
# Seconds; ID tokens and logout tokens are read when they have just been made.
MAX_AGE_WHEN_NEW = 600
# Characters of a sid or sub; OpenID Connect Core 2 gives sub this bound.
MAX_IDENTIFIER_LENGTH = 255
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
_TIMES = ("exp", "iat", "nbf", "auth_time")


def access_token(token: str) -> Claims:
    """
    Read an access token that a client sends as a bearer (RFC 6750, RFC 9068).

    A token that was read before is not verified again; that it has not expired, and
    that the realm still has its key, is.

    :raises InvalidToken: if it must not be believed
    :raises ProviderUnavailable: if the realm's keys cannot be had
    """
    claims = memo.recall(token)
    if claims is None:
        claims, key = _read(token, _ACCESS)
        memo.keep(token, claims, key, ends_at=claims["exp"] + LEEWAY)
    return claims


def id_token(
    token: str,
    *,
    nonce: str,
    access_token: str,
    max_age: timedelta | None = None,
    acr: str = "",
) -> Claims:
    """
    Read the ID token of a login (OpenID Connect Core 3.1.3.7 and 3.1.3.8).

    With `max_age` or `acr` also that the login is as recent, or as strong, as asked.

    :raises InvalidToken: if it must not be believed, or belongs to another attempt
        or another access token
    """
    claims, _ = _read(token, _ID)
    if not _equal(claims.get("nonce"), nonce):
        refuse("the nonce is of another attempt")
    _check_hash(claims, access_token)
    if max_age is not None:
        require_recent_login(claims, max_age=max_age)
    if acr and claims.get("acr") != acr:
        refuse("the login is weaker than was asked for")
    return claims


def refreshed_id_token(token: str, *, former: str, access_token: str) -> Claims:
    """
    Read the ID token that came with a refresh (OpenID Connect Core 12.2).

    `former` is the one that the session has: still the same person, client and login,
    at the same time, and with no other nonce.

    :raises InvalidToken: if it must not be believed, or is of another login
    """
    claims, _ = _read(token, _ID)
    before = compact.read_stored(former)
    for name in ("iss", "sub", "aud", "azp", "sid", "auth_time", "nonce"):
        # What the specification lets it leave out must be the same where it stands.
        is_wanted = name in ("iss", "sub", "aud")
        if (is_wanted or name in claims) and claims.get(name) != before.get(name):
            refuse(f"{name} is not that of the token before")
    _check_hash(claims, access_token)
    return claims


def logout_token(token: str) -> Claims:
    """
    Read a back-channel logout token (OpenID Connect Back-Channel Logout 2.6).

    :raises InvalidToken: if it must not be believed
    """
    claims, _ = _read(token, _LOGOUT)
    return claims


def require_recent_login(claims: Claims, *, max_age: timedelta) -> None:
    """
    Make sure that the person has typed a password within `max_age`.

    :raises InvalidToken: if `auth_time` is older, or is missing
    """
    auth_time = claims.get("auth_time")
    if type(auth_time) is not int:
        refuse("it does not say when the person logged in")
    if auth_time < time.time() - max_age.total_seconds() - LEEWAY:
        refuse("the login was too long ago")


def _check_access(claims: Claims) -> None:
    if claims.get("typ") != "Bearer":
        refuse("it is not an access token")
    if "cnf" in claims:
        # RFC 9449: whoever has stolen it does not have the key.
        raise BoundToken("it is bound to a key whose proof is missing")
    _check_audience(claims)
    _check_subject(claims)
    client = claims.get("azp")
    if not isinstance(client, str) or client not in settings.OIDC_BEARER_CLIENTS:
        refuse("it was issued to a client that may not call")


def _check_id(claims: Claims) -> None:
    if claims.get("typ", "ID") != "ID" or "events" in claims:
        refuse("it is not an ID token")
    # Nobody else is trusted with a login of this shop.
    if claims.get("aud") not in (_client(), [_client()]):
        refuse("it is meant for others")
    if claims.get("azp", _client()) != _client():
        refuse("it was issued to another client")
    _check_subject(claims)
    _check_is_new(claims)


def _check_logout(claims: Claims) -> None:
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict):
        refuse("it holds no logout event")
    if "nonce" in claims:
        refuse("a logout token has no nonce")
    if claims.get("typ", "Logout") != "Logout":
        refuse("it is another kind of token")
    if not (claims.get("sid") or claims.get("sub")):
        refuse("it names neither a session nor a subject")
    if not _is_identifier(claims.get("jti")):
        refuse("it has no jti")
    _check_audience(claims)
    _check_is_new(claims)


@dataclass(frozen=True)
class _Kind:
    header_types: Callable[[], frozenset[str]]
    check: Callable[[Claims], None]
    # Core 10.1: an ID token may leave it out where there is but one key.
    may_lack_kid: bool = False


_ACCESS = _Kind(lambda: settings.OIDC_ACCESS_TOKEN_TYPES, _check_access)
_ID = _Kind(lambda: frozenset({"jwt"}), _check_id, may_lack_kid=True)
_LOGOUT = _Kind(lambda: frozenset({"logout+jwt"}), _check_logout)


def _read(token: str, kind: _Kind) -> tuple[Claims, Key]:
    claims, key = compact.read(
        token, header_types=kind.header_types(), may_lack_kid=kind.may_lack_kid
    )
    if claims.get("iss") != settings.OIDC_OP_ISSUER:
        refuse("its issuer is another")
    _check_times(claims, now=time.time())
    for name in ("sid", "sub"):
        if name in claims and not _is_identifier(claims[name]):
            refuse(f"{name} is no identifier")
    kind.check(claims)
    return claims, key


def _check_times(claims: Claims, *, now: float) -> None:
    times = {name: claims[name] for name in _TIMES if name in claims}
    if not {"exp", "iat"} <= times.keys():
        refuse("exp or iat is missing")
    # bool is an int in Python, and 1e30 a float in JSON.
    if any(type(value) is not int or value < 0 for value in times.values()):
        refuse("a time is not a whole number of seconds")
    if times["exp"] <= now - LEEWAY:
        raise OutOfTime("it has expired")
    if times["exp"] - times["iat"] > MAX_LIFETIME:
        refuse("it lives too long")
    del times["exp"]
    if max(times.values()) > now + LEEWAY:
        raise OutOfTime("it is not valid yet; do both clocks tell the same time?")


def _check_is_new(claims: Claims) -> None:
    if claims["iat"] < time.time() - MAX_AGE_WHEN_NEW - LEEWAY:
        raise OutOfTime("it was made too long ago")


def _check_audience(claims: Claims) -> None:
    audience = claims.get("aud")
    if _client() not in (audience if isinstance(audience, list) else [audience]):
        refuse("it is meant for others")


def _check_subject(claims: Claims) -> None:
    if "sub" not in claims:
        # Keycloak 25 moved sub and sid to the client scope `basic`.
        refuse("sub is missing; does the client have the scope `basic`?")


def _check_hash(claims: Claims, access_token: str) -> None:
    if "at_hash" in claims and not _equal(claims["at_hash"], _half_hash(access_token)):
        refuse("at_hash is of another access token")


def _client() -> str:
    client_id: str = settings.OIDC_RP_CLIENT_ID
    return client_id


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
