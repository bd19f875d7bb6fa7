"""
The realm's not-before policy: tokens from before that moment are revoked.

Keycloak says it in every token response, so the shop knows it from the next login or
refresh on; all processes share it.
"""

import time
from typing import Any

from mario.identity import shared
from mario.identity.compact import Claims
from mario.identity.exceptions import InvalidToken

# Seconds between two looks at what the others know.
_PAUSE = 5
# No token lives longer.
_KEPT = 24 * 3600
_NAME = "not-before"


class _State:
    moment = 0
    looked_at = float("-inf")


def learn(token_response: dict[str, Any]) -> None:
    """Take `not-before-policy` of a token response; 0 is none, an older one is late."""
    moment = token_response.get("not-before-policy")
    if type(moment) is int and moment > _moment():
        _State.moment = moment
        shared.write(_NAME, str(moment).encode(), seconds=_KEPT)


def require(claims: Claims) -> None:
    """
    Make sure that a token was issued after the moment, as far as it is known.

    :raises InvalidToken: if the realm has revoked it
    """
    if claims["iat"] < _moment():
        raise InvalidToken("the realm has revoked all tokens of that time")


def forget() -> None:
    _State.moment, _State.looked_at = 0, float("-inf")


def _moment() -> int:
    now = time.monotonic()
    if now - _State.looked_at >= _PAUSE:
        _State.looked_at = now
        raw = shared.read(_NAME) or b""
        if raw.isdigit():
            _State.moment = max(_State.moment, int(raw))
    return _State.moment
