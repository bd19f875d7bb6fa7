"""The environment variables the development realm is told by."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_REPOSITORY = Path(__file__).resolve().parents[2]
REALM_FILE = _REPOSITORY / "deployment" / "keycloak" / "pyneuro-realm.json"
_YES = {"1", "true", "yes", "on"}


class RealmRefused(Exception):
    """The realm cannot start; the message is one line for whoever started it."""


@dataclass(frozen=True, kw_only=True)
class Environment:
    """What the realm was told when it was started."""

    public_url: str
    state: Path
    realm_file: Path
    # Without a token there is no control surface at all.
    control_token: str | None


def read_environment(variables: Mapping[str, str] = os.environ) -> Environment:
    """
    Return what the realm was told.

    :raises RealmRefused: if ``DEV_REALM`` is not switched on
    """
    if variables.get("DEV_REALM", "").strip().lower() not in _YES:
        raise RealmRefused(
            "The development realm knows everybody's password. It starts only "
            "where DEV_REALM=true is set."
        )
    return Environment(
        public_url=variables.get("REALM_URL", "http://localhost:8090").rstrip("/"),
        state=Path(variables.get("DEV_REALM_STATE") or "var/devrealm").resolve(),
        realm_file=Path(variables.get("REALM_FILE") or REALM_FILE),
        control_token=variables.get("DEV_REALM_CONTROL") or None,
    )
