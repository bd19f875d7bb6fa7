"""What every store must do, on every kind of server and way to it."""

from contextlib import ExitStack

import pytest
from django.conf import settings
from django.test import override_settings

from sessions_backend.contract import StoreContract
from sessions_backend.stores.base import Blocking
from sessions_backend.stores.cluster import redis_store
from sessions_backend.stores.loops import LoopTransport
from sessions_backend.stores.threads import BlockingTransport
from tests.servers import Valkey
from tests.sessions_backend.conftest import caches_with
from tests.sessions_backend.opened import Awaited
from tests.sessions_backend.servers.kinds import (
    RedisServer,
    debians_redis,
    newest_redis,
    running_cluster,
)
from tests.sessions_backend.tls import TlsFront, self_signed

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("servers")]

CLUSTER = {"CONNECTION_FACTORY": "sessions_backend.cluster.ConnectionFactory"}


def redis_7_0(folder, stack):
    return stack.enter_context(RedisServer(debians_redis(), folder)).url, {}


def redis_8_2(folder, stack):
    program = newest_redis(folder / "package")
    return stack.enter_context(RedisServer(program, folder)).url, {}


def valkey_9(folder, stack):
    return stack.enter_context(Valkey(folder)).url, {}


def unix_socket(folder, stack):
    socket = folder / "redis.sock"
    arguments = ("--unixsocket", str(socket), "--unixsocketperm", "700")
    stack.enter_context(RedisServer(debians_redis(), folder, *arguments))
    return f"unix://{socket}?db=3", {}


def password(folder, stack):
    server = RedisServer(debians_redis(), folder, "--requirepass", "mamma-mia")
    return stack.enter_context(server).url, {"PASSWORD": "mamma-mia"}


def tls(folder, stack):
    certificate = self_signed(folder, "localhost")
    server = stack.enter_context(RedisServer(debians_redis(), folder))
    front = stack.enter_context(TlsFront(server.port, certificate))
    url = f"rediss://localhost:{front.port}/0"
    return url, {"CONNECTION_POOL_KWARGS": {"ssl_ca_certs": str(certificate)}}


def cluster(folder, stack):
    made = stack.enter_context(running_cluster(debians_redis(), folder))
    return made.urls, CLUSTER


WAYS = [redis_7_0, redis_8_2, valkey_9, unix_socket, password, tls, cluster]


@pytest.fixture(scope="module", params=WAYS, ids=lambda way: way.__name__)
def alias(request, tmp_path_factory):
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp(request.param.__name__)
        url, options = request.param(folder, stack)
        # What is asked here is whether it is done, not how soon: eight threads at once
        # over TLS have taken two seconds on a busy machine.
        with override_settings(
            CACHES=caches_with(url, **options), SESSION_REDIS_BUDGET_MS=20_000
        ):
            yield settings.SESSION_CACHE_ALIAS


class TestBlocking(StoreContract):
    @pytest.fixture
    def store(self, alias):
        store = Blocking(redis_store(alias, BlockingTransport))
        yield store
        store.close()


class TestInAnEventLoop(StoreContract):
    @pytest.fixture
    def store(self, alias):
        awaited = Awaited(redis_store(alias, LoopTransport))
        yield awaited
        awaited.end()
