"""Where the demo keeps what outlives it."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


class Folders:
    """The demo's `var/`, another folder with `DEMO_VAR`."""

    def __init__(self, var: Path) -> None:
        self.var = var
        self.valkey = var / "valkey"
        self.realm = var / "devrealm"
        self.keycloak = var / "keycloak"
        self.logs = var / "log"
        self.running = var / "run"
        self.secret_key = var / "secret_key"
        # Read by mario.env, so that other commands find the demo's servers.
        self.environment = var / "demo.env"
        self.database = var / "pizzeria.sqlite3"

    def make(self) -> None:
        for folder in (self.valkey, self.realm, self.logs, self.running):
            folder.mkdir(parents=True, exist_ok=True)


def from_process() -> Folders:
    return Folders(ROOT / os.environ.get("DEMO_VAR", "var"))
