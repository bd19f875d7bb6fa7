"""
A token's outer form: three parts, a header that is allowed, a signature that fits.

Everything here is decided before a claim is looked at. Nothing in a token causes a
request to anybody but the configured key set: keys and addresses that a token brings
along are a reason to refuse it.
"""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Collection
from math import isfinite
from typing import Any, Never

from django.conf import settings
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import Key

from mario.identity import jwks
from mario.identity.exceptions import InvalidToken

type Claims = dict[str, Any]

# Bytes; Keycloak's access token for the shop has 1,224 characters.
MAX_TOKEN_SIZE = 8192
# Objects and lists within each other; Keycloak's deepest claim has three.
MAX_DEPTH = 8

_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
# `crit` and `b64` change how a token is read, the others bring a key along.
_FORBIDDEN_HEADERS = frozenset({"crit", "b64", "zip", "jwk", "jku", "x5c", "x5u"})


def read(
    token: str, *, header_types: Collection[str], may_lack_kid: bool = False
) -> tuple[Claims, Key]:
    """
    Return the payload of a token that the realm signed, and the key that fits.

    :raises InvalidToken: if its form, header or signature is not as it must be
    :raises ProviderUnavailable: if the realm's keys cannot be had
    """
    encoded = _parts(token)
    try:
        header = parse(urlsafe_b64decode(encoded.partition(b".")[0] + b"=="))
        key = _key(header, header_types, may_lack_kid=may_lack_kid)
        # joserfc checks the header again, and that the key is one to verify with.
        signed = jws.extract_compact(encoded)
        algorithms = [settings.OIDC_RP_SIGN_ALGO]
        is_signed = jws.validate_compact(signed, key, algorithms=algorithms)
    except (JoseError, ValueError, TypeError) as error:
        raise InvalidToken(f"{type(error).__name__}: not a signed token") from error
    if not is_signed:
        refuse("its signature is not by the key that it names")
    return parse(signed.payload), key


def read_stored(token: str) -> Claims:
    """
    Read a token of the session again, which was verified when it was put there.

    :raises InvalidToken: if somebody has edited it since
    """
    payload = _parts(token).split(b".")[1]
    try:
        return parse(urlsafe_b64decode(payload + b"=="))
    except ValueError as error:
        raise InvalidToken("its payload is no base64url") from error


def parse(text: bytes) -> Claims:
    """
    Read a JSON object without guessing.

    :raises InvalidToken: for anything but one object in UTF-8, and for members that
        stand there twice, numbers that JSON lacks, half characters, deep nesting
    """
    try:
        # Bytes would be taken for UTF-16 or UTF-32, too.
        characters = text.decode()
        value = json.loads(
            characters,
            object_pairs_hook=_without_duplicates,
            parse_constant=_no_constant,
            parse_float=_finite,
        )
    except (ValueError, RecursionError) as error:
        raise InvalidToken(f"{type(error).__name__}: not JSON") from error
    if not isinstance(value, dict):
        refuse("it holds no object")
    is_plain = "\\u" not in characters
    if not is_plain or characters.count("[") + characters.count("{") > MAX_DEPTH:
        _check_value(value, MAX_DEPTH)
    return value


def refuse(reason: str) -> Never:
    raise InvalidToken(reason)


def _parts(token: str) -> bytes:
    if len(token) > MAX_TOKEN_SIZE:
        refuse("it is too long for a token")
    if not _COMPACT.fullmatch(token):
        refuse("it is not three parts of base64url")
    encoded = token.encode("ascii")
    signature = encoded.rpartition(b".")[2]
    # The last character may have bits to spare; in the parts before, the signature
    # would not fit any more.
    if len(signature) % 4 == 1 or signature != _encoded(
        urlsafe_b64decode(signature + b"==")
    ):
        refuse("its signature is not spelled as it must be")
    return encoded


def _encoded(value: bytes) -> bytes:
    return urlsafe_b64encode(value).rstrip(b"=")


def _key(header: Claims, header_types: Collection[str], *, may_lack_kid: bool) -> Key:
    if header.get("alg") != settings.OIDC_RP_SIGN_ALGO:
        refuse("its algorithm is not allowed")
    if forbidden := sorted(_FORBIDDEN_HEADERS & header.keys()):
        refuse(f"its header has {', '.join(forbidden)}")
    # RFC 7515, 4.1.9: a media type, whose case does not matter.
    header_type = header.get("typ", "JWT")
    if not isinstance(header_type, str) or header_type.lower() not in header_types:
        refuse("its header is of another kind of token")
    if may_lack_kid and "kid" not in header:
        return jwks.only_key()
    kid = header.get("kid")
    if not isinstance(kid, str) or not kid:
        refuse("it names no key")
    return jwks.key(kid)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> Claims:
    members = dict(pairs)
    if len(members) != len(pairs):
        refuse("a member stands there twice")
    return members


def _no_constant(name: str) -> Never:
    refuse(f"it holds {name}")


def _finite(number: str) -> float:
    value = float(number)
    if not isfinite(value):
        # 1e999 is JSON, and what Python makes of it is not.
        refuse("it holds a number that is too large")
    return value


def _check_value(value: Any, depth: int) -> None:
    if isinstance(value, str):
        if not value.isascii() and any("\ud800" <= sign <= "\udfff" for sign in value):
            # Half of a surrogate pair, which no database and no log can write.
            refuse("it holds half a character")
    elif isinstance(value, dict | list):
        if depth == 0:
            refuse("it is nested too deeply")
        for part in value.values() if isinstance(value, dict) else value:
            _check_value(part, depth - 1)
