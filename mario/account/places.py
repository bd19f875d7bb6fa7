"""Where somebody is logged in: each session with its device, and the end of it."""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User

from mario.account.devices import DEVICE
from mario.identity import login_session, provider
from mario.identity.exceptions import ProviderUnavailable
from sessions_backend import operators
from sessions_backend.operators import Found

logger = logging.getLogger(__name__)

# A person has a handful; more are ended all the same, but not shown.
MOST_SHOWN = 100
# The provider is told of so many of them; its own page ends the others.
_MOST_TOLD = 20


@dataclass(frozen=True)
class Place:
    """One session of a person, without anything that opens it."""

    handle: str
    device: str
    address: str
    since: datetime | None
    seen_at: datetime | None
    is_this: bool


def places_of(user: User, *, this: Any = None) -> list[Place]:
    """
    Return where the user is logged in: `this` session first, then the last seen.

    :raises StorageUnavailable: while Redis is away
    """
    own = getattr(this, "record_name", None)
    found = [_place(one, is_this=one.name == own) for one in operators.of_user(user.pk)]
    found.sort(key=lambda place: (place.is_this, _order(place)), reverse=True)
    return found[:MOST_SHOWN]


def end_one(user: User, handle: str) -> bool:
    """
    End the user's session of this handle; False if there is none.

    :raises StorageUnavailable: while Redis is away
    """
    for found in operators.of_user(user.pk):
        if found.handle == handle:
            is_ended = operators.revoke(found)
            _tell_provider([found])
            return is_ended
    return False


def end_others(user: User, *, this: Any) -> int:
    """
    End every session of the user but `this`, and return how many there were.

    :raises StorageUnavailable: while Redis is away
    """
    own = getattr(this, "record_name", None)
    others = [one for one in operators.of_user(user.pk) if one.name != own]
    count = operators.revoke_all(user.pk, keep=own)
    _tell_provider(others)
    return count


def _tell_provider(ended: list[Found]) -> None:
    """
    End the logins at Keycloak, too: else their browsers come back without a password.

    The sessions here have ended whatever it answers (RFC 7009).
    """
    for found in ended[:_MOST_TOLD]:
        tokens = login_session.section(found.record or {}, login_session.TOKENS)
        token = tokens.get("refresh_token")
        if not isinstance(token, str):
            continue
        try:
            provider.call(
                "POST",
                settings.OIDC_OP_REVOCATION_ENDPOINT,
                data={
                    "token": token,
                    "token_type_hint": "refresh_token",
                    "client_id": settings.OIDC_RP_CLIENT_ID,
                    "client_secret": settings.OIDC_RP_CLIENT_SECRET,
                },
            )
        except ProviderUnavailable as error:
            logger.warning("Keycloak was not told of an ended session: %s", error)
            return


def _place(found: Found, *, is_this: bool) -> Place:
    device = (found.record or {}).get(DEVICE)
    known: dict[str, Any] = device if isinstance(device, dict) else {}
    return Place(
        handle=found.handle,
        device=str(known.get("name") or "An API client"),
        address=str(known.get("address") or ""),
        since=_moment(known.get("since")),
        seen_at=_moment(known.get("seen_at")),
        is_this=is_this,
    )


def _moment(seconds: object) -> datetime | None:
    if type(seconds) is not int or not 0 < seconds < 2**33:  # year 2242
        return None
    return datetime.fromtimestamp(seconds, UTC)


def _order(place: Place) -> float:
    return place.seen_at.timestamp() if place.seen_at else 0.0
