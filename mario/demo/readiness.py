"""Questions that a server which is ready answers."""

import http.client
import json
import socket
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

type Probe = Callable[[], bool]

_SECONDS = 3.0
# A proxy of the machine's own has no business between two local processes.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def answers_ping(port: int) -> Probe:
    """Ask a Redis or Valkey; it is not ready while it still loads its file."""

    def probe() -> bool:
        try:
            with socket.create_connection(("127.0.0.1", port), _SECONDS) as peer:
                peer.sendall(b"PING\r\n")
                return peer.recv(16).startswith(b"+PONG")
        except OSError:
            return False

    return probe


def answers_http(url: str) -> Probe:
    def probe() -> bool:
        status, _ = get(url)
        return status == http.HTTPStatus.OK

    return probe


def get_json(url: str) -> dict[str, Any]:
    """Fetch a JSON object; an empty one if there is no such answer."""
    _, body = get(url)
    try:
        answer = json.loads(body)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def get(url: str) -> tuple[int, bytes]:
    """Fetch a page: its status, 0 when nobody answers, and its first 64 KiB."""
    try:
        with _direct.open(url, timeout=_SECONDS) as answer:
            return answer.status, answer.read(65536)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(65536)
    except (OSError, ValueError, http.client.HTTPException):
        return 0, b""
