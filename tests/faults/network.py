"""A TCP proxy before Redis: the network's faults, switched while connections live."""

import asyncio
import contextlib
import random
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Self

from tests.servers import free_port

_CHUNK = 65536
# Every packet of one byte costs Python 20 µs: what follows goes in one piece.
_MOST_SLICES = 64
# What Sentinels and replicas say of themselves.
_OF_SERVERS = (b"sentinel", b"replconf", b"psync")


class Link:
    """One client's connection, and the one to the server that belongs to it."""

    def __init__(
        self,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self.from_client, self.to_client = client
        self.from_server, self.to_server = server
        # Whether a Sentinel or a replica speaks on it.
        self.is_of_a_server = False

    async def reply(self, data: bytes) -> None:
        self.to_client.write(data)
        await self.to_client.drain()

    def reset(self) -> None:
        """End with RST in the place of FIN."""
        sock = self.to_client.get_extra_info("socket")
        linger = struct.pack("ii", 1, 0)
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.abort()

    def abort(self) -> None:
        self.to_client.transport.abort()
        self.to_server.transport.abort()

    def close(self) -> None:
        self.to_client.close()
        self.to_server.close()


type Carry = Callable[[Link, bytes], Awaitable[None]]


async def _plainly(link: Link, data: bytes) -> None:
    await link.reply(data)


class Proxy:
    """Passes everything on until told otherwise; `heal` ends each fault."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self.port = free_port()
        # Connections taken since it began.
        self.accepted = 0
        self._links: set[Link] = set()
        self._carry: Carry = _plainly
        self._closing_takes = 0.0
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        # Cleared, nothing is read, from either side.
        self._is_reading = asyncio.Event()
        self._is_reading.set()
        self._swallows = False
        self._parts_servers = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=5)
        self._loop.close()

    # What it can be told ------------------------------------------------------

    def heal(self) -> None:
        self._do(self._be(_plainly))

    def refuse(self) -> None:
        """Be as a host on which nobody listens."""
        self._do(self._refuse())

    def black_hole(self) -> None:
        """Take every byte and answer none, for ever: what came is lost."""
        self._do(self._be(_plainly, swallows=True))

    def hold(self) -> None:
        """Take nothing and answer nothing until healed; then all of it arrives."""
        self._do(self._be(_plainly, is_reading=False))

    def reset_in_mid_reply(self) -> None:
        async def carry(link: Link, data: bytes) -> None:
            await link.reply(data[: max(1, len(data) // 2)])
            link.reset()

        self._do(self._be(carry))

    def truncate(self) -> None:
        async def carry(link: Link, data: bytes) -> None:
            await link.reply(data[: max(1, len(data) // 2)])
            link.close()

        self._do(self._be(carry))

    def slice(self) -> None:
        """Send replies byte by byte."""

        async def carry(link: Link, data: bytes) -> None:
            for position in range(min(len(data), _MOST_SLICES)):
                await link.reply(data[position : position + 1])
                await asyncio.sleep(0)
            await link.reply(data[_MOST_SLICES:])

        self._do(self._be(carry))

    def close_slowly(self, seconds: float) -> None:
        self._do(self._be(_plainly, closing_takes=seconds))

    def delay(self, seconds: float, *, jitter: float = 0) -> None:
        async def carry(link: Link, data: bytes) -> None:
            await asyncio.sleep(seconds + random.uniform(-jitter, jitter))  # noqa: S311
            await link.reply(data)

        self._do(self._be(carry))

    def limit(self, bytes_per_second: int) -> None:
        async def carry(link: Link, data: bytes) -> None:
            step = max(1, bytes_per_second // 20)
            for position in range(0, len(data), step):
                await link.reply(data[position : position + step])
                await asyncio.sleep(0.05)

        self._do(self._be(carry))

    def part_servers(self) -> None:
        """Let no other server get through, Sentinel or replica; clients go on."""
        self._do(self._be(_plainly, parts_servers=True))

    def lose_a_reply(self, words: bytes) -> None:
        """Reset the connection on which a reply with these words comes, once."""

        async def carry(link: Link, data: bytes) -> None:
            if words in data:
                self._carry = _plainly
                link.reset()
            else:
                await link.reply(data)

        self._do(self._be(carry))

    def cut(self) -> None:
        """End every connection once."""

        async def cut() -> None:
            for link in list(self._links):
                link.reset()

        self._do(cut())

    # How it does it -----------------------------------------------------------

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=10)

    async def _be(
        self,
        carry: Carry,
        *,
        swallows: bool = False,
        is_reading: bool = True,
        closing_takes: float = 0.0,
        parts_servers: bool = False,
    ) -> None:
        self._parts_servers = parts_servers
        self._carry = carry
        self._swallows = swallows
        self._closing_takes = closing_takes
        if is_reading:
            self._is_reading.set()
        else:
            self._is_reading.clear()
        await self._listen()

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(
                self._serve, "127.0.0.1", self.port
            )

    async def _refuse(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for link in list(self._links):
            link.abort()

    async def _stop(self) -> None:
        self._is_reading.set()
        await self._refuse()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.accepted += 1
        try:
            server = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            writer.transport.abort()
            return
        link = Link((reader, writer), server)
        self._links.add(link)
        ways = [
            asyncio.create_task(self._requests(link)),
            asyncio.create_task(self._replies(link)),
        ]
        self._tasks.update(ways)
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(self._closing_takes)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            self._tasks.difference_update(ways)
            self._links.discard(link)
            link.close()

    async def _requests(self, link: Link) -> None:
        while data := await link.from_client.read(_CHUNK):
            if any(word in data.lower() for word in _OF_SERVERS):
                link.is_of_a_server = True
            await self._is_reading.wait()
            if not self._is_swallowed(link):
                link.to_server.write(data)
                await link.to_server.drain()

    async def _replies(self, link: Link) -> None:
        while data := await link.from_server.read(_CHUNK):
            await self._is_reading.wait()
            if not self._is_swallowed(link):
                await self._carry(link, data)

    def _is_swallowed(self, link: Link) -> bool:
        return self._swallows or (self._parts_servers and link.is_of_a_server)
