"""
One reader of the stream for a process, and a bounded queue for each of its pages.

Nobody waits for a slow page: whoever's queue is full is told to look at everything
again, which is always right, since a message only says that something changed.
"""

import asyncio
import json
import logging
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import redis.asyncio
from prometheus_client import Gauge
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from pizzeria.live.telling import SESSION_ENDED

logger = logging.getLogger(__name__)

_BLOCK_MS = 5000
_TIMEOUT_SECONDS = 8.0
_COUNT = 500
_LONGEST_PAUSE_SECONDS = 5.0
_QUEUE_LENGTH = 64
# A page that was away for longer looks at everything again.
_REPLAY_LENGTH = 500
_ID = re.compile(r"\d{1,15}-\d{1,10}")
_START = "0-0"

type StreamId = str
type Fields = dict[str, str]

STREAMS = Gauge("live_streams", "Pages that are open.", multiprocess_mode="livesum")


@dataclass(eq=False)
class Client:
    """One open page: what it hears of, and what it was not sent yet."""

    topics: frozenset[str]
    session: str
    queue: asyncio.Queue[bytes | None] = field(
        default_factory=lambda: asyncio.Queue(_QUEUE_LENGTH)
    )

    def tell(self, frame: bytes) -> None:
        try:
            self.queue.put_nowait(frame)
        except asyncio.QueueFull:
            self._empty()
            self.queue.put_nowait(frame_of("reset"))

    def close(self, *, reason: str, retry_ms: int | None = None) -> None:
        """Say why, and end the stream; what it was not sent yet is left out."""
        self._empty()
        retry = b"" if retry_ms is None else b"retry: %d\n" % retry_ms
        self.queue.put_nowait(retry + frame_of("end", {"reason": reason}))
        self.queue.put_nowait(None)

    def _empty(self) -> None:
        while not self.queue.empty():
            self.queue.get_nowait()


def frame_of(
    event: str, data: object = None, stream_id: StreamId | None = None
) -> bytes:
    """Write a frame of `text/event-stream`."""
    name = f"id: {stream_id}\n" if stream_id else ""
    return f"{name}event: {event}\ndata: {json.dumps(data or {})}\n\n".encode()


