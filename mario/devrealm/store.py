"""
What outlives a restart of the realm: keys, sign-ins, codes, refresh tokens.

Plain SQLite, so that the realm needs no tables of the shop's. Each thread has a
connection of its own; every change is one statement, so two requests for the
same code or refresh token cannot both win.
"""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS signing_key (
    kid TEXT PRIMARY KEY, use TEXT NOT NULL, jwk TEXT NOT NULL,
    made_at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS attempt (
    id TEXT PRIMARY KEY, browser TEXT NOT NULL, params TEXT NOT NULL,
    sid TEXT, started_at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS sign_in (
    sid TEXT PRIMARY KEY, cookie TEXT NOT NULL UNIQUE, sub TEXT NOT NULL,
    auth_time INTEGER NOT NULL, started_at REAL NOT NULL, seen_at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS client_session (
    sid TEXT NOT NULL REFERENCES sign_in ON DELETE CASCADE, client_id TEXT NOT NULL,
    started_at REAL NOT NULL,
    PRIMARY KEY (sid, client_id)
);
CREATE TABLE IF NOT EXISTS code (
    code TEXT PRIMARY KEY, client_id TEXT NOT NULL, redirect_uri TEXT NOT NULL,
    scope TEXT NOT NULL, nonce TEXT, code_challenge TEXT NOT NULL,
    code_challenge_method TEXT NOT NULL, sid TEXT NOT NULL, sub TEXT NOT NULL,
    auth_time INTEGER NOT NULL, acr TEXT NOT NULL, issued_at REAL NOT NULL,
    used_at REAL
);
CREATE TABLE IF NOT EXISTS refresh_token (
    jti TEXT PRIMARY KEY, sid TEXT NOT NULL, client_id TEXT NOT NULL,
    scope TEXT NOT NULL, acr TEXT NOT NULL, issued_at REAL NOT NULL, used_at REAL,
    FOREIGN KEY (sid, client_id) REFERENCES client_session ON DELETE CASCADE
);
CREATE TABLE IF NOT EXISTS revoked_access_token (
    jti TEXT PRIMARY KEY, exp INTEGER NOT NULL
);
"""


class Store:
    """The realm's database file."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "devrealm.sqlite3"
        self._connections = threading.local()
        # The private keys are in here.
        self._path.touch(mode=0o600)
        with closing(self._connect()) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(_SCHEMA)

    def change(self, sql: str, **values: Any) -> int:
        """Run one statement and return how many rows it changed."""
        return self._connection().execute(sql, values).rowcount

    def row(self, sql: str, **values: Any) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self._connection().execute(sql, values).fetchone()
        return row

    def rows(self, sql: str, **values: Any) -> list[sqlite3.Row]:
        return self._connection().execute(sql, values).fetchall()

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None
        connection = getattr(self._connections, "connection", None)
        if connection is None:
            connection = self._connections.connection = self._connect()
        return connection

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=5, isolation_level=None)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA foreign_keys = ON")
        # A lost sign-in after a power cut is no loss for a development realm.
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection
