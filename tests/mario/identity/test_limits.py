"""How often one client may ask, and whose address a request has."""

import time
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus

import pytest
from django.test import Client, RequestFactory

from mario.identity import limits
from mario.identity.addresses import client_address, network_of
from sessions_backend import failover
from tests.mario.identity.issuer import Issuer
from tests.mario.identity.test_login import log_in
from tests.mario.identity.test_logout import tell
from tests.servers import wait_until

pytestmark = pytest.mark.django_db

# So long that no test sees one window end and the next begin.
WINDOW = 10_000_000


@pytest.fixture(autouse=True)
def _fresh(settings):
    settings.RATE_LIMITS = dict.fromkeys(settings.RATE_LIMITS, (3, WINDOW))
    limits.forget()
    yield
    limits.forget()


def ask(path: str = "/auth/login", *, address: str = "192.0.2.1", **headers: str):
    return Client().get(path, headers=headers, REMOTE_ADDR=address)


class TestTooMany:
    @pytest.mark.parametrize(
        "path",
        [
            "/auth/login",
            "/auth/register",
            "/auth/callback",
            "/auth/frontchannel-logout",
        ],
    )
    def test_get_a_page_that_says_when_to_come_back(self, issuer: Issuer, path):
        answers = [ask(path).status_code for _ in range(3)]
        answer = ask(path)

        assert HTTPStatus.TOO_MANY_REQUESTS not in answers
        assert answer.status_code == HTTPStatus.TOO_MANY_REQUESTS
        assert 1 <= int(answer["Retry-After"]) <= WINDOW
        assert "no-store" in answer["Cache-Control"]
        assert b"That was very quick." in answer.content

    def test_logout_tokens_are_refused_before_they_are_read(self, issuer: Issuer):
        answers = [tell("nonsense").status_code for _ in range(5)]

        assert answers == [400, 400, 400, 429, 429]

    def test_of_one_address_do_not_hinder_another(self, issuer: Issuer):
        for _ in range(4):
            ask()

        assert ask(address="192.0.2.2").status_code == 302

    def test_addresses_of_one_ipv6_customer_count_together(self, issuer: Issuer):
        for number in range(3):
            ask(address=f"2001:db8:1:2::{number}")

        assert ask(address="2001:db8:1:2:ffff::1").status_code == 429
        assert ask(address="2001:db8:1:3::1").status_code == 302

    def test_count_by_the_person_wherever_they_are(self, client, issuer: Issuer):
        log_in(client, issuer)
        for number in range(3):
            client.get("/auth/login", REMOTE_ADDR=f"192.0.2.{number}")

        answer = client.get("/auth/login", REMOTE_ADDR="192.0.2.99")

        assert answer.status_code == 429

    def test_come_to_an_end(self, issuer: Issuer, settings):
        settings.RATE_LIMITS = {**settings.RATE_LIMITS, "login": (1, 1)}

        assert ask().status_code == 302
        wait_until(lambda: ask().status_code == 302)

    def test_have_the_apis_shape_under_api(self):
        request = RequestFactory().get("/api/account/sessions/")

        answer = limits.too_many_requests(request, 7)

        assert answer.headers["Content-Type"] == "application/json"
        assert b'"code": "too_many_requests"' in answer.content
        assert b'"retry_after_seconds": 7' in answer.content


class TestCounting:
    def test_is_shared_by_all_processes(self, issuer: Issuer):
        for _ in range(3):
            ask()

        # What another process would know: nothing but what is in Redis.
        limits.forget()

        assert ask().status_code == 429

    def test_loses_none_of_many_at_once(self, monkeypatch):
        monkeypatch.setattr(limits, "_SECONDS", 20.0)
        monkeypatch.setattr(limits, "_MOST_WRITERS", 1000)
        limit = limits.Limit(1000, 3600)

        with ThreadPoolExecutor(8) as pool:
            counts = list(
                pool.map(lambda _: limits._count_in_redis("x", limit), range(160))
            )

        assert sorted(counts) == list(range(1, 161))

    def test_leaves_nothing_behind_for_long(self, issuer: Issuer, redis_client):
        ask()

        (key,) = redis_client.keys("mario_identity:limit:*")
        assert 0 < redis_client.ttl(key) <= 2 * WINDOW
        assert "192.0.2.1" not in key

    def test_stops_writing_once_it_is_too_much(self, issuer: Issuer, redis_client):
        for _ in range(10):
            ask()

        (key,) = redis_client.keys("mario_identity:limit:*")
        assert redis_client.get(key).startswith("3:")

    def test_goes_on_in_the_process_while_redis_is_away(self, issuer: Issuer, valkey):
        ask()
        valkey.pause()
        try:
            began = time.monotonic()
            answers = [ask().status_code for _ in range(5)]
            seconds = time.monotonic() - began
        finally:
            valkey.resume()
            wait_until(lambda: not failover.is_degraded(), seconds=20)

        assert answers[-1] == 429
        assert seconds < 3
        assert len(limits._local) == 1

    def test_keeps_a_bounded_number_of_counters(self, monkeypatch):
        monkeypatch.setattr(limits, "_MOST_LOCAL", 10)

        for number in range(50):
            limits._count_here(str(number))

        assert len(limits._local) == 10


class TestAddress:
    def of(self, settings, trusted: list[str], remote: str, forwarded: str) -> str:
        settings.TRUSTED_PROXIES = trusted
        headers = {"X-Forwarded-For": forwarded} if forwarded else {}
        request = RequestFactory().get("/", headers=headers, REMOTE_ADDR=remote)
        return client_address(request)

    @pytest.mark.parametrize(
        ("trusted", "remote", "forwarded", "address"),
        [
            ([], "192.0.2.1", "", "192.0.2.1"),
            # Nobody is believed who was not named.
            ([], "192.0.2.1", "203.0.113.9", "192.0.2.1"),
            (["10.0.0.0/8"], "192.0.2.1", "203.0.113.9", "192.0.2.1"),
            (["10.0.0.0/8"], "10.1.1.1", "203.0.113.9", "203.0.113.9"),
            # What the client wrote itself stands in front.
            (["10.0.0.0/8"], "10.1.1.1", "1.1.1.1, 203.0.113.9", "203.0.113.9"),
            (["10.0.0.0/8"], "10.1.1.1", "203.0.113.9, 10.2.2.2", "203.0.113.9"),
            (["10.0.0.0/8"], "10.1.1.1", "10.3.3.3, 10.2.2.2", "10.3.3.3"),
            (["10.0.0.0/8"], "10.1.1.1", "nonsense", "10.1.1.1"),
            (["10.0.0.0/8"], "10.1.1.1", "", "10.1.1.1"),
            (["::1"], "::1", "2001:db8::1", "2001:db8::1"),
            (["10.0.0.0/8"], "::ffff:10.1.1.1", "203.0.113.9", "203.0.113.9"),
            (["10.0.0.0/8"], "unix", "203.0.113.9", ""),
        ],
    )
    def test_is_what_trusted_proxies_say(
        self, settings, trusted, remote, forwarded, address
    ):
        assert self.of(settings, trusted, remote, forwarded) == address

    def test_of_a_thousand_made_up_hops_costs_ten(self, settings):
        chain = ", ".join(["10.9.9.9"] * 1000)

        assert self.of(settings, ["10.0.0.0/8"], "10.1.1.1", chain) == "10.9.9.9"

    def test_is_counted_by_network(self):
        assert network_of("192.0.2.1") == "192.0.2.1"
        assert network_of("2001:db8:1:2:3::4") == "2001:db8:1:2::/64"
        assert network_of("") == ""