class Hub:
    """Reads the stream while there is somebody to tell."""

    def __init__(self, url: str, key: str) -> None:
        self._url = url
        self._key = key
        self._clients: set[Client] = set()
        self._by_topic: defaultdict[str, set[Client]] = defaultdict(set)
        self._reader: asyncio.Task[None] | None = None
        # Any: redis-py types an answer as all that it could be in any mode.
        self._redis: Any = None
        self._position: StreamId | None = None
        self._is_away = False
        self._starting = asyncio.Lock()

    @property
    def clients(self) -> list[Client]:
        return list(self._clients)

    async def join(self, client: Client, after: StreamId | None) -> None:
        """
        Let the client hear of everything from now on, and of what it missed.

        Its first frame says hello: whoever was never here before looks at everything
        once, since their page was made a moment earlier.
        """
        await self._start()
        # From here on nothing is missed; what came before is looked up.
        self._clients.add(client)
        for topic in client.topics:
            self._by_topic[topic].add(client)
        STREAMS.set(len(self._clients))
        position = self._position
        if after is None or position is None:
            client.tell(frame_of("hello", {}, position))
        else:
            await self._replay(client, after, position)
        if self._is_away:
            client.tell(frame_of("away"))

    async def leave(self, client: Client) -> None:
        self._clients.discard(client)
        for topic in client.topics:
            self._by_topic[topic].discard(client)
            if not self._by_topic[topic]:
                del self._by_topic[topic]
        STREAMS.set(len(self._clients))
        if not self._clients:
            await self._stop()

    def close_all(self, *, reason: str, retry_ms: int | None = None) -> None:
        for client in self.clients:
            client.close(reason=reason, retry_ms=retry_ms)

    async def _start(self) -> None:
        async with self._starting:
            if self._reader is not None:
                return
            self._redis = redis.asyncio.Redis.from_url(
                self._url,
                decode_responses=True,
                socket_timeout=_TIMEOUT_SECONDS,
                socket_connect_timeout=2.0,
                retry=Retry(NoBackoff(), 0),
                max_connections=8,
            )
            try:
                self._position = await self._newest()
                self._is_away = False
            except (RedisError, OSError) as error:
                self._note_away(error)
            self._reader = asyncio.create_task(self._read())

    async def _stop(self) -> None:
        async with self._starting:
            if self._clients or self._reader is None:
                return
            reader, self._reader = self._reader, None
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
            if self._redis is not None:
                await self._redis.aclose()
            self._redis = self._position = None

    async def _newest(self) -> StreamId:
        entries = await self._redis.xrevrange(self._key, count=1)
        return str(entries[0][0]) if entries else _START

    async def _read(self) -> None:
        failures = 0
        while True:
            try:
                if self._position is None or failures:
                    await self._resume()
                await self._read_once()
            except (RedisError, OSError) as error:
                failures += 1
                self._note_away(error)
                await asyncio.sleep(min(0.25 * 2**failures, _LONGEST_PAUSE_SECONDS))
            else:
                failures = 0

    async def _read_once(self) -> None:
        assert self._position is not None  # noqa: S101  # `_resume` found it
        answer = await self._redis.xread(
            {self._key: self._position}, count=_COUNT, block=_BLOCK_MS
        )
        for stream_id, fields in _entries(answer):
            self._position = stream_id
            self._dispatch(stream_id, fields)

    async def _resume(self) -> None:
        newest = await self._newest()
        # A Redis that came back empty counts from anew: nobody knows what was missed.
        is_another = self._position is None or _order(newest) < _order(self._position)
        if is_another:
            self._position = newest
        was_away, self._is_away = self._is_away, False
        if was_away:
            logger.info("The live stream is back.")
            for client in self.clients:
                client.tell(frame_of("reset" if is_another else "back"))

    def _note_away(self, error: Exception) -> None:
        if self._is_away:
            return
        self._is_away = True
        logger.warning("The live stream is away: %s", type(error).__name__)
        for client in self.clients:
            client.tell(frame_of("away"))

    def _dispatch(self, stream_id: StreamId, fields: Fields) -> None:
        if fields["event"] == SESSION_ENDED:
            self._end_session(json.loads(fields["data"])["session"])
            return
        frame = _frame(stream_id, fields)
        for client in self._listening(fields):
            client.tell(frame)

    def _listening(self, fields: Fields) -> Iterable[Client]:
        topics = fields["topics"].split(",")
        return set().union(*(self._by_topic.get(topic, ()) for topic in topics))

    def _end_session(self, session: str) -> None:
        for client in self.clients:
            if client.session == session:
                client.close(reason="session-ended")

    async def _replay(self, client: Client, after: str, position: StreamId) -> None:
        missed = await self._missed(after, position)
        if missed is None:
            client.tell(frame_of("reset", {}, position))
            return
        client.tell(frame_of("resumed", {}, after))
        for stream_id, fields in missed:
            if client.topics & set(fields["topics"].split(",")):
                client.tell(_frame(stream_id, fields))

    async def _missed(
        self, after: str, position: StreamId
    ) -> list[tuple[StreamId, Fields]] | None:
        """Look up what came after an id; None, if that cannot be known any more."""
        if not _ID.fullmatch(after) or _order(after) > _order(position):
            return None
        try:
            oldest = await self._redis.xrange(self._key, count=1)
            missed: list[tuple[StreamId, Fields]] = await self._redis.xrange(
                self._key, min=f"({after}", max=position, count=_REPLAY_LENGTH + 1
            )
        except (RedisError, OSError):
            return None
        is_trimmed = not oldest or _order(oldest[0][0]) > _order(after)
        if (is_trimmed and after != _START) or len(missed) > _REPLAY_LENGTH:
            return None
        return missed


def _entries(answer: object) -> list[tuple[StreamId, Fields]]:
    # RESP2 answers a list of pairs, RESP3 a mapping of lists of lists.
    if not answer:
        return []
    if isinstance(answer, dict):
        return [entry for part in answer.values() for entry in part[0]]
    assert isinstance(answer, list)  # noqa: S101  # one of the two
    return [entry for _, entries in answer for entry in entries]


def _order(stream_id: StreamId) -> tuple[int, int]:
    milliseconds, _, number = stream_id.partition("-")
    return int(milliseconds), int(number)


def _frame(stream_id: StreamId, fields: Fields) -> bytes:
    return frame_of(fields["event"], json.loads(fields["data"]), stream_id)
