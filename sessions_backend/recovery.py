"""
The way back: one probe at a time, then everything that Redis has missed.

A thread runs while there is something to do, and no longer. It asks for the marker: a
Redis that still bears it was away, and what is missing there was deleted; one that
does not has lost its data, and gets back what this process knows.
"""

import logging
import secrets
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from math import inf

from sessions_backend import budget, conf, health, names
from sessions_backend.breaker import Breaker
from sessions_backend.copies import Copies
from sessions_backend.exceptions import DamagedRecord, StorageUnavailable
from sessions_backend.journal import KEPT_SECONDS, Journal, merged_records
from sessions_backend.signals import outage_began, outage_ended
from sessions_backend.stores.base import Blocking, Replacement, Stored, finish
from sessions_backend.stores.redis import RedisStore

logger = logging.getLogger("sessions_backend")

# Together: Redis's return is noticed within a second.
PROBE_SECONDS = 0.7
PAUSE_SECONDS = 0.25
# What settling one session may take: a Redis that goes away in the midst of it is not
# to be waited for any longer than by a probe.
_STEP_SECONDS = PROBE_SECONDS
# What restoring all may take.
_WORK_SECONDS = 10.0
_LAST_WRITES_SECONDS = 60.0
_LISTEN_SECONDS = 50.0
_MOST_READS = 100
_MOST_MERGES = 16
_MOST_CLOSES = 5


