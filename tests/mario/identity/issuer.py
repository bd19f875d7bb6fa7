"""A misbehaving identity provider's signing side: keys on a real HTTP port."""

import base64
import hmac
import json
import threading
import time
from collections.abc import Callable
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs
from uuid import uuid4

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from joserfc.jwk import RSAKey

CLIENT_ID = "mario-app"
DISCOVERY = "/realms/pyneuro/.well-known/openid-configuration"


def encode(value: bytes) -> bytes:
    return base64.urlsafe_b64encode(value).rstrip(b"=")


def _sign_rsa(hashing: hashes.HashAlgorithm, padding: Any) -> Callable[..., bytes]:
    return lambda key, message: key.private_key.sign(message, padding, hashing)


_SIGNERS: dict[str, Callable[..., bytes]] = {
    "RS256": _sign_rsa(hashes.SHA256(), padding.PKCS1v15()),
    "RS512": _sign_rsa(hashes.SHA512(), padding.PKCS1v15()),
    "PS256": _sign_rsa(
        hashes.SHA256(),
        padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32),
    ),
    "ES256": lambda key, message: key.private_key.sign(
        message, ec.ECDSA(hashes.SHA256())
    ),
    "HS256": lambda secret, message: hmac.digest(secret, message, "sha256"),
}


def sign_by_hand(
    header: dict[str, Any], claims: dict[str, Any] | bytes, key: Any
) -> str:
    """
    Sign anything under any header; what is None is left out of it.

    By hand: a library refuses to make most of the tokens that attackers send.
    """
    header = {name: value for name, value in header.items() if value is not None}
    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    message = encode(json.dumps(header).encode()) + b"." + encode(payload)
    signature = _SIGNERS[header["alg"]](key, message)
    return (message + b"." + encode(signature)).decode("ascii")


@cache
def _spare_key(number: int) -> RSAKey:
    # Making one takes a third of a second; keys of a test run may be shared.
    kid = f"{number}-{uuid4().hex}"
    return RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256", "kid": kid})


class Issuer:
    """Serves a key set that tests may change, and signs what they ask for."""

    def __init__(self) -> None:
        self._keys_made = 0
        self.keys = [self.new_key()]
        # How often the key set was asked for, and how that is answered.
        self.requests = 0
        self.delay = 0.0
        self.status = 200
        self.headers: dict[str, str] = {}
        self.discovery_status = 200
        self.discovery_body: bytes | None = None
        self.calls_itself: str | None = None
        self.body: bytes | None = None
        self.posted: dict[str, list[str]] = {}
        self.trickles = False
        self.token_status = 200
        self.token_body = b"{}"
        self.token_headers: dict[str, str] = {}
        # What the token endpoint was asked, and what happens before it answers.
        self.token_requests: list[dict[str, list[str]]] = []
        self.before_answering: Callable[[], object] = lambda: None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == DISCOVERY:
                    self.send_response(outer.discovery_status)
                    self.end_headers()
                    self.wfile.write(outer.discovery())
                    return
                outer.requests += 1
                time.sleep(outer.delay)
                self.send_response(outer.status)
                for name, value in outer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(outer.document())

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                outer.posted = parse_qs(self.rfile.read(length).decode())
                outer.token_requests.append(outer.posted)
                outer.before_answering()
                self.send_response(outer.token_status)
                for name, value in outer.token_headers.items():
                    self.send_header(name, value)
                self.end_headers()
                for _ in range(40 if outer.trickles else 0):
                    self.wfile.write(b" ")
                    time.sleep(0.1)
                self.wfile.write(outer.token_body)

            def log_message(self, *_: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )

    def new_key(self) -> RSAKey:
        self._keys_made += 1
        return _spare_key(self._keys_made)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def issuer(self) -> str:
        return f"{self.url}/realms/pyneuro"

    def document(self) -> bytes:
        if self.body is not None:
            return self.body
        keys = [key.as_dict(private=False) for key in self.keys]
        return json.dumps({"keys": keys}).encode()

    def discovery(self) -> bytes:
        if self.discovery_body is not None:
            return self.discovery_body
        return json.dumps({"issuer": self.calls_itself or self.issuer}).encode()

    def claims(self, **changes: Any) -> dict[str, Any]:
        """The claims of a good access token, with changes; None leaves one out."""
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "azp": CLIENT_ID,
            "typ": "Bearer",
            "sub": "8c2f6d0e-peach",
            "sid": "a3d1c9-login",
            "iat": now,
            "exp": now + 300,
            "preferred_username": "peach",
            "given_name": "Peach",
            "email": "peach@example.com",
            "scope": "openid profile email cart orders kitchen",
            "realm_access": {"roles": ["customer", "offline_access"]},
            **changes,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def sign(
        self, claims: dict[str, Any] | bytes, *, key: Any = None, **header: Any
    ) -> str:
        """Sign anything under any header."""
        protected = {"alg": "RS256", "typ": "JWT", "kid": self.keys[0].kid, **header}
        return sign_by_hand(protected, claims, key or self.keys[0])

    def will_answer(self, nonce: str, **changes: Any) -> dict[str, Any]:
        """Let the token endpoint answer a login whose ID token has the nonce."""
        access = self.claims(**changes)
        id_claims = {**access, "typ": "ID", "nonce": nonce}
        answer = {
            "access_token": self.sign(access),
            "id_token": self.sign(id_claims),
            "refresh_token": "a-refresh-token",
            "expires_in": 300,
            "token_type": "Bearer",
        }
        self.token_body = json.dumps(answer).encode()
        return answer

    def will_refresh(self, number: int = 1, **changes: Any) -> dict[str, Any]:
        """Let the token endpoint answer a refresh, with tokens told by a number."""
        access = self.claims(jti=f"access-{number}", **changes)
        answer = {
            "access_token": self.sign(access),
            "id_token": self.sign({**access, "typ": "ID"}),
            "refresh_token": f"refresh-token-{number}",
            "expires_in": 300,
            "token_type": "Bearer",
        }
        self.token_body = json.dumps(answer).encode()
        return answer

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
