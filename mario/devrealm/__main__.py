"""
``python -m mario.devrealm --port 8090``: serve the realm until SIGTERM.

One process with threads, on loopback; there is no option for any other address.
"""

import argparse
import os
import socket
import sys
from typing import Any

from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]

from mario.devrealm.environment import RealmRefused, read_environment
from mario.devrealm.realm_file import read_realm_file

_LOOPBACK = "127.0.0.1"
_DEFAULT_PORT = 8090


class _Server(BaseApplication):  # type: ignore[misc]
    def __init__(self, options: dict[str, Any]) -> None:
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        from mario.devrealm.wsgi import application  # noqa: PLC0415 - in the worker

        return application


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m mario.devrealm",
        description="Serve the development realm on loopback (needs DEV_REALM=true).",
    )
    parser.add_argument("--port", type=int, default=_DEFAULT_PORT)
    port = parser.parse_args(arguments).port
    os.environ.setdefault("REALM_URL", f"http://localhost:{port}")
    try:
        environment = read_environment()
        read_realm_file(environment.realm_file, os.environ)
        _refuse_busy(port)
    except RealmRefused as error:
        sys.stderr.write(f"{error}\n")
        return 1
    _Server(
        {
            "bind": f"{_LOOPBACK}:{port}",
            # Faults and failed logins are kept in this one process's memory.
            "workers": 1,
            "worker_class": "gthread",
            "threads": 16,
            "keepalive": 5,
            "graceful_timeout": 3,
            "limit_request_line": 8190,
            "proc_name": "devrealm",
            "loglevel": "warning",
            "control_socket_disable": True,
        }
    ).run()
    return 0


def _refuse_busy(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_LOOPBACK, port))
        except (OSError, OverflowError) as error:
            raise RealmRefused(
                f"The realm cannot listen on port {port} of {_LOOPBACK}: {error}. "
                "Another port is chosen with --port (make: REALM_PORT=)."
            ) from error


if __name__ == "__main__":
    sys.exit(main())
