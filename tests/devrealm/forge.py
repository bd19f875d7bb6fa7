"""An attacker's workshop: tokens made from the real ones of a realm, and worse."""

import base64
import json
import time
from functools import cached_property
from typing import Any, ClassVar
from uuid import uuid4

import httpx
from joserfc.jwk import ECKey, RSAKey

from tests.devrealm.relying_party import RelyingParty, claims, header
from tests.mario.identity.issuer import encode, sign_by_hand
from tests.realms import RunningRealm

MINE = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256", "kid": "mine"})
MINE_EC = ECKey.generate_key("P-256", {"use": "sig", "kid": "mine"})


class Forge:
    """What somebody can make who has logged in; with a key of the realm's, anything."""

    _known: ClassVar[dict[str, tuple[float, "Forge"]]] = {}

    @classmethod
    def of(cls, realm: RunningRealm) -> "Forge":
        """Return one with tokens that live another minute or more."""
        made_at, known = cls._known.get(realm.url, (0.0, None))
        if known is None or time.monotonic() - made_at > 200:
            known = cls(realm)
            cls._known[realm.url] = time.monotonic(), known
        return known

    @classmethod
    def forget(cls) -> None:
        """Let nobody have tokens whose key is gone."""
        cls._known.clear()

    def __init__(self, realm: RunningRealm) -> None:
        self.realm = realm
        with RelyingParty(realm) as party:
            tokens = party.log_in()
        self.access_token: str = tokens["access_token"]
        self.id_token: str = tokens["id_token"]
        self.refresh_token: str = tokens["refresh_token"]
        # Published before anybody fetches the keys.
        realm.private_key()

    @property
    def header(self) -> dict[str, Any]:
        return header(self.access_token)

    def claims(self, **changes: Any) -> dict[str, Any]:
        """The claims of the real access token, with changes; None leaves one out."""
        now = int(time.time())
        known = {**claims(self.access_token), "iat": now, "exp": now + 300, **changes}
        return {name: value for name, value in known.items() if value is not None}

    @cached_property
    def published(self) -> list[dict[str, Any]]:
        keys: list[dict[str, Any]]
        keys = httpx.get(f"{self.realm.protocol_url}/certs", timeout=20).json()["keys"]
        return keys

    @property
    def public_key(self) -> dict[str, Any]:
        kid = self.header["kid"]
        return next(key for key in self.published if key["kid"] == kid)

    @property
    def encryption_kid(self) -> str:
        key = next(key for key in self.published if key["use"] == "enc")
        return str(key["kid"])

    def sign(self, payload: dict[str, Any] | bytes, **header: Any) -> str:
        """Sign with a key of the realm's, as a realm that was taken over would."""
        key = self.realm.private_key()
        own = {**self.header, "kid": key.kid}
        return sign_by_hand({**own, **header}, payload, key)

    def token(self, **changes: Any) -> str:
        return self.sign(self.claims(**changes))

    def by_me(self, key: Any = MINE, **header: Any) -> str:
        """Sign the real claims with a key of one's own."""
        return sign_by_hand({**self.header, **header}, self.claims(), key)

    def unsigned(self, algorithm: str, signature: str) -> str:
        protected = encode(json.dumps({**self.header, "alg": algorithm}).encode())
        payload = encode(json.dumps(self.claims()).encode())
        return f"{protected.decode()}.{payload.decode()}.{signature}"

    def logout_token(
        self, *, typ: Any = "logout+jwt", kind: str = "Logout", **changes: Any
    ) -> str:
        """What ends this login, with changes; None leaves one out."""
        now = int(time.time())
        known = {name: self.claims()[name] for name in ("iss", "sub", "sid")}
        event = "http://schemas.openid.net/event/backchannel-logout"
        wanted = {
            **known,
            "aud": self.realm.client_id,
            "iat": now,
            "exp": now + 120,
            "jti": uuid4().hex,
            "typ": kind,
            "events": {event: {}},
            **changes,
        }
        given = {name: value for name, value in wanted.items() if value is not None}
        return self.sign(given, typ=typ)

    def with_member_twice(self, name: str, value: str) -> bytes:
        return f'{json.dumps(self.claims())[:-1]}, "{name}": "{value}"}}'.encode()

    def with_number(self, name: str, number: str) -> bytes:
        return (
            json.dumps(self.claims(**{name: 7}))
            .replace(f'"{name}": 7', f'"{name}": {number}')
            .encode()
        )

    def spelled_otherwise(self) -> str:
        """Return the real token with a bit changed that base64 does not look at."""
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        last = alphabet[alphabet.index(self.access_token[-1]) + 1]
        other = self.access_token[:-1] + last
        signature = self.access_token.rsplit(".", 1)[1]
        assert base64.urlsafe_b64decode(signature + "==") == base64.urlsafe_b64decode(
            other.rsplit(".", 1)[1] + "=="
        )
        return other
