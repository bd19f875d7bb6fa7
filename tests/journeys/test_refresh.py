"""Many processes, one login whose tokens have ended: on both realms."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.conftest import record
from tests.journeys.gate import Gate
from tests.journeys.test_main_job import KEYS
from tests.servers import wait_until
from tests.shop import ROOT, Shop

pytestmark = pytest.mark.slow

PROCESSES = 20
# A busy machine may take long to start so many; what is measured begins later.
PATIENT = 60


class Crowd:
    def __init__(self, shop: Shop, folder: Path, session: str, count: int) -> None:
        self.folder = folder
        self.count = count
        folder.mkdir()
        with (folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "tests.journeys.crowd"),
                    *(str(folder), str(count), session),
                ],
                cwd=ROOT,
                env=shop.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until(lambda: self._named("ready") == count, seconds=PATIENT)

    def _named(self, name: str) -> int:
        return len(list(self.folder.glob(f"{name}-*")))

    def go(self, number: int | None = None) -> None:
        (self.folder / ("go" if number is None else f"go-{number}")).touch()

    def kill(self, number: int) -> None:
        os.kill(int((self.folder / f"pid-{number}").read_text()), signal.SIGKILL)

    def answers(self, count: int) -> list[dict[str, Any]]:
        wait_until(lambda: self._named("answer") >= count, seconds=PATIENT)
        return [json.loads(file.read_text()) for file in self.folder.glob("answer-*")]

    def stop(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=10)


@pytest.fixture
def gate(realm) -> Iterator[Gate]:
    with Gate(realm) as gate:
        yield gate


@pytest.fixture
def shop(gate, realm, open_shop) -> Shop:
    shop: Shop = open_shop(
        realm, KEYCLOAK_SERVER_URL=gate.url, KEYCLOAK_PUBLIC_URL=realm.url
    )
    return shop


@pytest.fixture
def customer(shop, visitor, store_client):
    """Somebody logged in, with something in the cart."""
    customer = visitor("customer", shop)
    pizza = customer.browser.get("/api/menu/").json()[0]["id"]
    customer.submit("/cart/add/", pizza=str(pizza), size="small", quantity="3")
    customer.log_in()
    return customer


@pytest.fixture
def key(customer, store_client) -> str:
    (key,) = store_client.keys(KEYS)
    let_tokens_end(store_client, key)
    return str(key)


@pytest.fixture
def crowd(shop, key, tmp_path) -> Iterator[Crowd]:
    crowd = Crowd(
        shop, tmp_path / "crowd", key.removeprefix("mario_session:"), PROCESSES
    )
    yield crowd
    crowd.stop()


def let_tokens_end(store_client, key: str, *, seconds: int = -1) -> None:
    session = record(store_client, key)
    session["tokens"]["expires_at"] = int(time.time()) + seconds
    store_client.set(key, json.dumps(session), keepttl=True)


def test_twenty_processes_ask_once_and_all_answer(crowd, gate, store_client, key):
    crowd.go()

    answers = crowd.answers(PROCESSES)

    assert [answer["status"] for answer in answers] == [200] * PROCESSES
    assert gate.refreshes == [200]
    assert record(store_client, key)["tokens"]["generation"] == 2


def test_nobody_notices_when_the_one_that_asks_is_killed_before_it_asks(
    crowd, gate, store_client, key
):
    gate.holds = "before"
    crowd.go(0)
    assert gate.is_held.wait(30)
    crowd.go()

    crowd.kill(0)
    answers = crowd.answers(PROCESSES - 1)

    assert [answer["status"] for answer in answers] == [200] * (PROCESSES - 1)
    assert gate.refreshes == [200]
    assert record(store_client, key)["tokens"]["generation"] == 2


def test_a_login_is_asked_for_again_when_its_new_tokens_died_with_a_process(
    crowd, gate, store_client, key, customer
):
    cart = record(store_client, key)["cart"]
    gate.holds = "after"
    crowd.go(0)
    assert gate.is_held.wait(30)
    crowd.go()

    crowd.kill(0)
    answers = crowd.answers(PROCESSES - 1)

    # The realm takes the second use for a thief's; nobody hangs.
    assert gate.refreshes == [200, 400]
    assert {answer["status"] for answer in answers} == {302}
    assert {answer["location"] for answer in answers} == {"/auth/login?next=/orders/"}
    assert max(answer["seconds"] for answer in answers) < 20
    # The person, still known to the realm, comes back without a password.
    assert record(store_client, key)["cart"] == cart
    assert customer.log_in().headers["location"] == "/orders/"
    assert customer.is_logged_in()
    (key,) = store_client.keys(KEYS)
    assert record(store_client, key)["cart"] == cart
