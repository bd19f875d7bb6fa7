"""A door between a shop and its realm: counts refreshes, and holds them on request."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs

import httpx

from tests.realms import RunningRealm

_NOT_FORWARDED = {"host", "connection", "content-length", "accept-encoding"}
_NOT_RETURNED = {"connection", "content-length", "transfer-encoding"}


class Gate:
    """
    What the shop takes for the realm's internal address.

    A refresh can be held `before` it reaches the realm, or `after` the realm has
    answered; a held one is dropped when it is let go.
    """

    def __init__(self, realm: RunningRealm) -> None:
        self.realm = realm
        # Refreshes that have reached the realm, and the status of its answers.
        self.refreshes: list[int] = []
        self.holds: str = ""
        self.is_held = threading.Event()
        self.let_go = threading.Event()
        gate = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                gate.forward(self)

            def do_POST(self) -> None:
                gate.forward(self)

            def log_message(self, *_: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://localhost:{self._server.server_port}"

    def forward(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        form = parse_qs(body.decode())
        is_refresh = form.get("grant_type") == ["refresh_token"]
        if is_refresh and self._holds("before"):
            return
        headers = {
            name: value
            for name, value in handler.headers.items()
            if name.lower() not in _NOT_FORWARDED
        }
        # Under the realm's own name: Keycloak makes its issuer from it.
        answer = httpx.request(
            handler.command,
            f"{self.realm.url}{handler.path}",
            headers=headers,
            content=body,
            timeout=30,
        )
        if is_refresh:
            self.refreshes.append(answer.status_code)
            if self._holds("after"):
                return
        handler.send_response(answer.status_code)
        for name, value in answer.headers.items():
            if name.lower() not in _NOT_RETURNED:
                handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(answer.content)))
        handler.end_headers()
        handler.wfile.write(answer.content)

    def _holds(self, where: str) -> bool:
        if self.holds != where:
            return False
        self.holds = ""
        self.is_held.set()
        self.let_go.wait(60)
        return True

    def __enter__(self) -> Self:
        threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        ).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.let_go.set()
        self._server.shutdown()
        self._server.server_close()
