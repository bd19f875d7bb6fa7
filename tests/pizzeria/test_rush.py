"""The benchmark of `make bench`, for a few seconds: what it counts, not how fast."""

import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.performance.rush import check_the_books, order_at_once, shop_for
from tests.pizzeria.sinks import EventSink
from tests.postgresql import PostgreSQL
from tests.servers import Valkey


@pytest.mark.postgresql
@pytest.mark.slow
def test_of_many_orders_at_once_none_is_lost_or_doubled():
    # Not in pytest's own folder, which the server's user may not enter.
    folder = Path(tempfile.mkdtemp(prefix="mario-rush-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        database = stack.enter_context(PostgreSQL(folder))
        valkey = stack.enter_context(Valkey(folder / "valkey"))
        sink = stack.enter_context(EventSink())
        shop = shop_for(folder, database.url, valkey, sink).prepare()
        stack.enter_context(shop)

        rush = order_at_once(shop, people=16, seconds=3)

        assert len(rush.placed) >= 16
        check_the_books(shop, rush, sink)
