"""The variables that the demo's children, and commands beside it, are given."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from mario.demo.folders import Folders
from mario.demo.options import Options

_PRIVATE = 0o600


def of_the_shop(
    options: Options, folders: Folders, given: Mapping[str, str]
) -> dict[str, str]:
    """
    Make the shop's settings; what the person set in the environment wins.

    Neither `.env` nor `var/demo.env` can, or the shop would look for its servers
    in another place than the demo starts them.
    """
    realm_url = options.realm_url or f"http://localhost:{options.realm_port}"
    starts_devrealm = not (options.realm_url or options.uses_keycloak)
    settings = {
        "REDIS_URL": f"redis://127.0.0.1:{options.valkey_port}/0",
        "DATABASE_URL": f"sqlite:///{folders.database}",
        "KEYCLOAK_SERVER_URL": realm_url,
        "KEYCLOAK_PUBLIC_URL": realm_url,
        "KEYCLOAK_REALM": "pyneuro",
        "APP_URL": options.shop_url,
        "LIVE_URL": options.live_url,
        "LIVE_ORIGINS": f"http://localhost:{options.copy_port}",
        "ALLOWED_HOSTS": "localhost,127.0.0.1",
        "DEV_REALM": "true" if starts_devrealm else "false",
        "DEBUG": "false",
    }
    chosen = {name: given[name] for name in settings if given.get(name)}
    settings |= chosen
    settings["SECRET_KEY"] = given.get("SECRET_KEY") or secret_key(folders.secret_key)
    return settings


def of_the_realm(options: Options, folders: Folders) -> dict[str, str]:
    """Fill the placeholders of the realm file, so that its addresses follow ports."""
    return {
        "DEV_REALM": "true",
        "DEV_REALM_STATE": str(folders.realm),
        "REALM_URL": f"http://localhost:{options.realm_port}",
        "SHOP_URL": options.shop_url,
        "SHOP_COPY_URL": f"http://localhost:{options.copy_port}",
        "SHOP_INTERNAL_URL": options.shop_url,
    }


def of_children(extra: Mapping[str, str]) -> dict[str, str]:
    return {**os.environ, "PYTHONUNBUFFERED": "1", **extra}


def secret_key(file: Path) -> str:
    """Read the key that signs cookies; make it once, readable by its owner only."""
    if file.exists() and (key := file.read_text().strip()):
        return key
    key = secrets.token_urlsafe(50)
    _write_private(file, f"{key}\n")
    return key


def write(file: Path, settings: Mapping[str, str]) -> None:
    """Leave the settings to the commands that are run beside the demo."""
    lines = [f"{name}='{value}'\n" for name, value in settings.items()]
    note = "# Written by the running demo and removed when it ends.\n"
    _write_private(file, note + "".join(lines))


def read(file: Path) -> dict[str, str]:
    lines = file.read_text().splitlines()
    pairs = [line.partition("=") for line in lines if not line.startswith("#")]
    return {name: value.strip("'") for name, _, value in pairs}


def _write_private(file: Path, text: str) -> None:
    # A file beside it and a rename: nobody reads half of it, or reads it at all
    # before its mode is set.
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _PRIVATE)
    with os.fdopen(descriptor, "w") as output:
        output.write(text)
    draft.replace(file)
