import pytest

from mario.account import audit
from mario.identity import jwks, not_before, refresh
from sessions_backend import failover
from tests.mario.identity.issuer import DISCOVERY, Issuer


@pytest.fixture(autouse=True)
def _fresh_process():
    """Forget what this process knows of former tests, as a new one would."""
    failover.reset()
    audit.forget()
    yield
    refresh.forget_all()


@pytest.fixture
def issuer(settings):
    with Issuer() as running:
        settings.OIDC_OP_ISSUER = running.issuer
        settings.OIDC_OP_JWKS_ENDPOINT = f"{running.url}/certs"
        settings.OIDC_OP_DISCOVERY_ENDPOINT = f"{running.url}{DISCOVERY}"
        settings.OIDC_OP_TOKEN_ENDPOINT = f"{running.url}/token"
        settings.OIDC_OP_AUTHORIZATION_ENDPOINT = f"{running.url}/auth"
        settings.OIDC_OP_LOGOUT_ENDPOINT = f"{running.url}/logout"
        jwks.forget()
        not_before.forget()
        yield running
        jwks.forget()
        not_before.forget()
