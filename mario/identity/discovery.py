"""
Does the right Keycloak answer? Its discovery document says who it is.

A wrong address or a missing KC_HOSTNAME is found when the process starts, and not by
the first person whose login is refused.
"""

import json
import logging
from http import HTTPStatus

from django.conf import settings

from mario.identity import provider
from mario.identity.exceptions import ProviderUnavailable, WrongProvider

logger = logging.getLogger(__name__)

# Issuers that were confirmed; tests have several.
_confirmed: set[str] = set()


def require_issuer() -> None:
    """
    Make sure, once per process, that Keycloak calls itself the configured issuer.

    No answer is not a wrong one: it is asked again with the next fetch of the keys.

    :raises WrongProvider: if it calls itself another
    """
    if settings.OIDC_OP_ISSUER in _confirmed:
        return
    try:
        issuer = _issuer()
    except ProviderUnavailable as error:
        logger.warning("Keycloak's discovery document cannot be read: %s", error)
        return
    if issuer != settings.OIDC_OP_ISSUER:
        raise WrongProvider(
            f"{settings.OIDC_OP_DISCOVERY_ENDPOINT} is of the issuer "
            f"{str(issuer)[:200]!r}, and this shop's is {settings.OIDC_OP_ISSUER!r}: "
            "compare KEYCLOAK_PUBLIC_URL with Keycloak's own KC_HOSTNAME"
        )
    _confirmed.add(settings.OIDC_OP_ISSUER)


def forget() -> None:
    _confirmed.clear()


def _issuer() -> object:
    answer = provider.call("GET", settings.OIDC_OP_DISCOVERY_ENDPOINT)
    if answer.status != HTTPStatus.OK:
        raise ProviderUnavailable(f"HTTP {answer.status}")
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise ProviderUnavailable("it is not JSON") from error
    if not isinstance(document, dict):
        raise ProviderUnavailable("it is no object")
    return document.get("issuer")
