"""RedisStore: sessions in Redis or Valkey (7.0 or newer), one round trip a call."""

import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import lru_cache
from itertools import repeat
from time import monotonic
from typing import Any

import hiredis
from hiredis import ReplyError
from redis.exceptions import RedisError

from sessions_backend import budget as budgets
from sessions_backend import conf, health, names
from sessions_backend.exceptions import StorageUnavailable
from sessions_backend.stores.base import (
    Entry,
    Replacement,
    Rewrite,
    Rotated,
    Stored,
    Unreadable,
)
from sessions_backend.stores.lists import Lists, bulk, pruning
from sessions_backend.stores.scripts import REPLACE, REWRITE, Script
from sessions_backend.stores.transport import Command, Preamble, Transport

logger = logging.getLogger("sessions_backend")

# Its stub takes a tuple of one.
pack: Callable[[tuple[Any, ...]], bytes] = hiredis.pack_command
# Valkey 8.1 and Redis 8.4 know it.
IFEQ = "IFEQ"
# TTL's answer where there is no key.
_MISSING = -2
_SCAN_COUNT = 500
# What is pipelined at most, so that no request of an operator holds up the others.
_BATCH = 1000
# To be filled in with the name of a key.
TTL = b"*2\r\n$3\r\nTTL\r\n%b"
# More logouts than a process could miss while it connects again.
_ENDED_KEPT = 10_000
# Until then every process has given back what it knows.
_SETTLING = 60
_WRITE_REFUSALS = ("OOM", "MISCONF", "READONLY", "NOREPLICAS")


class Refused(RedisError):
    """Redis was reached, and answered with an error."""

    @property
    def is_of_writes_only(self) -> bool:
        return str(self).startswith(_WRITE_REFUSALS)


