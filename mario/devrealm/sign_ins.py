"""
Who is signed in to the realm, and with which clients.

A sign-in is what Keycloak calls a user session: its id is the ``sid`` of every
token that comes out of it. Each client that took part has a client session,
and the refresh tokens hang on that.
"""

import hashlib
import secrets
import sqlite3
import time
from dataclasses import dataclass

from mario.devrealm.realm_file import RealmFile, RealmUser
from mario.devrealm.store import Store


@dataclass(frozen=True, kw_only=True)
class SignIn:
    """One person signed in with one browser."""

    sid: str
    user: RealmUser
    auth_time: int
    started_at: float
    # "1" right after a password, "0" when the cookie alone answered.
    acr: str = "0"


class SignIns:
    """Keep the sign-ins within the lifetimes of the realm file."""

    def __init__(self, store: Store, file: RealmFile) -> None:
        self._store = store
        self._users = file.users
        self.idle_seconds = file.seconds("ssoSessionIdleTimeout")
        self.max_seconds = file.seconds("ssoSessionMaxLifespan")

    def begin(self, user: RealmUser) -> tuple[SignIn, str]:
        """Return the new sign-in and the cookie value that leads to it."""
        self._forget_ended()
        cookie, now = secrets.token_urlsafe(32), time.time()
        sign_in = SignIn(
            sid=secrets.token_urlsafe(18),
            user=user,
            auth_time=int(now),
            started_at=now,
            acr="1",
        )
        self._store.change(
            "INSERT INTO sign_in VALUES (:sid, :cookie, :sub, :auth_time, :now, :now)",
            sid=sign_in.sid,
            cookie=_digest(cookie),
            sub=user.sub,
            auth_time=sign_in.auth_time,
            now=now,
        )
        return sign_in, cookie

    def authenticated_again(self, sid: str) -> None:
        """Remember that the person has just given the password once more."""
        self._store.change(
            "UPDATE sign_in SET auth_time = :now WHERE sid = :sid",
            sid=sid,
            now=int(time.time()),
        )

    def of_cookie(self, cookie: str | None) -> SignIn | None:
        if not cookie:
            return None
        return self._active(
            self._store.row(
                "SELECT * FROM sign_in WHERE cookie = :cookie", cookie=_digest(cookie)
            )
        )

    def of_sid(self, sid: str) -> SignIn | None:
        return self._active(
            self._store.row("SELECT * FROM sign_in WHERE sid = :sid", sid=sid)
        )

    def of_user(self, sub: str) -> list[SignIn]:
        rows = self._store.rows("SELECT * FROM sign_in WHERE sub = :sub", sub=sub)
        return [sign_in for row in rows if (sign_in := self._active(row))]

    def seen(self, sid: str) -> None:
        """Start the idle time anew."""
        self._store.change(
            "UPDATE sign_in SET seen_at = :now WHERE sid = :sid",
            sid=sid,
            now=time.time(),
        )

    def seconds_left(self, sign_in: SignIn) -> int:
        """Return how long a refresh token given out now can be of use."""
        age = time.time() - sign_in.started_at
        return int(min(self.idle_seconds, self.max_seconds - age))

    def attach(self, sid: str, client_id: str) -> None:
        self._store.change(
            "INSERT OR IGNORE INTO client_session VALUES (:sid, :client_id, :now)",
            sid=sid,
            client_id=client_id,
            now=time.time(),
        )

    def is_attached(self, sid: str, client_id: str) -> bool:
        return client_id in self.clients(sid)

    def detach(self, sid: str, client_id: str) -> None:
        """End one client's part of the sign-in, its refresh tokens with it."""
        self._store.change(
            "DELETE FROM client_session WHERE sid = :sid AND client_id = :client_id",
            sid=sid,
            client_id=client_id,
        )

    def clients(self, sid: str) -> list[str]:
        rows = self._store.rows(
            "SELECT client_id FROM client_session WHERE sid = :sid", sid=sid
        )
        return [row["client_id"] for row in rows]

    def end(self, sid: str) -> bool:
        """Forget the sign-in; return whether it was this call that ended it."""
        changed = self._store.change("DELETE FROM sign_in WHERE sid = :sid", sid=sid)
        return bool(changed)

    def _active(self, row: sqlite3.Row | None) -> SignIn | None:
        if row is None:
            return None
        user, now = self._users.get(row["sub"]), time.time()
        idle_ends = row["seen_at"] + self.idle_seconds
        all_ends = row["started_at"] + self.max_seconds
        if user is None or not user.is_enabled or now >= min(idle_ends, all_ends):
            return None
        return SignIn(
            sid=row["sid"],
            user=user,
            auth_time=row["auth_time"],
            started_at=row["started_at"],
        )

    def _forget_ended(self) -> None:
        self._store.change(
            "DELETE FROM sign_in WHERE seen_at < :idle OR started_at < :oldest",
            idle=time.time() - self.idle_seconds,
            oldest=time.time() - self.max_seconds,
        )


def _digest(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()
