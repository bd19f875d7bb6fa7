"""What can be chosen, by an option of `manage.py demo` or by a variable of `make`."""

import os
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from mario.demo.errors import DemoFailed

_HIGHEST_PORT = 65535
PORTS = {
    "PORT": (8080, "the shop"),
    "REALM_PORT": (8090, "the login realm"),
    "VALKEY_PORT": (6379, "Valkey"),
    "COPY_PORT": (8081, "the second copy of the shop"),
    "LIVE_PORT": (8083, "the streams of open pages"),
}


@dataclass(frozen=True)
class Options:
    """One start of the demo, every choice made and checked."""

    port: int
    realm_port: int
    valkey_port: int
    copy_port: int
    live_port: int
    uses_keycloak: bool
    # Servers that run already, so that the demo starts none.
    realm_url: str | None
    redis_url: str | None

    @classmethod
    def choose(cls, chosen: Namespace, environ: Mapping[str, str]) -> Self:
        """
        Combine options, then variables, then defaults.

        :raises DemoFailed: if a port or the realm's kind is not one
        """
        ports = {
            name: _port(name, getattr(chosen, name.lower(), None), environ)
            for name in PORTS
        }
        idp = chosen.idp or environ.get("IDP") or "devrealm"
        if idp not in {"devrealm", "keycloak"}:
            raise DemoFailed(f"IDP is {idp!r}: it must be devrealm or keycloak.")
        return cls(
            port=ports["PORT"],
            realm_port=ports["REALM_PORT"],
            valkey_port=ports["VALKEY_PORT"],
            copy_port=ports["COPY_PORT"],
            live_port=ports["LIVE_PORT"],
            uses_keycloak=idp == "keycloak",
            realm_url=environ.get("KEYCLOAK_SERVER_URL", "").rstrip("/") or None,
            redis_url=environ.get("REDIS_URL") or None,
        )

    @property
    def shop_url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def live_url(self) -> str:
        return f"http://localhost:{self.live_port}"


def _port(name: str, chosen: str | None, environ: Mapping[str, str]) -> int:
    default, _ = PORTS[name]
    text = chosen or environ.get(name) or str(default)
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= _HIGHEST_PORT:
        raise DemoFailed(
            f"{name} is {text!r}: it must be a port, 1 to {_HIGHEST_PORT}."
        )
    return int(text)


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options, for the launcher and for Django's `manage.py help`."""
    for name, (default, what) in PORTS.items():
        parser.add_argument(
            f"--{name.lower().replace('_', '-')}",
            metavar="N",
            help=f"Port of {what} ({name}; {default}).",
        )
    parser.add_argument(
        "--idp",
        help="Who does the logins: devrealm, or keycloak for a real one (IDP).",
    )
    parser.add_argument(
        "--end-with-parent",
        action="store_true",
        help="End when the process that started the demo ends.",
    )
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument(
        "--status",
        action="store_true",
        help="Show the running demo: ports, memory, and the store that serves.",
    )
    mode.add_argument(
        "--copy",
        action="store_true",
        help="Start a second copy of the shop beside the running demo.",
    )
    mode.add_argument(
        "--only-keycloak",
        action="store_true",
        help="Start a real Keycloak with the realm, and nothing else.",
    )


def parse(arguments: list[str]) -> Namespace:
    parser = ArgumentParser(
        prog="manage.py demo", description="Start the whole shop on this machine."
    )
    add_arguments(parser)
    return parser.parse_args(arguments)


def from_process(chosen: Namespace) -> Options:
    return Options.choose(chosen, os.environ)