class RedisStore:
    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.lists = Lists(transport)
        # Until it says otherwise. It costs a third less than the script.
        self.knows_ifeq = True

    def cached(self, key: str) -> Stored | None:
        """Return what is known without asking Redis; the near cache's to answer."""
        return None

    async def load(self, key: str) -> Stored | Unreadable | None:
        most = conf.load().longest_read
        raw, remaining = await self._ask(*reading(key, most), tolerated="WRONGTYPE")
        return loaded(raw, remaining, most)

    async def load_many(self, keys: Sequence[str]) -> list[Stored | Unreadable | None]:
        found: list[Stored | Unreadable | None] = []
        most = conf.load().longest_read
        for batch in _batches(keys):
            commands = [command for key in batch for command in reading(key, most)]
            replies = await self._ask(*commands, tolerated="WRONGTYPE")
            found += map(loaded, replies[::2], replies[1::2], repeat(most))
        return found

    async def create(
        self, key: str, raw: bytes, ttl: int, *, listed_in: str | None = None
    ) -> bool:
        listing = self.lists.adding(key, listed_in, ttl)
        done, *_ = await self._ask(_command("SET", key, raw, "NX", "EX", ttl), *listing)
        if done is None:
            await self._take_off_list(key, listed_in)
            return False
        self.lists.note(listing, key, ttl)
        return True

    async def replace(
        self,
        key: str,
        expected: bytes | None,
        raw: bytes,
        ttl: int,
        *,
        listed_in: str | None = None,
    ) -> Replacement | bytes:
        listing = self.lists.adding(key, listed_in, ttl)
        if expected is None:
            set_it = _command("SET", key, raw, "XX", "EX", ttl)
            done, *_ = await self._ask(set_it, *listing)
            present = None if done is None else raw
        else:
            present = await self._compare_and_set(key, expected, raw, ttl, listing)
        if present == raw:
            # If these bytes stood there before, they are this call's own, sent again
            # after a connection broke before its reply, or another writer's.
            self.lists.note(listing, key, ttl)
            return Replacement.DONE
        if present is not None:
            return present
        await self._take_off_list(key, listed_in)
        return Replacement.GONE

    async def rewrite_many(
        self, changes: Sequence[Rewrite]
    ) -> list[Replacement | bytes]:
        outcomes: list[Replacement | bytes] = []
        for batch in _batches(changes):
            answers = await self._run_many(REWRITE, batch)
            for answer, change in zip(answers, batch, strict=True):
                if answer in {1, change.raw}:
                    # The same bytes: this call's own, sent again, or another's.
                    outcomes.append(Replacement.DONE)
                else:
                    outcomes.append(bytes(answer) if answer else Replacement.GONE)
        return outcomes

    async def renew(self, key: str, ttl: int, *, listed_in: str | None = None) -> bool:
        listing = self.lists.adding(key, listed_in, ttl)
        done, *_ = await self._ask(_command("EXPIRE", key, ttl), *listing)
        if not done:
            await self._take_off_list(key, listed_in)
            return False
        self.lists.note(listing, key, ttl)
        return True

    async def load_renewed(
        self, key: str, ttl: int, *, listed_in: str | None = None
    ) -> Stored | Unreadable | None:
        listing = self.lists.adding(key, listed_in, ttl)
        raw, *_ = await self._ask(
            _command("GETEX", key, "EX", ttl), *listing, tolerated="WRONGTYPE"
        )
        if type(raw) is bytes:
            self.lists.note(listing, key, ttl)
        else:
            await self._take_off_list(key, listed_in)
        return loaded(raw, ttl, conf.load().longest_read)

    async def known(self, key: str) -> bytes | None:
        return None

    async def remove(self, key: str) -> bool:
        count, _ = await self._ask(_command("DEL", key), _announcement(key))
        return bool(count)

    async def remove_many(self, keys: Sequence[str]) -> int:
        count = 0
        for batch in _batches(keys):
            commands = [_command("DEL", key) for key in batch]
            announcements = [_announcement(key) for key in batch]
            replies = await self._ask(*commands, *announcements)
            count += sum(replies[: len(batch)])
        return count

    async def take(self, key: str, *, leaving: Entry | None = None) -> bytes | None:
        raw: bytes | None
        # Not sent twice: the second answer would be "gone" for what the first took.
        *_, raw, _ = await self._ask(*_taking(key, leaving), is_repeatable=False)
        return raw

    async def rotate(
        self,
        key: str,
        goes_on: Entry,
        *,
        leaving: Entry | None = None,
        listed_in: str | None = None,
    ) -> Rotated:
        new, raw, ttl = goes_on
        listing = self.lists.adding(new, listed_in, ttl)
        # Not sent twice, for the same reason.
        done, *_, held, _ = await self._ask(
            _command("SET", new, raw, "NX", "EX", ttl),
            *listing,
            *_taking(key, leaving),
            is_repeatable=False,
        )
        if done is None:
            await self._take_off_list(new, listed_in)
        else:
            self.lists.note(listing, new, ttl)
        return Rotated(held, done is not None)

    async def put(self, key: str, raw: bytes, ttl: int) -> bytes | None:
        former: bytes | None
        former, _ = await self._ask(
            _command("SET", key, raw, "EX", ttl, "GET"), _announcement(key)
        )
        return former

    async def claim(self, key: str, raw: bytes, ttl: int) -> bytes:
        present = await self._ask_one("SET", key, raw, "NX", "EX", ttl, "GET")
        return raw if present is None else bytes(present)

    async def exists(self, key: str) -> bool:
        return bool(await self._ask_one("EXISTS", key))

    async def keys(self, prefix: str, *, limit: int) -> AsyncIterator[str]:
        pattern = "".join(f"\\{sign}" if sign in "\\*?[]" else sign for sign in prefix)
        cursor, seen = b"0", 0
        while True:
            scan = pack(("SCAN", cursor, "MATCH", f"{pattern}*", "COUNT", _SCAN_COUNT))
            ((cursor, found),) = await self._ask(("", scan))
            for key in found:
                if seen == limit:
                    return
                seen += 1
                yield key.decode("utf-8", "replace")
            if cursor == b"0":
                return

    async def listed(self, list_key: str) -> list[str]:
        # Whoever looks is to find what is renewed from now on.
        self.lists.forget()
        now = int(time.time())
        _, found = await self._ask(
            pruning(list_key, now),
            _command("ZRANGE", list_key, f"({now}", "+inf", "BYSCORE"),
        )
        return [name.decode("utf-8", "replace") for name in found]

    async def unlist(self, list_key: str, names: Sequence[str]) -> None:
        self.lists.forget()
        for batch in _batches(names):
            await self._ask_one("ZREM", list_key, *batch)

    async def ping(self) -> None:
        """
        Ask Redis whether it serves.

        :raises StorageUnavailable: caused by `Refused` if Redis answers, and says no
        """
        await self._ask(("", pack(("PING",))))

    async def eviction_policy(self) -> str | None:
        """Return by which rule Redis drops keys when its memory is full, if by any."""
        (told,) = await self._ask(("", pack(("INFO", "memory"))))
        lines = bytes(told).decode("utf-8", "replace").splitlines()
        memory = dict(line.split(":", 1) for line in lines if ":" in line)
        policy = memory.get("maxmemory_policy", "noeviction")
        is_bounded = memory.get("maxmemory", "0") != "0"
        return policy if is_bounded and policy != "noeviction" else None

    def close(self) -> None:
        self.transport.close()

    @property
    def breaks(self) -> int:
        """Return how often a connection turned out broken."""
        return self.transport.breaks

    # For failing over ---------------------------------------------------------

    async def marker(self) -> bytes | None:
        """Return what tells this Redis from one that came back empty."""
        present: bytes | None = await self._ask_one("GET", names.MARKER)
        return present

    async def mark(self, value: bytes) -> bytes:
        """Mark this Redis, unless it is marked; return the mark that it bears."""
        present = await self._ask_one("SET", names.MARKER, value, "NX", "GET")
        return value if present is None else bytes(present)

    async def last_ended(self) -> bytes:
        """Return the place in the stream of ended keys from which to listen."""
        found = await self._ask_one("XREVRANGE", names.ENDED, "+", "-", "COUNT", 1)
        return bytes(found[0][0]) if found else b"0-0"

    async def ended_since(
        self, place: bytes, *, wait_ms: int | None = None
    ) -> tuple[bytes, list[str]]:
        """Return the keys that were ended after `place`, and the place now."""
        waiting = ("BLOCK", wait_ms) if wait_ms else ()
        read = ("XREAD", "COUNT", _BATCH, *waiting, "STREAMS", names.ENDED, place)
        # Who waits is let go of by closing the connection, and is not to wait anew.
        (found,) = await self._ask(
            (names.ENDED, pack(read)), is_repeatable=wait_ms is None
        )
        entries = found[0][1] if found else []
        keys = [fields[1].decode("utf-8", "replace") for _, fields in entries]
        return (bytes(entries[-1][0]) if entries else place), keys

    async def restore(self, records: Mapping[str, Stored]) -> list[str]:
        """Create the records that are missing; return the keys of the others."""
        present: list[str] = []
        # The lists were lost as well.
        self.lists.forget()
        for batch in _batches(list(records.items())):
            replies = await self._ask(
                *(
                    _command("SET", key, raw, "NX", "EX", max(int(remaining), 1))
                    for key, (raw, remaining) in batch
                )
            )
            keys = (key for key, _ in batch)
            present += [
                key for key, reply in zip(keys, replies, strict=True) if reply is None
            ]
        return present

    async def note_restored(self, seen_at: Mapping[str, float]) -> None:
        """Tell the other processes from when that is which was restored."""
        for batch in _batches(list(seen_at.items())):
            await self._ask(
                *(
                    _command(
                        "SET", names.restored_key(key), repr(moment), "EX", _SETTLING
                    )
                    for key, moment in batch
                )
            )

    async def restored_at(self, keys: Sequence[str]) -> list[float | None]:
        """Return from when those records are that another process has restored."""
        moments: list[float | None] = []
        for batch in _batches(keys):
            replies = await self._ask(
                *(_command("GET", names.restored_key(key)) for key in batch)
            )
            moments += [None if reply is None else float(reply) for reply in replies]
        return moments

    async def _compare_and_set(
        self,
        key: str,
        expected: bytes,
        raw: bytes,
        ttl: int,
        listing: Sequence[Command],
    ) -> bytes | None:
        """Set the key if it holds `expected`; return what stands there then."""
        present: bytes | None
        if self.knows_ifeq:
            set_it = _command("SET", key, raw, IFEQ, expected, "EX", ttl)
            done, *_ = await self._ask(set_it, *listing, tolerated="ERR syntax")
            if done is None:
                present = await self._ask_one("GET", key)
                return present
            if type(done) is not ReplyError:
                return raw
            self.knows_ifeq, listing = False, ()
        answer = await self._run(REPLACE, key, expected, raw, ttl, beside=listing)
        present = raw if answer == 1 else answer
        return present

    async def _take_off_list(self, key: str, list_key: str | None) -> None:
        # It was listed on the same trip, before it was known to be missing.
        if list_key is not None:
            await self.unlist(list_key, [names.name_of(key)])

    async def _ask_one(self, name: str, key: str, *arguments: Any) -> Any:
        (reply,) = await self._ask(_command(name, key, *arguments))
        return reply

    async def _run(
        self, script: Script, key: str, *arguments: Any, beside: Sequence[Command]
    ) -> Any:
        call = pack(("EVALSHA", script.sha, 1, key, *arguments))
        reply, *_ = await self._ask((key, call), *beside, tolerated="NOSCRIPT")
        if isinstance(reply, ReplyError):
            # Redis was restarted or its scripts flushed; this also loads it again.
            health.count("reloaded_scripts")
            logger.info("Redis has lost a script; it was given it again.")
            call = pack(("EVAL", script.source, 1, key, *arguments))
            (reply,) = await self._ask((key, call))
        return reply

    async def _run_many(
        self, script: Script, calls: Sequence[tuple[str, *tuple[bytes, ...]]]
    ) -> list[Any]:
        """Run a script for many keys, each with its arguments, in one or two trips."""

        def packed(name: str, what: bytes, key: str, *arguments: bytes) -> Command:
            return key, pack((name, what, 1, key, *arguments))

        answers = await self._ask(
            *(packed("EVALSHA", script.sha, *call) for call in calls),
            tolerated="NOSCRIPT",
        )
        unknown = [
            position
            for position, answer in enumerate(answers)
            if isinstance(answer, ReplyError)
        ]
        again = [packed("EVAL", script.source, *calls[place]) for place in unknown]
        replies = await self._ask(*again) if again else []
        for position, reply in zip(unknown, replies, strict=True):
            answers[position] = reply
        return answers

    async def _ask(
        self,
        *commands: Command,
        is_repeatable: bool = True,
        tolerated: str = " ",
        preamble: Preamble | None = None,
    ) -> list[Any]:
        budget = budgets.current()
        if budget.remaining <= 0:
            reason = budget.used_up_by or "The request's time is used up."
            budget.outage = StorageUnavailable(reason)
            raise budget.outage
        started = monotonic()
        try:
            replies = await self.transport.exchange(
                commands, started + budget.remaining, is_repeatable, preamble
            )
        except (RedisError, OSError, hiredis.HiredisError) as error:
            budget.outage = StorageUnavailable(f"Redis cannot be reached: {error}")
            # Without its frames: they hold what was sent.
            raise budget.outage from error.with_traceback(None)
        finally:
            budget.remaining -= monotonic() - started
        for reply in replies:
            if type(reply) is ReplyError and not str(reply).startswith(tolerated):
                budget.outage = StorageUnavailable(f"Redis refuses: {reply}")
                raise budget.outage from Refused(str(reply))
        return replies


