"""What Keycloak's token endpoint answers, told apart: tokens, a refusal, or nothing."""

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.conf import settings

from mario.identity import not_before, provider
from mario.identity.exceptions import GrantRefused, ProviderUnavailable

type TokenResponse = dict[str, Any]

# RFC 6749 5.2: the code or the refresh token is worth nothing any more. Every other
# refusal speaks of the client or of the server, which somebody will repair.
_FINAL = "invalid_grant"
_LONGEST_ERROR = 64


def ask(
    fields: dict[str, Any],
    *,
    seconds: float | None = None,
    beat: Callable[[], object] = lambda: None,
) -> TokenResponse:
    """
    Redeem a grant; `seconds` and `beat` are `provider.call`'s.

    :raises GrantRefused: if Keycloak says that the grant is worth nothing
    :raises ProviderUnavailable: if it says or does anything else but give tokens
    """
    answer = provider.call(
        "POST",
        settings.OIDC_OP_TOKEN_ENDPOINT,
        data=fields,
        seconds=seconds,
        beat=beat,
    )
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise ProviderUnavailable(f"HTTP {answer.status}")
    content = _object(answer.body)
    if answer.status != HTTPStatus.OK:
        # The description may hold what was sent; the code is safe to log.
        error = str(content.get("error"))[:_LONGEST_ERROR]
        reason = f"the token endpoint said {error!r}"
        if error == _FINAL:
            raise GrantRefused(reason)
        raise ProviderUnavailable(reason)
    if not isinstance(content.get("access_token"), str):
        raise ProviderUnavailable("the token endpoint sent no access_token")
    not_before.learn(content)
    return content


def client() -> dict[str, str]:
    """Who asks: the shop, by its secret."""
    return {
        "client_id": settings.OIDC_RP_CLIENT_ID,
        "client_secret": settings.OIDC_RP_CLIENT_SECRET,
    }


def _object(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ProviderUnavailable("the token endpoint sent no JSON") from error
    if not isinstance(content, dict):
        raise ProviderUnavailable("the token endpoint did not answer an object")
    return content
