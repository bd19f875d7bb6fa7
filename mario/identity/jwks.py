"""
The realm's signing keys, held in the process.

Warmed at start; a key set is asked for again when it has aged, or once per 30 s
when a token names a key that is not in it. While the provider is away the last set
serves, for a day at most. Known keys are never made to wait for any of this.
"""

import json
import logging
import threading
import time
from dataclasses import dataclass, field
from http import HTTPStatus

from django.conf import settings
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key

from mario.identity import provider
from mario.identity.exceptions import InvalidToken, ProviderUnavailable

logger = logging.getLogger(__name__)

# Seconds.
SOFT_AGE = 600
HARD_AGE = 24 * 3600
COOL_DOWN = 30
RECENT = 10


@dataclass
class KeySet:
    """The keys of one document, and when it was fetched."""

    keys: dict[str, Key] = field(default_factory=dict)
    fetched_at: float = float("-inf")
    tried_at: float = float("-inf")


_current = KeySet()
_lock = threading.Lock()


def warm() -> None:
    """Fetch the keys before the first request needs them; a failure is only told."""
    try:
        _refresh()
    except ProviderUnavailable as error:
        logger.warning("The JWKS cache could not be warmed: %s", error)
    else:
        logger.info("🔐 JWKS cache pre-warmed")


def require_provider() -> None:
    """
    Make sure that Keycloak answers, before a browser is sent there.

    :raises ProviderUnavailable: if it does not, and did not within the last 10 s
    """
    if time.monotonic() - _current.fetched_at > RECENT:
        _refresh()


def key(kid: str) -> Key:
    """
    Find the signing key that a token names.

    :raises InvalidToken: if the realm has no such key
    :raises ProviderUnavailable: if no usable key set could be fetched
    """
    now = time.monotonic()
    age = now - _current.fetched_at
    if age > SOFT_AGE or kid not in _current.keys:
        _refresh_if_due(now)
        age = time.monotonic() - _current.fetched_at
    if age > HARD_AGE:
        raise ProviderUnavailable("the realm's keys are not known")
    try:
        return _current.keys[kid]
    except KeyError:
        raise InvalidToken("it is signed with an unknown key") from None


def forget() -> None:
    """Start again as a new process does."""
    _current.keys = {}
    _current.fetched_at = _current.tried_at = float("-inf")


def _refresh_if_due(now: float) -> None:
    if now - _current.tried_at < COOL_DOWN:
        return
    # Whoever has no keys at all waits for the one that fetches them.
    if not _lock.acquire(timeout=0 if _current.keys else settings.OIDC_TIMEOUT):
        return
    try:
        if now - _current.tried_at >= COOL_DOWN:
            _refresh()
    except ProviderUnavailable as error:
        logger.warning("The realm's keys could not be fetched again: %s", error)
    finally:
        _lock.release()


def _refresh() -> None:
    _current.tried_at = time.monotonic()
    keys = _fetch()
    _current.keys = keys
    _current.fetched_at = time.monotonic()


def _fetch() -> dict[str, Key]:
    answer = provider.call("GET", settings.OIDC_OP_JWKS_ENDPOINT)
    if answer.status != HTTPStatus.OK:
        raise ProviderUnavailable(f"HTTP {answer.status}")
    return _signing_keys(answer.body)


def _signing_keys(body: bytes) -> dict[str, Key]:
    try:
        documents = json.loads(body)["keys"]
        usable = [document for document in documents if _is_signing_key(document)]
        keys = {
            document["kid"]: JWKRegistry.import_key(document) for document in usable
        }
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise ProviderUnavailable("the key set cannot be read") from error
    if not keys:
        raise ProviderUnavailable("the key set holds no signing key")
    return keys


def _is_signing_key(document: dict[str, object]) -> bool:
    """Keep the keys that may verify; a set also holds ones to encrypt with."""
    return (
        document.get("kty") == "RSA"
        and document.get("use", "sig") == "sig"
        and document.get("alg", settings.OIDC_RP_SIGN_ALGO)
        == settings.OIDC_RP_SIGN_ALGO
        and isinstance(document.get("kid"), str)
    )
