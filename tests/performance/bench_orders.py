"""
Orders of 32 people at once, on a real PostgreSQL; then the books are held against it.

    python -m tests.performance.bench_orders [seconds]

gunicorn with two workers of eight threads, a Valkey, and a relay that empties the
outbox into a sink. Beside it: 32 threads that do nothing but write a row and commit it.
"""

import tempfile
import threading
import time
from pathlib import Path

import psycopg

from tests.performance.report import chosen_rounds, say, versions
from tests.performance.rush import check_the_books, order_at_once, shop_for
from tests.pizzeria.sinks import EventSink
from tests.postgresql import PostgreSQL
from tests.servers import Valkey

PEOPLE = 32


def main() -> None:
    seconds = chosen_rounds(60)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (
            PostgreSQL(folder) as server,
            Valkey(folder / "valkey") as valkey,
            EventSink() as sink,
        ):
            say(versions(f"PostgreSQL {_version(server.url)}"))
            shop = shop_for(folder, server.url, valkey, sink).prepare()
            with shop:
                rush = order_at_once(shop, people=PEOPLE, seconds=seconds)
                began = time.monotonic()
                check_the_books(shop, rush, sink)
                drained = time.monotonic() - began
            bare = _bare_inserts(server.url, seconds=min(seconds, 10))
    twice = rush.answers.total() - len(rush.placed)
    say(
        f"{PEOPLE} people for {rush.seconds:.0f} s: {len(rush.placed):,} orders, "
        f"{rush.per_second:.0f} a second; {twice:,} asked for twice and placed once"
    )
    say(f"bare INSERT and commit, {PEOPLE} threads: {bare:,.0f} a second")
    say(f"an order: {bare / rush.per_second:.0f} bare INSERTs")
    say(f"{len(sink.received):,} events sent and all counted in {drained:.0f} s")
    say("no order lost or doubled, sums equal, outbox empty")


def _bare_inserts(url: str, *, seconds: float) -> float:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE bare (id bigserial PRIMARY KEY, total numeric)"
        )
    written = [0] * PEOPLE
    end = time.monotonic() + seconds

    def write(number: int) -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            while time.monotonic() < end:
                connection.execute("INSERT INTO bare (total) VALUES (16.89)")
                written[number] += 1

    threads = [threading.Thread(target=write, args=(x,)) for x in range(PEOPLE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(written) / seconds


def _version(url: str) -> str:
    with psycopg.connect(url) as connection:
        return str(connection.info.parameter_status("server_version")).split()[0]


if __name__ == "__main__":
    main()
