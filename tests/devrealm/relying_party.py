"""A client of the realm as small as the specifications allow."""

import base64
import hashlib
import json
import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from typing import Any, Self
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx

from tests.realms import RunningRealm, submit_login, trust_localhost

PASSWORD = "test"


class RelyingParty:
    """One browser and the program behind it."""

    def __init__(self, realm: RunningRealm) -> None:
        self.realm = realm
        self.browser = httpx.Client(timeout=20)
        self.verifier = secrets.token_urlsafe(48)
        self.redirect_uri = f"{realm.shop_url}/auth/callback"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.browser.close()

    def ask(self, **changes: str | None) -> httpx.Response:
        """Send the browser to the realm; None leaves a parameter out."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": self.realm.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": "openid profile email",
            "state": "the-state",
            "nonce": "the-nonce",
            "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
        } | changes
        params = {name: value for name, value in asked.items() if value is not None}
        answer = self.browser.get(f"{self.realm.protocol_url}/auth", params=params)
        trust_localhost(self.browser.cookies.jar)
        return answer

    def submit(self, page: httpx.Response, username: str, password: str = PASSWORD):
        return submit_login(self.browser, page, username, password)

    def sign_in(self, username: str = "customer") -> dict[str, str]:
        """Return the parameters of the callback, with or without a form."""
        answer = self.ask()
        if not answer.is_redirect:
            answer = self.submit(answer, username)
        return callback(answer)

    def exchange(self, code: str, **changes: str | None) -> httpx.Response:
        return self.token(
            **{
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": self.redirect_uri,
                "code_verifier": self.verifier,
                **changes,
            }
        )

    def refresh(self, refresh_token: str) -> httpx.Response:
        return self.token(grant_type="refresh_token", refresh_token=refresh_token)

    def log_in(self, username: str = "customer") -> dict[str, Any]:
        """Return the token response of a whole login."""
        answer = self.exchange(self.sign_in(username)["code"])
        assert answer.status_code == 200, answer.text
        tokens: dict[str, Any] = answer.json()
        return tokens

    def token(self, **fields: str | None) -> httpx.Response:
        return self._post("token", fields)

    def revoke(self, token: str) -> httpx.Response:
        return self._post("revoke", {"token": token})

    def userinfo(self, access_token: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {access_token}"}
        return httpx.get(f"{self.realm.protocol_url}/userinfo", headers=headers)

    def log_out(self, **params: str) -> httpx.Response:
        answer = self.browser.get(f"{self.realm.protocol_url}/logout", params=params)
        trust_localhost(self.browser.cookies.jar)
        return answer

    def _post(self, endpoint: str, fields: dict[str, str | None]) -> httpx.Response:
        data = {
            "client_id": self.realm.client_id,
            "client_secret": self.realm.client_secret,
        } | fields
        data = {name: value for name, value in data.items() if value is not None}
        url = f"{self.realm.protocol_url}/{endpoint}"
        return httpx.post(url, data=data, timeout=20)


class Listener:
    """The shop's back-channel address: keeps every logout token it is sent."""

    def __init__(self) -> None:
        self.tokens: Queue[str] = Queue()
        self.delay = threading.Event()
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                size = int(self.headers["Content-Length"])
                form = parse_qs(self.rfile.read(size).decode())
                if listener.delay.is_set():
                    listener.delay.wait()
                    threading.Event().wait(4)
                listener.tokens.put(form["logout_token"][0])
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://localhost:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def told_about(self, sid: str) -> str:
        """Wait for the logout token of one sign-in; others' may come before."""
        while True:
            token = self.tokens.get(timeout=10)
            if claims(token)["sid"] == sid:
                return token

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def callback(answer: httpx.Response) -> dict[str, str]:
    """Return the parameters that the realm sends back to the client."""
    assert answer.status_code == 302, answer.text
    return dict(parse_qsl(urlsplit(answer.headers["location"]).query))


def header(token: str) -> dict[str, Any]:
    return _part(token, 0)


def claims(token: str) -> dict[str, Any]:
    """Read a token without checking it: the tests look at what was sent."""
    return _part(token, 1)


def _part(token: str, number: int) -> dict[str, Any]:
    part = token.split(".")[number]
    padding = "=" * (-len(part) % 4)
    read: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + padding))
    return read
