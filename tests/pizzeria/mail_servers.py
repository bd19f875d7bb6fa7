"""A mail server on a real socket, as far as a sender sees one, that can misbehave."""

import email
import email.policy
import socketserver
import threading
from collections.abc import Callable
from email.message import EmailMessage
from typing import Self

from tests.servers import free_port


class SmtpServer:
    """Keeps what it was sent; `answer` chooses the reply to a recipient."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"smtp://127.0.0.1:{self.port}"
        self.received: list[EmailMessage] = []
        self.answer: Callable[[str], str] = lambda recipient: "250 It is known here"
        # A line that is empty is not said: the server hangs there.
        self.greeting = "220 ready"
        self.taken = "250 taken"
        self.goodbye = "221 bye"
        self.pause_seconds = 0.0
        self.left = 0
        self.is_over = threading.Event()
        self._server: _Server | None = None

    def __enter__(self) -> Self:
        self._server = _Server(self)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server is not None
        self.is_over.set()
        self._server.shutdown()
        self._server.server_close()


class _Conversation(socketserver.StreamRequestHandler):
    server: "_Server"

    def handle(self) -> None:
        self.say(self.server.told.greeting)
        while line := self.rfile.readline().decode().strip():
            self.answer(line)
        self.server.told.left += 1

    def answer(self, line: str) -> None:
        told, word = self.server.told, line.upper()
        if word.startswith("RCPT"):
            self.say(told.answer(line.partition("<")[2].rstrip(">")))
        elif word == "DATA":
            self.say("354 go on")
            told.received.append(self.read_mail())
            self.say(told.taken)
        else:
            self.say(told.goodbye if word == "QUIT" else "250 fine")

    def say(self, line: str) -> None:
        if not line:
            self.server.told.is_over.wait(60)
            return
        self.server.told.is_over.wait(self.server.told.pause_seconds)
        self.wfile.write(f"{line}\r\n".encode())

    def read_mail(self) -> EmailMessage:
        lines = []
        while (line := self.rfile.readline()) not in {b".\r\n", b""}:
            lines.append(line)
        return email.message_from_bytes(b"".join(lines), policy=email.policy.default)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    block_on_close = False

    def __init__(self, told: SmtpServer) -> None:
        self.told = told
        super().__init__(("127.0.0.1", told.port), _Conversation)

    def handle_error(self, *_: object) -> None:
        """Say nothing of senders that left."""
