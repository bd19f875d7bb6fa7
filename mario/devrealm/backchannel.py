"""Telling the clients of a sign-in that it is over."""

import logging
from concurrent.futures import ThreadPoolExecutor, wait

import requests

from mario.devrealm.claims import logout_token_claims
from mario.devrealm.realm_file import RealmClient
from mario.devrealm.runtime import realm
from mario.devrealm.sign_ins import SignIn

log = logging.getLogger(__name__)
# The person who logs out waits this long at most for clients that don't answer.
_PATIENCE_SECONDS = 2.0
_REQUEST_TIMEOUT = (1.0, 5.0)
_senders = ThreadPoolExecutor(max_workers=8, thread_name_prefix="backchannel")


def notify(sign_in: SignIn, clients: list[RealmClient]) -> None:
    """
    POST a logout token to every client that has an address for it.

    A client that refuses or does not answer is logged, never retried: that is
    Keycloak's way, too.
    """
    deliveries = [
        _senders.submit(_deliver, sign_in, client)
        for client in clients
        if client.backchannel_logout_url
    ]
    wait(deliveries, timeout=_PATIENCE_SECONDS)


def _deliver(sign_in: SignIn, client: RealmClient) -> None:
    claims = logout_token_claims(sign_in, client)
    token = realm().keys.sign(claims, typ="logout+jwt")
    try:
        answer = requests.post(
            client.backchannel_logout_url,
            data={"logout_token": token},
            timeout=_REQUEST_TIMEOUT,
            allow_redirects=False,
        )
    except requests.RequestException as error:
        log.warning(
            "Back-channel logout did not reach %s at %s: %s",
            client.client_id,
            client.backchannel_logout_url,
            type(error).__name__,
        )
        return
    log.info("Back-channel logout of %s: %s", client.client_id, answer.status_code)