class Recovery:
    def __init__(
        self, redis: RedisStore, breaker: Breaker, copies: Copies, journal: Journal
    ) -> None:
        self._redis = redis
        self._breaker, self._copies, self._journal = breaker, copies, journal
        self._lock = threading.Lock()
        self._restoring = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._is_refusing = False
        self._has_moved = False
        self._marker: bytes | None = None
        # Unix time; None while Redis serves.
        self.away_since: float | None = None
        # The place in the stream of ended keys up to which all were heard.
        self.place: bytes | None = None

    def mark(self) -> None:
        """Learn how to tell this Redis from one that has lost its data."""
        self._marker = finish(self._redis.mark(secrets.token_hex(8).encode()))

    def eviction_policy(self) -> str | None:
        """Return by which rule Redis drops keys when its memory is full, if by any."""
        return finish(self._redis.eviction_policy())

    def is_of_another(self, marker: bytes | None) -> bool:
        return self._marker is not None and marker != self._marker

    def note_emptied_by_hand(self) -> None:
        """Accept that a Redis that was never away holds nothing any more."""
        logger.warning("Redis was emptied; all sessions have ended.")
        self._copies.clear()
        self._marker = None
        with suppress(StorageUnavailable):
            self.mark()

    def note_outage(self, reason: str) -> None:
        """Tell whoever watches that Redis is away, and work at its return."""
        with self._lock:
            is_new = self.away_since is None
            if is_new:
                self.away_since = time.time()
        if is_new:
            health.note("degraded", 1)
            outage_began.send_robust(sender=Recovery, reason=reason)
        self.begin()

    def begin(self) -> None:
        """See to it that a thread works at the return."""
        with self._lock:
            if self._thread is None and not self._stopping.is_set():
                self._thread = threading.Thread(
                    target=self._run, name="sessions-recovery", daemon=True
                )
                self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(PROBE_SECONDS + PAUSE_SECONDS)

    def note_refusal(self, cause: Exception) -> None:
        """Say once that Redis takes no writes; they wait in the journal."""
        if not self._is_refusing:
            self._is_refusing = True
            health.count("refusals_of_writes")
            logger.error("Redis refuses writes: %s", cause)

    def note_move(self) -> None:
        """Take notice that another server is Redis now, and look at it soon."""
        self._has_moved = True
        self.begin()

    def _look_at_another_server(self) -> None:
        """
        Count what was written here a moment ago and is not there as it was written.

        A primary answers before it passes a write on. What it does not pass on before
        it is cut off is lost when it comes back as a replica.
        """
        self._has_moved = False
        written = self._copies.written_since(time.monotonic() - _LAST_WRITES_SECONDS)
        with budget.of_seconds(_WORK_SECONDS):
            stored = finish(self._redis.load_many(list(written)))
        lost = 0
        for raw, present in zip(written.values(), stored, strict=True):
            if not isinstance(present, Stored) or present.raw != raw:
                health.count("possibly_lost_writes")
                lost += 1
        logger.log(
            logging.WARNING if lost else logging.INFO,
            "Another server is Redis now: %d of %d sessions that were written here in "
            "the last minute are not there as they were written.",
            lost,
            len(written),
        )

    def restore_lost(self) -> None:
        """
        Give a Redis that has lost its data what this process knows.

        :raises StorageUnavailable: if it goes away again
        """
        with self._restoring, budget.of_seconds(_WORK_SECONDS):
            marker = finish(self._redis.marker())
            if not self.is_of_another(marker):
                return
            self._hear_what_ended()
            since = self._breaker.last_success
            known = self._copies.all(away_since=since)
            present = finish(self._redis.restore(known))
            restored = known.keys() - present
            self._note_restored(restored)
            self._bring_together({key: known[key] for key in present})
            # Whoever was logged out while they were written stays logged out.
            for key in self._hear_what_ended():
                finish(self._redis.remove(key))
            self.mark()
            health.count("restorations")
            logger.warning(
                "Redis has lost its data; %d records of %d known were restored.",
                len(restored),
                len(known),
            )

    def _note_restored(self, keys: Iterable[str]) -> None:
        seen_at = {key: self._copies.seen_at(key) for key in keys}
        finish(self._redis.note_restored(seen_at))

    def _bring_together(self, known: Mapping[str, Stored]) -> None:
        """
        Add to what another process has restored what only this one has seen.

        Nothing tells what was removed between the two, so nothing is. Where both hold
        a value the one that was seen later wins.
        """
        keys = [key for key in known if names.is_record(key)]
        moments = finish(self._redis.restored_at(keys))
        stored = finish(self._redis.load_many(keys))
        for key, moment, present in zip(keys, moments, stored, strict=True):
            if not isinstance(present, Stored) or present.raw == known[key].raw:
                continue
            # What has been written since it came back is later than any copy.
            is_later = moment is not None and moment < self._copies.seen_at(key)
            self._add(key, present, known[key].raw, is_later=is_later)
            if is_later:
                self._note_restored([key])

    def _add(self, key: str, present: Stored, raw: bytes, *, is_later: bool) -> None:
        standing = present.raw
        ttl = max(int(min(present.remaining, KEPT_SECONDS)), 1)
        for _ in range(_MOST_MERGES):
            both = (standing, raw) if is_later else (raw, standing)
            try:
                merged = merged_records(key, None, *both)
            except DamagedRecord:
                return
            outcome = finish(self._redis.replace(key, standing, merged, ttl))
            if isinstance(outcome, Replacement):
                return
            standing = outcome

    def settle_before_exit(self, seconds: float) -> None:
        """Tell Redis what it can still be told before this process ends."""
        if not len(self._journal):
            return
        try:
            self._return(until=time.monotonic() + seconds)
        except StorageUnavailable:
            logger.error(  # noqa: TRY400  # how it failed is known
                "Redis could not be told in time: changes of %d sessions are lost "
                "with this process.",
                len(self._journal),
            )

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._probe()
                self._return()
            except StorageUnavailable:
                pass  # still away, or away again
            except Exception:  # the outermost edge of a thread
                logger.exception("Returning to Redis has failed; trying again.")
            with self._lock:
                is_done = not (
                    self._breaker.is_open or len(self._journal) or self._has_moved
                )
                if is_done:
                    self._thread = None
                    since, self.away_since = self.away_since, None
            if is_done:
                if since is not None:
                    health.note("degraded", 0)
                    outage_ended.send_robust(Recovery, seconds=time.time() - since)
                return
            self._stopping.wait(PAUSE_SECONDS)

    def _probe(self) -> None:
        """
        Find out whether Redis serves as requests need it: a session, in their time.

        A Redis that answers a ping, but not that, would open the breaker again at once.
        """
        with budget.of_seconds(PROBE_SECONDS):
            finish(self._redis.marker())
        key = self._copies.latest()
        if key is not None:
            with budget.of_seconds(conf.load().budget_seconds):
                finish(self._redis.load(key))

    def _return(self, *, until: float = inf) -> None:
        """
        Bring everything back, and let requests ask Redis again.

        :raises StorageUnavailable: if Redis is still away, or away again, or if it
            takes longer than `until`, a moment of the monotonic clock
        """
        was_away = self._breaker.is_open
        with budget.of_seconds(_STEP_SECONDS):
            is_emptied = self.is_of_another(finish(self._redis.marker()))
        if is_emptied:
            self.restore_lost()
        with budget.of_seconds(_STEP_SECONDS):
            if self._marker is None:
                self.mark()
            self._hear_what_ended()
        if self._has_moved:
            self._look_at_another_server()
        self._breaker.close()
        if was_away:
            health.count("returns")
            logger.info("Redis is back.")
        blocking = Blocking(self._redis)
        for key in self._journal.changed_keys():
            if time.monotonic() >= until:
                raise StorageUnavailable("Redis is too slow.")
            with budget.of_seconds(_STEP_SECONDS):
                self._journal.settle(key, blocking, is_emptied=is_emptied)
        if self._is_refusing:
            self._is_refusing = False
            logger.info("Redis takes writes again.")

    def _hear_what_ended(self) -> list[str]:
        """Drop what other processes have ended since this one last heard of it."""
        heard: list[str] = []
        if self.place is None:
            return heard
        for _ in range(_MOST_READS):
            place, keys = finish(self._redis.ended_since(self.place))
            for key in keys:
                self._journal.note_ended(key)
            heard += keys
            if place == self.place:
                break
            self.place = place
        return heard


