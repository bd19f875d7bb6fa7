"""A sink of events as a real HTTP server that can be told to misbehave."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from tests.servers import free_port


class EventSink:
    """Keeps what it was sent; `answer` chooses the status of each event."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/events/?key=secret-of-the-sink"
        self.received: list[dict[str, Any]] = []
        self.content_types: set[str] = set()
        self.answer: Callable[[dict[str, Any]], int] = lambda event: 202
        self._server: ThreadingHTTPServer | None = None

    @property
    def types(self) -> list[str]:
        return [
            event["type"].removeprefix("io.mario-pizzeria.") for event in self.received
        ]

    def __enter__(self) -> Self:
        sink = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                event = json.loads(body)
                sink.content_types.add(self.headers["Content-Type"])
                status = sink.answer(event)
                if status < 400:
                    sink.received.append(event)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()
