"""
Whether Keycloak keeps a login as long as the shop keeps its session.

Where Keycloak ends first, people are asked to log in again though their session is
still there. Keycloak says how long in every answer to a login; a process that starts
later compares with the last of them, before anybody logs in.
"""

import logging
from typing import Any

from django.conf import settings

from mario.identity import shared

logger = logging.getLogger(__name__)

_NAME = "sso-idle"
_KEPT = 30 * 24 * 3600
# Seconds; Keycloak counts from the login, not from its answer.
_TOLERANCE = 120


class _State:
    compared = 0


def learn(token_response: dict[str, Any]) -> None:
    """Take `refresh_expires_in` of a login's tokens: the realm's SSO Session Idle."""
    seconds = token_response.get("refresh_expires_in")
    # 0 is a token that never ends, or none at all.
    if type(seconds) is not int or seconds <= 0 or seconds == _State.compared:
        return
    shared.write(_NAME, str(seconds).encode(), seconds=_KEPT)
    _compare(seconds)


def check() -> None:
    """Warn when a process starts, if the realm's last word was too short a time."""
    raw = shared.read(_NAME) or b""
    if raw.isdigit():
        _compare(int(raw))


def forget() -> None:
    _State.compared = 0


def _compare(seconds: int) -> None:
    # Once for each thing that Keycloak says, not with every login.
    _State.compared = seconds
    wanted = settings.SESSION_COOKIE_AGE
    if seconds < wanted - _TOLERANCE:
        logger.warning(
            "Keycloak ends a login after %s s without use, this shop after %s s: "
            "people will have to log in again although their session is there. Set "
            "the realm's SSO Session Idle and SESSION_TIMEOUT_HOURS to the same.",
            seconds,
            wanted,
        )
