"""
How a change gets from a request into the stream, at no cost for the request.

A thread of its own writes to Redis. A request only puts a message into a bounded queue:
however slow or far away Redis is, nobody waits for it and nothing fails.
"""

import atexit
import json
import logging
import os
import queue
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import redis
from django.conf import settings
from prometheus_client import Counter
from redis.backoff import NoBackoff
from redis.retry import Retry

logger = logging.getLogger(__name__)

# The stream is for pages that were away for a moment; the database has the rest.
STREAM_LENGTH = 10_000
_QUEUE_LENGTH = 1000
_BATCH = 100
_TIMEOUT_SECONDS = 1.0
_PAUSE_SECONDS = 1.0
_LAST_WORDS_SECONDS = 1.0

DROPPED = Counter(
    "live_messages_dropped",
    "Changes that open pages were not told because Redis was away.",
)


@dataclass(frozen=True, kw_only=True)
class Message:
    event: str
    topics: frozenset[str]
    data: Mapping[str, Any]


class Publisher:
    """The one writer of this process; its thread starts with the first message."""

    def __init__(self) -> None:
        self._queue: queue.Queue[Message] = queue.Queue(_QUEUE_LENGTH)
        self._lock = threading.Lock()
        self._process: int | None = None
        self._is_away = False

    def publish(self, message: Message) -> None:
        """Leave the message to the thread; return at once."""
        if self._process != os.getpid():
            self._start()
        try:
            self._queue.put_nowait(message)
        except queue.Full:
            DROPPED.inc()

    def _start(self) -> None:
        with self._lock:
            if self._process == os.getpid():
                return
            # After a fork the thread is missing, and what waited is the parent's.
            self._queue = queue.Queue(_QUEUE_LENGTH)
            self._process = os.getpid()
            threading.Thread(target=self._run, daemon=True, name="live").start()
            atexit.register(self._say_last_words)

    def _run(self) -> None:
        client = redis.Redis.from_url(
            str(settings.LIVE_REDIS_URL),
            socket_timeout=_TIMEOUT_SECONDS,
            socket_connect_timeout=_TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        while True:
            batch = self._next_batch()
            try:
                self._write(client, batch)
            except (redis.RedisError, OSError) as error:
                self._note_away(error)
                DROPPED.inc(len(batch))
                time.sleep(_PAUSE_SECONDS)
            else:
                self._note_back()
            finally:
                for _ in batch:
                    self._queue.task_done()

    def _next_batch(self) -> list[Message]:
        batch = [self._queue.get()]
        while len(batch) < _BATCH:
            try:
                batch.append(self._queue.get_nowait())
            except queue.Empty:
                break
        return batch

    def _write(self, client: redis.Redis, batch: list[Message]) -> None:
        with client.pipeline(transaction=False) as pipeline:
            for message in batch:
                pipeline.xadd(
                    settings.LIVE_STREAM_KEY,
                    {
                        "event": message.event,
                        "topics": ",".join(sorted(message.topics)),
                        "data": json.dumps(message.data),
                    },
                    maxlen=STREAM_LENGTH,
                    approximate=True,
                )
            pipeline.execute()

    def _note_away(self, error: Exception) -> None:
        if not self._is_away:
            logger.warning(
                "Open pages are not told of changes: %s", type(error).__name__
            )
        self._is_away = True

    def _note_back(self) -> None:
        if self._is_away:
            logger.info("Open pages are told of changes again.")
        self._is_away = False

    def _say_last_words(self) -> None:
        # A command may end right after its commit.
        deadline = time.monotonic() + _LAST_WORDS_SECONDS
        while self._queue.unfinished_tasks and time.monotonic() < deadline:
            time.sleep(0.01)


publisher = Publisher()
