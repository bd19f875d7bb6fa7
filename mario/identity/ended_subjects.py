"""
People whose every login was ended, and when: what was issued before is refused.

A logout by `sub` names no login. Those that have a session here end with it; a bearer
of one that has none yet would open one afterwards. Both times are Keycloak's own.
"""

from hashlib import sha256

from mario.identity import validator
from mario.identity.compact import Claims
from mario.identity.exceptions import InvalidToken
from sessions_backend import failover
from sessions_backend.stores.base import Stored

# No token that was issued before can live longer.
_KEPT = validator.MAX_LIFETIME + 2 * validator.LEEWAY


def note(issuer: str, subject: str, *, ended_at: int) -> None:
    """
    Refuse from now on what was issued to the subject up to that moment.

    :raises StorageUnavailable: if Redis is away; it holds in this process, and the
        others hear of it on Redis's return
    """
    raw = str(ended_at).encode()
    failover.store().put(_key(issuer, subject), raw, _KEPT)


def require_later(claims: Claims) -> None:
    """
    Make sure that the token, and the login it is of, are from after the logout.

    :raises InvalidToken: if they are not
    :raises StorageUnavailable: if it cannot be known now
    """
    stored = failover.store().load(_key(claims["iss"], claims["sub"]))
    if not isinstance(stored, Stored) or not stored.raw.isdigit():
        return
    ended_at = int(stored.raw)
    # Within the same second nobody can tell which was first: a token is refused, and
    # the next one of that login is not.
    if claims["iat"] <= ended_at or claims.get("auth_time", ended_at) < ended_at:
        raise InvalidToken("all logins of its subject were ended since")


def _key(issuer: str, subject: str) -> str:
    name = sha256(f"{issuer}|{subject}".encode()).hexdigest()
    return f"mario_identity:ended:{name}"
