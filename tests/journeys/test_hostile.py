"""What is far too large, or comes far too often, through a real server."""

import socket
import sqlite3
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress

import httpx
import pytest

MEGABYTE = "A" * 1_000_000
BACK_CHANNEL = "/auth/backchannel-logout"


@pytest.fixture
def shop(dev_realm, open_shop):
    return open_shop(dev_realm)


def status_of(shop, request: bytes) -> int:
    """
    Send raw bytes and return the answer's status.

    0 if the server closed before all was sent: then its answer may be lost.
    """
    with socket.create_connection(("127.0.0.1", shop.port), timeout=20) as peer:
        with suppress(OSError):
            peer.sendall(request)
        try:
            return int(peer.recv(64).split()[1])
        except (ConnectionError, IndexError):
            return 0


def with_header(path: str, header: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{header}\r\n\r\n".encode()


def test_a_megabyte_of_headers_is_refused_by_the_server(shop):
    many = "\r\n".join(f"X-{number}: {'a' * 900}" for number in range(1000))
    for request in (
        with_header("/api/cart/", f"Authorization: Bearer {MEGABYTE}"),
        with_header("/menu/", f"Cookie: mario_session={MEGABYTE}"),
        with_header("/menu/", f"X-Forwarded-For: {MEGABYTE}"),
        with_header("/menu/", f"{MEGABYTE}: x"),
        with_header("/menu/", many),
        with_header(f"/auth/callback?state=x&code={MEGABYTE}", "Accept: */*"),
    ):
        assert status_of(shop, request) in (0, 400, 414, 431), request[:60]

    assert httpx.get(f"{shop.url}/menu/").status_code == 200
    assert MEGABYTE[:200] not in shop.log


def test_a_bearer_that_the_server_takes_and_no_token_is_refused_as_one(shop):
    token = f"{'A' * 3000}.{'B' * 4000}.{'C' * 500}"

    answer = httpx.get(
        f"{shop.url}/api/cart/", headers={"Authorization": f"Bearer {token}"}
    )

    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert token not in shop.log


def test_a_megabyte_of_logout_token_is_refused(shop):
    body = f"logout_token={MEGABYTE}"
    request = (
        f"POST {BACK_CHANNEL} HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()

    assert status_of(shop, request) in (0, 400, 413)
    assert httpx.get(f"{shop.url}/menu/").status_code == 200
    assert MEGABYTE[:200] not in shop.log


def test_a_flood_of_logout_tokens_is_cut_off_and_the_shop_goes_on(
    shop, visitor, store_client
):
    customer = visitor("customer", shop)
    customer.log_in()
    forged = "e30.e30.c2ln" * 20

    with httpx.Client(base_url=shop.url, timeout=60) as client:

        def post(_: int) -> int:
            answer = client.post(BACK_CHANNEL, data={"logout_token": forged})
            return answer.status_code

        answers: Counter[int] = Counter()
        with ThreadPoolExecutor(8) as pool:
            # 1,200 are allowed in a minute, of which one may end meanwhile.
            while 429 not in answers and answers.total() < 10_000:
                answers += Counter(pool.map(post, range(500)))

    assert answers.keys() == {400, 429}
    assert customer.is_logged_in()
    assert forged not in shop.log
    assert "Traceback" not in shop.log
    with closing(sqlite3.connect(shop.database)) as database:
        (entries,) = database.execute(
            "SELECT count(*) FROM account_auditentry WHERE event = 'token_refused'"
        ).fetchone()
    assert entries < 25