class Listener:
    """
    Hear at once what other processes have ended, so that no copy outlives it.

    One connection and one thread for a process that serves requests. It waits in a
    blocking read, which costs Redis a command a minute.
    """

    def __init__(
        self, redis: RedisStore, recovery: Recovery, breaker: Breaker, journal: Journal
    ) -> None:
        self._redis = redis
        self._recovery, self._breaker, self._journal = recovery, breaker, journal
        self._stopping = threading.Event()
        self._thread = threading.Thread(
            target=self._run, name="sessions-listener", daemon=True
        )

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        for _ in range(_MOST_CLOSES):
            # More than once: it may be about to connect.
            self._redis.close()
            if (
                not self._thread.is_alive()
                or self._thread is threading.current_thread()
            ):
                return
            self._thread.join(PAUSE_SECONDS / _MOST_CLOSES)

    def interrupt(self) -> None:
        """Let go of a connection that may be dead."""
        self._redis.close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            if self._breaker.is_open:
                self._stopping.wait(PAUSE_SECONDS)
                continue
            try:
                self._listen()
            except StorageUnavailable:
                self._stopping.wait(PAUSE_SECONDS)
            except Exception:  # the outermost edge of a thread
                logger.exception("Listening for ended sessions has failed.")
                self._stopping.wait(_LISTEN_SECONDS)

    def _listen(self) -> None:
        place = self._recovery.place
        if place is None:
            # From here on: what ended before was never copied by this process.
            with budget.of_seconds(PROBE_SECONDS):
                place = finish(self._redis.last_ended())
        while not self._stopping.is_set():
            self._recovery.place = place
            with budget.of_seconds(_LISTEN_SECONDS + 5):
                place, keys = finish(
                    self._redis.ended_since(place, wait_ms=int(_LISTEN_SECONDS * 1000))
                )
            for key in keys:
                self._journal.note_ended(key)
