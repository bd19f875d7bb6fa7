"""The realm's signing keys, kept across restarts and rotated on request."""

import json
import time
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OctKey, RSAKey
from joserfc.jws import JWSRegistry

from mario.devrealm.store import Store

_PURPOSES = {"sig": "RS256", "enc": "RSA-OAEP", "refresh": "HS512"}
# Headers are given by tests on purpose, odd ones included.
_ANY_HEADER = JWSRegistry(algorithms=["RS256", "HS512"], strict_check_header=False)


class Keys:
    """
    Sign and read tokens as Keycloak does.

    Access, ID and logout tokens are RS256 under a published key; refresh tokens
    are HS512 under a secret of the realm's own. Like Keycloak's, the published
    set also has an encryption key that must never verify a signature.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        for purpose in _PURPOSES:
            if not self._newest(purpose):
                self._make(purpose)

    def published(self) -> dict[str, Any]:
        """Return the key set as ``certs`` shows it, newest first."""
        rows = self._store.rows(
            "SELECT use, jwk FROM signing_key WHERE use IN ('sig', 'enc') "
            "ORDER BY made_at DESC"
        )
        return {"keys": [_public(row["jwk"], row["use"]) for row in rows]}

    def signing_key(self) -> dict[str, Any]:
        """Return the private key that signs now."""
        return self._key("sig")

    def sign(self, claims: dict[str, Any], **header: Any) -> str:
        """Return an RS256 token; the header may be given, the algorithm not."""
        key = self.signing_key()
        header = {"typ": "JWT", "kid": key["kid"]} | header | {"alg": "RS256"}
        return jwt.encode(header, claims, RSAKey.import_key(key), registry=_ANY_HEADER)

    def sign_refresh_token(self, claims: dict[str, Any]) -> str:
        key = self._key("refresh")
        header = {"alg": "HS512", "typ": "JWT", "kid": key["kid"]}
        return jwt.encode(header, claims, OctKey.import_key(key), registry=_ANY_HEADER)

    def read(self, token: str) -> dict[str, Any] | None:
        """Return the claims of a token this realm signed, None of any other."""
        keys = [key for key in self.published()["keys"] if key["use"] == "sig"]
        return _claims(token, KeySet.import_key_set({"keys": keys}), "RS256")

    def read_refresh_token(self, token: str) -> dict[str, Any] | None:
        key = OctKey.import_key(self._key("refresh"))
        return _claims(token, key, "HS512")

    def rotate(self) -> str:
        """Sign with a new key from now on; the old ones stay published."""
        return self._make("sig")

    def forget_old(self) -> int:
        """Publish only the key that signs; tokens of the others are dead."""
        return self._store.change(
            "DELETE FROM signing_key WHERE use = 'sig' AND kid != :kid",
            kid=self.signing_key()["kid"],
        )

    def _make(self, purpose: str) -> str:
        key: RSAKey | OctKey
        if purpose == "refresh":
            key = OctKey.generate_key(512)
        else:
            key = RSAKey.generate_key(2048)
        jwk = {**key.as_dict(private=True), "kid": key.thumbprint()}
        self._store.change(
            "INSERT INTO signing_key VALUES (:kid, :use, :jwk, :now)",
            kid=jwk["kid"],
            use=purpose,
            jwk=json.dumps(jwk),
            now=time.time(),
        )
        return str(jwk["kid"])

    def _newest(self, purpose: str) -> dict[str, Any] | None:
        row = self._store.row(
            "SELECT jwk FROM signing_key WHERE use = :use "
            "ORDER BY made_at DESC LIMIT 1",
            use=purpose,
        )
        return json.loads(row["jwk"]) if row else None

    def _key(self, purpose: str) -> dict[str, Any]:
        key = self._newest(purpose)
        if key is None:
            raise LookupError(f"The realm has lost its {purpose} key.")
        return key


def _public(jwk: str, use: str) -> dict[str, Any]:
    data = json.loads(jwk)
    return {
        "kid": data["kid"],
        "kty": "RSA",
        "alg": _PURPOSES[use],
        "use": use,
        "n": data["n"],
        "e": data["e"],
    }


def _claims(token: str, key: Any, algorithm: str) -> dict[str, Any] | None:
    try:
        return dict(jwt.decode(token, key, algorithms=[algorithm]).claims)
    except (JoseError, ValueError):
        return None
