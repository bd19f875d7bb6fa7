"""One connection, over a pair of sockets: whatever the other side says, and when."""

import asyncio
import socket
import ssl
import time
from typing import Any

import pytest
from redis.exceptions import ConnectionError as ConnectionErrors
from redis.sentinel import Sentinel, SentinelConnectionPool

from sessions_backend.stores import loops, opening, wire
from sessions_backend.stores.loops import LoopTransport, _LoopWire, _Request
from sessions_backend.stores.opening import pool_of
from sessions_backend.stores.transport import Preamble
from sessions_backend.stores.wire import ClosedBeforeReply, Wire
from tests.servers import free_port

PING = b"*1\r\n$4\r\nPING\r\n"
NONSENSE = b"*1\r\n$8\r\nNONSENSE\r\n"
TOLD = Preamble("told", PING, 1)


def soon():
    return time.monotonic() + 10


class Connection:
    """What a wire asks of redis-py's connection."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def disconnect(self) -> None:
        self._sock.close()


@pytest.fixture
def ends():
    own, peer = socket.socketpair()
    with own, peer:
        yield own, peer


@pytest.fixture
def peer(ends):
    return ends[1]


@pytest.fixture
def blocking(ends):
    connection: Any = Connection(ends[0])
    blocking = Wire(connection, ends[0])
    yield blocking
    blocking.close()


class TestABlockingWire:
    def test_is_closed_if_more_is_said_than_was_asked(self, blocking, peer):
        """What is left over would be taken for the answer to the next call."""
        peer.sendall(b"+PONG\r\n+PONG\r\n")

        with pytest.raises(ConnectionError, match="more than it was asked"):
            blocking.exchange(PING, 1, soon())

        assert not blocking.is_open

    @pytest.mark.parametrize("step", ["sendall", "recv"])
    def test_takes_the_end_of_tls_for_a_closed_connection(
        self, blocking, monkeypatch, step
    ):
        class Ended:
            def sendall(self, request):
                self.end("sendall")

            def recv(self, size):
                self.end("recv")

            def end(self, name):
                if name == step:
                    raise ssl.SSLEOFError("EOF occurred in violation of protocol")

        monkeypatch.setattr(blocking, "_sock", Ended())

        with pytest.raises(ClosedBeforeReply, match="EOF occurred"):
            blocking.exchange(PING, 1, soon())

        assert not blocking.is_open

    def test_sends_nothing_when_the_time_is_over(self, blocking, peer):
        with pytest.raises(TimeoutError, match="used up"):
            blocking.exchange(PING, 1, time.monotonic() - 1)

        assert not blocking.is_open
        assert peer.recv(100) == b""

    def test_waits_for_the_rest_of_an_answer_no_longer_than_told(
        self, blocking, peer, monkeypatch
    ):
        peer.sendall(b"$10\r\nhalf")
        clock = iter([0.0, 6.0])
        monkeypatch.setattr(wire, "monotonic", lambda: next(clock))

        with pytest.raises(TimeoutError, match="did not answer in time"):
            blocking.exchange(PING, 1, 5.0)

        assert not blocking.is_open

    def test_is_told_once(self, blocking, peer):
        peer.sendall(b"+OK\r\n+PONG\r\n")
        assert blocking.exchange(PING, 1, soon(), TOLD) == [b"PONG"]
        assert peer.recv(100) == PING * 2

        peer.sendall(b"+PONG\r\n")
        assert blocking.exchange(PING, 1, soon(), TOLD) == [b"PONG"]
        assert peer.recv(100) == PING

    def test_is_told_again_what_was_refused(self, blocking, peer):
        for _ in range(2):
            peer.sendall(b"-ERR not now\r\n+PONG\r\n")
            assert blocking.exchange(PING, 1, soon(), TOLD) == [b"PONG"]
            assert peer.recv(100) == PING * 2


class Writer:
    """A writer of asyncio's that remembers what was written."""

    def __init__(self) -> None:
        self.written = b""
        self.aborted = 0
        self.transport = self

    def write(self, request: bytes) -> None:
        self.written += request

    def abort(self) -> None:
        self.aborted += 1


async def in_a_loop(said, *, is_over=False):
    """Return a wire whose other side has said something, and where it writes to."""
    reader, writer = asyncio.StreamReader(), Writer()
    reader.feed_data(said)
    if is_over:
        reader.feed_eof()
    as_writer: Any = writer
    return _LoopWire(reader, as_writer), writer


