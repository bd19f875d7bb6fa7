"""
Logins and people whose logins Keycloak has ended, and when: nothing from before counts.

A session that is there ends with its login. But a logout by `sub` names no login, so a
bearer of one that has no session yet would open one afterwards; and a login that is on
its way back from Keycloak would arrive after its own end. The times are Keycloak's own.
"""

from hashlib import sha256

from mario.identity import validator
from mario.identity.compact import Claims
from mario.identity.exceptions import LoginEnded
from sessions_backend import failover
from sessions_backend.stores.base import Stored

# No token that was issued before can live longer.
_KEPT = validator.MAX_LIFETIME + 2 * validator.LEEWAY
_NAMES = ("sid", "sub")


def note(claims: Claims, name: str) -> None:
    """
    Refuse from now on what was issued before, to the `sid` or the `sub` of the claims.

    :raises StorageUnavailable: if Redis is away; it holds in this process, and the
        others hear of it on Redis's return
    """
    raw = str(claims["iat"]).encode()
    failover.store().put(_key(claims, name), raw, _KEPT)


def require_later(claims: Claims) -> None:
    """
    Make sure that a token, and the login it is of, are from after what was noted.

    Within the same second nobody can tell: then they are not.

    :raises LoginEnded: if they are from before
    :raises StorageUnavailable: if it cannot be known now
    """
    since = min(claims["iat"], claims.get("auth_time", claims["iat"]))
    for name in (name for name in _NAMES if name in claims):
        stored = failover.store().load(_key(claims, name))
        ended_at = stored.raw if isinstance(stored, Stored) else b""
        if ended_at.isdigit() and since <= int(ended_at):
            raise LoginEnded("its login was ended since")


def _key(claims: Claims, name: str) -> str:
    label = sha256(f"{claims['iss']}|{name}|{claims[name]}".encode()).hexdigest()
    return f"mario_identity:ended:{label}"
