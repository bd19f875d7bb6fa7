"""Which keys of a key set may verify, and nothing else of it."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from django.conf import settings
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key

from mario.identity.exceptions import ProviderUnavailable

# A realm has one key, and one or two more while it rotates them.
MAX_KEYS = 32
MAX_KID_LENGTH = 255
# Characters of base64url: 2,048 to 8,192 bits.
_MODULUS = range(340, 1370)
_MAX_EXPONENT_LENGTH = 8
# What of a document is given to the library, and to the other processes.
_MEMBERS = ("kty", "kid", "use", "alg", "key_ops", "n", "e")


@dataclass(frozen=True)
class KeySet:
    """The signing keys of one document, and when it was fetched (Unix time)."""

    keys: Mapping[str, Key] = field(default_factory=dict)
    fetched_at: float = 0.0

    def as_json(self) -> bytes:
        """Write it for another process; only public members are in it."""
        keys = [{**key.as_dict(private=False), "kid": kid} for kid, key in self]
        return json.dumps({"fetched_at": self.fetched_at, "keys": keys}).encode()

    def __iter__(self) -> Any:
        return iter(self.keys.items())


def read(body: bytes, *, fetched_at: float, known: Mapping[str, Key]) -> KeySet:
    """
    Pick the keys that may verify; one that has not changed stays the same object.

    Encryption keys, secrets, keys of another algorithm, weak or huge ones and two
    under one name are left out before the library sees them.

    :raises ProviderUnavailable: if no key is left, or it is not a key set at all
    """
    usable = [document for document in _documents(body) if _may_verify(document)]
    names = Counter(document["kid"] for document in usable)
    keys = {
        document["kid"]: key
        for document in usable
        if names[document["kid"]] == 1 and (key := _key(document, known)) is not None
    }
    if not keys:
        raise ProviderUnavailable("the key set holds no signing key")
    return KeySet(MappingProxyType(keys), fetched_at)


def read_shared(raw: bytes, *, known: Mapping[str, Key]) -> KeySet:
    """
    Read what `as_json` of another process wrote, as warily as what Keycloak sends.

    :raises ProviderUnavailable: if it is something else
    """
    try:
        fetched_at = float(json.loads(raw)["fetched_at"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ProviderUnavailable("the shared key set cannot be read") from error
    return read(raw, fetched_at=fetched_at, known=known)


def _documents(body: bytes) -> list[dict[str, Any]]:
    try:
        documents = json.loads(body)["keys"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ProviderUnavailable("the key set cannot be read") from error
    if not isinstance(documents, list) or len(documents) > MAX_KEYS:
        raise ProviderUnavailable("the key set is no list of keys")
    return [document for document in documents if isinstance(document, dict)]


def _may_verify(document: dict[str, Any]) -> bool:
    kid, operations = document.get("kid"), document.get("key_ops", ["verify"])
    return (
        document.get("kty") == "RSA"
        and document.get("use", "sig") == "sig"
        and isinstance(operations, list)
        and "verify" in operations
        and document.get("alg", settings.OIDC_RP_SIGN_ALGO)
        == settings.OIDC_RP_SIGN_ALGO
        and isinstance(kid, str)
        and 0 < len(kid) <= MAX_KID_LENGTH
        and _length(document, "n") in _MODULUS
        and 0 < _length(document, "e") <= _MAX_EXPONENT_LENGTH
    )


def _length(document: dict[str, Any], name: str) -> int:
    value = document.get(name)
    return len(value) if isinstance(value, str) else 0


def _key(document: dict[str, Any], known: Mapping[str, Key]) -> Key | None:
    public = {name: document[name] for name in _MEMBERS if name in document}
    try:
        key = JWKRegistry.import_key(public)
        former = known.get(document["kid"])
        if former is not None and former.thumbprint() == key.thumbprint():
            return former
    except (JoseError, ValueError, TypeError):
        # One key that cannot be read does not make the others useless.
        return None
    return key
