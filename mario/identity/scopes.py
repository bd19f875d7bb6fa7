"""
What a token has to be for, part by part of the API: the table OIDC_API_SCOPES.

A scope says what a client may do in somebody's name; what that person may do is
asked of their permissions, as in the browser.
"""

from django.conf import settings
from rest_framework.request import Request

from mario.identity.authorization import InsufficientScope
from mario.identity.compact import Claims


def require(request: Request, claims: Claims) -> None:
    """
    Make sure that the token is for the address that is asked.

    A part of the API that is not in the table takes no tokens at all.

    :raises InsufficientScope: if the token is for something else
    """
    match = request._request.resolver_match  # noqa: SLF001
    scope = settings.OIDC_API_SCOPES.get(part(match.route if match else ""))
    if scope is None:
        raise InsufficientScope("")
    if scope and scope not in _granted(claims):
        raise InsufficientScope(scope)


def part(route: str) -> str:
    """Return the word after `api/` of a route."""
    api, _, rest = route.partition("/")
    return rest.partition("/")[0] if api == "api" else ""


def _granted(claims: Claims) -> list[str]:
    # RFC 9068, 2.2.3: names with spaces between.
    scope = claims.get("scope")
    return scope.split() if isinstance(scope, str) else []
