"""
What a login asks for, told to Keycloak by the shop itself (RFC 9126).

The browser carries only a name for it: nobody on the way can read or change the scope,
where the answer goes, or how it comes.
"""

import json
from http import HTTPStatus
from urllib.parse import parse_qsl, urlencode, urlsplit

from django.conf import settings

from mario.identity import provider, token_endpoint
from mario.identity.exceptions import ProviderUnavailable

_LONGEST = 512


def push(address: str) -> str:
    """
    Return the address to send the browser to in the place of this one.

    :raises ProviderUnavailable: if Keycloak does not take the request
    """
    asked = urlsplit(address)
    answer = provider.call(
        "POST",
        settings.OIDC_OP_PUSHED_ENDPOINT,
        data={**dict(parse_qsl(asked.query)), **token_endpoint.client()},
    )
    if answer.status != HTTPStatus.CREATED:
        raise ProviderUnavailable(f"it takes no pushed requests: HTTP {answer.status}")
    try:
        name = json.loads(answer.body)["request_uri"]
    except (ValueError, RecursionError, TypeError, KeyError) as error:
        raise ProviderUnavailable("it gave a pushed request no name") from error
    if not isinstance(name, str) or len(name) > _LONGEST:
        raise ProviderUnavailable("it gave a pushed request no name")
    query = {"client_id": settings.OIDC_RP_CLIENT_ID, "request_uri": name}
    return asked._replace(query=urlencode(query)).geturl()