def reading(key: str, most: int) -> tuple[Command, Command]:
    """
    Ask for the bytes and, on the same trip, whether their renewal is due.

    GETRANGE costs what GET costs, and brings just enough of what is no session to tell.
    """
    name = bulk(key)
    return (key, getrange(most) % name), (key, TTL % name)


def loaded(raw: Any, remaining: Any, most: int) -> Stored | Unreadable | None:
    """Return what the two replies say of a record of at most so many bytes."""
    if type(raw) is not bytes:
        return None if raw is None else Unreadable(str(raw))
    if not raw:
        # What GETRANGE says of a missing key, too; TTL tells the two apart.
        return None if remaining == _MISSING else Unreadable("It is empty.")
    if len(raw) > most:
        return Unreadable(f"It has more than {most} bytes.")
    return Stored(raw, remaining if remaining != -1 else float("inf"))


@lru_cache(maxsize=1)
def getrange(most: int) -> bytes:
    return b"*4\r\n$8\r\nGETRANGE\r\n%b$1\r\n0\r\n" + bulk(most)


def _command(name: str, key: str, *arguments: Any) -> Command:
    return key, pack((name, key, *arguments))


def _taking(key: str, leaving: Entry | None) -> Sequence[Command]:
    taking = _command("GETDEL", key), _announcement(key)
    if leaving is None:
        return taking
    return _command("SET", leaving.key, leaving.raw, "EX", leaving.ttl), *taking


def _announcement(key: str) -> Command:
    """Tell the processes that hold a copy of this key that it is no longer true."""
    add = ("XADD", names.ENDED, "MAXLEN", "~", _ENDED_KEPT, "*", "key", key)
    return names.ENDED, pack(add)


def _batches[Item](items: Sequence[Item]) -> list[Sequence[Item]]:
    return [items[start : start + _BATCH] for start in range(0, len(items), _BATCH)]
