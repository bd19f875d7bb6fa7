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

import httpx
import pytest

from tests.devrealm.relying_party import header
from tests.journeys.conftest import record
from tests.journeys.gate import Gate
from tests.journeys.people import Person
from tests.journeys.test_main_job import KEYS
from tests.servers import wait_until
from tests.shop import ROOT, Shop

pytestmark = pytest.mark.slow

PROCESSES = 20
# A busy machine may take long to start so many; what is measured begins later.
PATIENT = 120


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


def generation(store_client, key: str) -> int:
    return int(record(store_client, key)["tokens"]["generation"])


def test_twenty_processes_ask_once_and_all_answer(crowd, gate, store_client, key):
    crowd.go()

    answers = crowd.answers(PROCESSES)

    assert [answer["status"] for answer in answers] == [200] * PROCESSES
    wait_until(lambda: generation(store_client, key) == 2, seconds=PATIENT)
    assert gate.refreshes == [200]


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
    wait_until(lambda: generation(store_client, key) == 2, seconds=PATIENT)
    assert gate.refreshes == [200]


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

    # Nobody hangs: some go on for the grace, and then the realm takes the second use
    # for a thief's.
    assert max(answer["seconds"] for answer in answers) < 20
    assert {answer["status"] for answer in answers} <= {200, 302}
    wait_until(lambda: "tokens" not in record(store_client, key), seconds=PATIENT)
    assert gate.refreshes == [200, 400]
    assert customer.see("/orders/").headers["location"] == "/auth/login?next=/orders/"
    # The person, still known to the realm, comes back without a password.
    assert record(store_client, key)["cart"] == cart
    assert customer.log_in().headers["location"] == "/orders/"
    assert customer.is_logged_in()
    (key,) = store_client.keys(KEYS)
    assert record(store_client, key)["cart"] == cart


@pytest.fixture
def logged_in(shop, visitor, store_client):
    """Log somebody in whose tokens have ended; return them and their session."""

    def log_in(name: str) -> tuple[Person, str]:
        person = visitor(name, shop)
        assert person.log_in().headers["location"] == "/orders/"
        (key,) = store_client.keys(KEYS)
        let_tokens_end(store_client, key)
        return person, key

    return log_in


class TestWhatHappensAtTheRealm:
    def test_a_role_taken_away_ends_with_the_next_tokens(
        self, logged_in, realm, store_client
    ):
        chef, key = logged_in("chef")
        assert chef.see("/kitchen/").status_code == 200
        realm.give_roles("chef", "operator")
        try:
            let_tokens_end(store_client, key)
            assert chef.see("/kitchen/").status_code == 403
            assert record(store_client, key)["user_info"]["roles"].count("chef") == 0
        finally:
            realm.give_roles("chef", "chef", "operator")

        let_tokens_end(store_client, key)
        assert chef.see("/kitchen/").status_code == 200

    def test_a_person_switched_off_is_out(self, logged_in, realm, store_client):
        customer, _ = logged_in("customer")
        realm.switch_off("customer")
        try:
            assert not customer.is_logged_in()
            assert store_client.keys(KEYS) == []
        finally:
            realm.switch_on("customer")

        customer.log_in()
        assert customer.is_logged_in()

    def test_a_login_revoked_there_is_over_here(self, logged_in, realm, store_client):
        customer, key = logged_in("customer")
        httpx.post(
            f"{realm.protocol_url}/revoke",
            data={
                "client_id": realm.client_id,
                "client_secret": realm.client_secret,
                "token": record(store_client, key)["tokens"]["refresh_token"],
            },
        ).raise_for_status()

        assert not customer.is_logged_in()

    def test_a_login_that_has_expired_there_is_over_here(
        self, logged_in, realm, store_client
    ):
        customer, _ = logged_in("customer")

        with realm.expired_sign_ins():
            assert not customer.is_logged_in()
            assert store_client.keys(KEYS) == []

        customer.log_in()
        assert customer.is_logged_in()

    def test_an_administrator_signs_somebody_out(
        self, logged_in, realm, store_client, shop
    ):
        driver, key = logged_in("driver")
        token = record(store_client, key)["tokens"]["access_token"]

        realm.sign_out("driver")

        # By the back channel, without a request of theirs.
        wait_until(lambda: not store_client.exists(key), seconds=PATIENT)
        headers = {"Authorization": f"Bearer {token}"}
        answer = httpx.get(f"{shop.url}/api/orders/", headers=headers, timeout=20)
        assert answer.status_code == 401
        assert not driver.is_logged_in()

    def test_new_keys_are_taken(self, logged_in, realm, store_client):
        customer, key = logged_in("customer")
        former = record(store_client, key)["tokens"]["access_token"]

        realm.rotate_keys()

        # New keys are asked for twice a minute at most; nobody notices meanwhile.
        assert customer.is_logged_in()
        wait_until(lambda: generation(store_client, key) == 2, seconds=PATIENT)
        new = record(store_client, key)["tokens"]["access_token"]
        assert header(new)["kid"] != header(former)["kid"]
        assert customer.is_logged_in()

    def test_tokens_are_renewed_again_and_again(self, logged_in, gate, store_client):
        customer, key = logged_in("customer")

        for _ in range(3):
            let_tokens_end(store_client, key)
            assert customer.is_logged_in()

        assert generation(store_client, key) == 4
        assert gate.refreshes == [200] * 3