class TestAWireInAnEventLoop:
    @pytest.mark.parametrize(
        ("said", "error"), [(b"", ClosedBeforeReply), (b"$10\r\nhalf", ConnectionError)]
    )
    def test_tells_an_idle_end_from_one_within_an_answer(self, said, error):
        async def run():
            wire, writer = await in_a_loop(said, is_over=True)
            with pytest.raises(ConnectionError) as ended:
                await wire.exchange(PING, 1)
            assert type(ended.value) is error
            assert not wire.is_open
            wire.close()
            assert writer.aborted == 1

        asyncio.run(run())

    def test_is_closed_if_a_request_is_cancelled(self):
        async def run():
            wire, _ = await in_a_loop(b"$10\r\nhalf")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await wire.exchange(PING, 1)
            assert not wire.is_open

        asyncio.run(run())

    @pytest.mark.parametrize("answer", [b"+OK\r\n", b"-ERR not now\r\n"])
    def test_is_told_again_only_what_was_refused(self, answer):
        async def run():
            wire, writer = await in_a_loop(answer + b"+PONG\r\n")
            assert await wire.exchange_after(_Request(PING, 1, TOLD)) == [b"PONG"]
            assert writer.written == PING * 2
            is_refused = answer.startswith(b"-")
            wire._incoming.feed_data(answer * is_refused + b"+PONG\r\n")
            assert await wire.exchange_after(_Request(PING, 1, TOLD)) == [b"PONG"]
            assert writer.written == PING * (4 if is_refused else 3)

        asyncio.run(run())


class TestATransportInAnEventLoop:
    @pytest.fixture
    def transport(self, settings):
        return LoopTransport(pool_of(settings.SESSION_CACHE_ALIAS))

    def connections(self, redis_client):
        return redis_client.info("stats")["total_connections_received"]

    def test_keeps_one_connection(self, transport, redis_client):
        async def run():
            await transport.exchange((("", PING),), soon(), True)
            before = self.connections(redis_client)
            await transport.exchange((("", PING),), soon(), True)
            assert self.connections(redis_client) == before

        asyncio.run(run())

    @pytest.mark.parametrize("is_repeatable", [True, False])
    def test_replaces_one_that_was_closed_while_idle(
        self, transport, redis_client, is_repeatable
    ):
        async def run():
            await transport.exchange((("", PING),), soon(), True)
            redis_client.client_kill_filter(_type="normal", skipme=True)
            if is_repeatable:
                said = await transport.exchange((("", PING),), soon(), True)
                assert said == [b"PONG"]
            else:
                with pytest.raises(ConnectionError):
                    await transport.exchange((("", PING),), soon(), False)

        asyncio.run(run())
        # What broke is what tells that Redis may have been restarted.
        assert transport.breaks == (1 if is_repeatable else 2)

    def test_closes_one_over_which_redis_has_refused(self, transport, redis_client):
        """Another may lead to a server that does not."""

        async def run():
            before = self.connections(redis_client)
            for _ in range(2):
                await transport.exchange((("", NONSENSE),), soon(), True)
            assert self.connections(redis_client) == before + 2

        asyncio.run(run())

    def test_opens_no_more_than_the_alias_allows(self, transport, monkeypatch):
        monkeypatch.setattr(transport._pool, "max_connections", 1)

        async def run():
            wires = await transport._wires_of_this_loop()
            await transport.exchange((("", PING),), soon(), True)
            # As if another request were using it.
            wire = wires._idle.pop()
            with pytest.raises(ConnectionError, match="All 1 connections"):
                await transport.exchange((("", PING),), soon(), True)
            wire.close()
            assert await transport.exchange((("", PING),), soon(), True) == [b"PONG"]

        asyncio.run(run())

    def test_is_refused_where_nobody_listens(self, transport, monkeypatch):
        settings = {**transport._pool.connection_kwargs, "port": free_port()}
        monkeypatch.setattr(transport._pool, "connection_kwargs", settings)

        async def run():
            with pytest.raises(ConnectionErrors, match="connecting"):
                await transport.exchange((("", PING),), soon(), True)

        asyncio.run(run())
        assert transport.breaks == 1

    def test_asks_the_sentinels_where_redis_is(self, valkey, monkeypatch):
        pool: Any = SentinelConnectionPool("mymaster", Sentinel([]))
        asked = []

        def address(pool, deadline):
            asked.append(pool.service_name)
            return "127.0.0.1", valkey.port

        monkeypatch.setattr(loops, "sentinel_address", address)
        transport = LoopTransport(pool)

        async def run():
            return await transport.exchange((("", PING),), soon(), True)

        assert asyncio.run(run()) == [b"PONG"]
        assert asked == ["mymaster"]

    def test_closes_its_connections_with_their_loop(self, transport, redis_client):
        async def run():
            await transport.exchange((("", PING),), soon(), True)

        before = len(redis_client.client_list())
        for _ in range(3):
            asyncio.run(run())

        assert transport._loops == {}
        assert len(redis_client.client_list()) <= before + 1


class TestTheSocketOfAHandshake:
    """redis-py's parsers read by `recv` or by `recv_into`; one deadline holds."""

    def test_reads_and_writes_before_its_deadline(self, ends):
        own, peer = ends
        timed = opening._DeadlineSocket(own, soon())

        timed.sendall(b"hello")
        peer.sendall(b"answer")

        assert peer.recv(10) == b"hello"
        assert timed.recv(3) == b"ans"
        room = bytearray(3)
        assert timed.recv_into(room) == 3
        assert room == b"wer"

    @pytest.mark.parametrize("word", ["recv", "recv_into", "sendall"])
    def test_does_nothing_after_it(self, ends, word):
        own, peer = ends
        peer.sendall(b"late")
        timed = opening._DeadlineSocket(own, time.monotonic() - 1)

        with pytest.raises(TimeoutError, match="timed out"):
            getattr(timed, word)({"recv": 4}.get(word, bytearray(4)))
