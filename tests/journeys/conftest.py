"""Real servers for the journeys: Valkey, a realm, and one or two shops."""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.journeys.people import ApiClient, Person
from tests.journeys.windows import Window
from tests.pizzeria.live_server import LiveServer
from tests.realms import DevRealm, Keycloak
from tests.servers import Valkey, free_port
from tests.shop import Shop

REALMS = [
    pytest.param(DevRealm, id="devrealm"),
    pytest.param(
        Keycloak, id="keycloak", marks=[pytest.mark.keycloak, pytest.mark.slow]
    ),
]


@pytest.fixture(scope="session")
def journey_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="mario-journeys-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def ports() -> tuple[int, int]:
    """The shop's port and its copy's: the realm is told both before they start."""
    return free_port(), free_port()


@pytest.fixture(scope="session")
def dev_realm(journey_folder, ports):
    yield from _started(DevRealm, journey_folder, ports)


@pytest.fixture(scope="session", params=REALMS)
def realm(request, journey_folder, ports):
    """The development realm, then the real Keycloak."""
    if request.param is DevRealm:
        yield request.getfixturevalue("dev_realm")
    else:
        yield from _started(request.param, journey_folder, ports)


def _started(kind, journey_folder, ports):
    shop_url, copy_url = (f"http://localhost:{port}" for port in ports)
    folder = journey_folder / kind.__name__.lower()
    with kind(folder, shop_url=shop_url, shop_copy_url=copy_url) as running:
        yield running


@pytest.fixture
def store() -> Iterator[Valkey]:
    """A Valkey that only this journey uses, and may stop."""
    folder = Path(tempfile.mkdtemp(prefix="mario-valkey-"))
    with Valkey(folder, "--appendonly", "yes") as running:
        yield running
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def store_client(store: Valkey) -> Iterator[redis.Redis]:
    with redis.Redis(port=store.port, decode_responses=True) as client:
        yield client


@pytest.fixture(scope="session")
def seeded_database(journey_folder: Path) -> Path:
    """A migrated database with the menu in it, to be copied."""
    folder = journey_folder / "seed"
    folder.mkdir()
    shop = Shop(free_port(), folder, REDIS_ENABLED="false").prepare()
    return shop.database


@pytest.fixture
def open_shop(store, ports, tmp_path, seeded_database) -> Iterator[Callable[..., Shop]]:
    """Make shops on one database, one Valkey and one realm; all are stopped."""
    shops: list[Shop] = []
    shutil.copy(seeded_database, tmp_path)

    def open_shop(realm, *, copy: bool = False, **environment: str) -> Shop:
        shop = Shop(
            ports[1] if copy else ports[0],
            tmp_path,
            **{
                "REDIS_URL": store.url,
                "KEYCLOAK_SERVER_URL": realm.url,
                "KEYCLOAK_REALM": realm.realm,
                "KEYCLOAK_CLIENT_ID": realm.client_id,
                "KEYCLOAK_CLIENT_SECRET": realm.client_secret,
                **environment,
            },
        )
        shops.append(shop)
        return shop.start()

    yield open_shop
    for shop in shops:
        shop.stop()


@pytest.fixture
def open_live_shop(open_shop, tmp_path) -> Iterator[Callable[..., Shop]]:
    """Make a shop with a server of streams beside it, as `make run` does."""
    with ExitStack() as stack:

        def open_live_shop(realm) -> Shop:
            server = LiveServer(str(tmp_path / "pizzeria.sqlite3"), tmp_path)
            shop: Shop = open_shop(realm, LIVE_URL=server.url)
            server.environment |= shop.environment
            stack.enter_context(server)
            return shop

        yield open_live_shop


@pytest.fixture
def visitor() -> Iterator[Callable[..., Person]]:
    people: list[Person] = []

    def visitor(name: str, shop: Shop) -> Person:
        people.append(Person(name, shop))
        return people[-1]

    yield visitor
    for person in people:
        person.browser.close()


@pytest.fixture
def window(browser) -> Iterator[Callable[..., Window]]:
    windows: list[Window] = []

    def window(shop: Shop, **options: Any) -> Window:
        windows.append(Window(browser, shop, **options))
        return windows[-1]

    yield window
    for opened in windows:
        opened.context.close()


@pytest.fixture
def api_client() -> Iterator[Callable[..., ApiClient]]:
    clients: list[ApiClient] = []

    def api_client(shop: Shop, token: str) -> ApiClient:
        clients.append(ApiClient(shop, token))
        return clients[-1]

    yield api_client
    for client in clients:
        client.http.close()


def record(client: redis.Redis, key: str) -> dict[str, Any]:
    """Read a session as an operator does."""
    session: dict[str, Any] = json.loads(str(client.get(key)))
    return session
