"""The realms under test: the embedded one always, Keycloak where it can run."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.devrealm.relying_party import Listener, RelyingParty
from tests.realms import DevRealm, Keycloak, RunningRealm

SHOP = "http://localhost:18080"


@pytest.fixture(scope="session")
def listener() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.close()


@pytest.fixture(scope="session")
def realm_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="mario-realms-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def embedded_realm(realm_folder, listener) -> Iterator[DevRealm]:
    with DevRealm(
        realm_folder / "devrealm", shop_url=SHOP, shop_internal_url=listener.url
    ) as running:
        yield running


@pytest.fixture(scope="session")
def real_keycloak(realm_folder, listener) -> Iterator[Keycloak]:
    with Keycloak(
        realm_folder / "keycloak", shop_url=SHOP, shop_internal_url=listener.url
    ) as running:
        yield running


@pytest.fixture(
    params=[
        "embedded_realm",
        pytest.param("real_keycloak", marks=[pytest.mark.keycloak, pytest.mark.slow]),
    ]
)
def realm(request) -> RunningRealm:
    """Either realm: what is claimed of one has to hold for the other."""
    running: RunningRealm = request.getfixturevalue(request.param)
    return running


@pytest.fixture
def party(realm) -> Iterator[RelyingParty]:
    with RelyingParty(realm) as party:
        yield party


@pytest.fixture
def dev_party(embedded_realm) -> Iterator[RelyingParty]:
    with RelyingParty(embedded_realm) as party:
        yield party
