"""
StoredSession: what a session knows of its record, and how the two are kept equal.

It remembers the bytes it has loaded. A save names them, so the store can tell whether
another request was faster; then the two are merged, and nothing is lost.

Each step is written once, as a coroutine: `finish` runs it over blocking sockets, an
event loop awaits it. A load and a save are tried without one first, for most requests
ask for nothing else (stores/short_way.py).
"""

import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.contrib.sessions.backends.base import (
    CreateError,
    SessionBase,
    UpdateError,
)
from django.utils.module_loading import import_string

from sessions_backend import (
    conf,
    damaged,
    health,
    lifetimes,
    names,
    record,
    rotation,
    sealing,
)
from sessions_backend.exceptions import (
    ANTICIPATED,
    DamagedRecord,
    StorageUnavailable,
    UnstorableValue,
)
from sessions_backend.lifetimes import Lifetime
from sessions_backend.merge import USER_ID, absorb, merge, without_login
from sessions_backend.record import Record
from sessions_backend.signals import tell_ended
from sessions_backend.stores.base import (
    AsyncStore,
    Entry,
    Replacement,
    Stored,
    Unreadable,
)
from sessions_backend.stores.short_way import ShortWay

_ID_BYTES = 20
# Each lost race means that another writer won one: this many in a row is a fault.
_MOST_MERGES = 64
_LONGEST_TTL = 10 * 365 * 86400
# Within it a renewal would change nothing: Redis counts whole seconds.
_RENEWED_JUST_NOW_SECONDS = 1.0


class StoredSession(SessionBase):
    """The part of the engine that speaks to the store."""

    accessed = False
    _session_cache: Record
    _raw: bytes | None = None
    _remaining: float = 0.0
    _lifetime: Lifetime | None = None
    _listed_for: object = None
    _successor: names.RecordName | None = None
    _is_marked = False
    # A moment of the monotonic clock: when a load has renewed the session, too.
    _renewed_at = float("-inf")

    def __init__(self, session_key: str | None = None) -> None:
        # As SessionBase does, but for its serializer, which records do not use: to
        # look that up is a twentieth of all that a load costs.
        self._session_key = session_key
        self._seals = sealing.seals()

    @property
    def serializer(self) -> Any:
        """What Django's own `encode` and `decode` use, which the engine does not."""
        return import_string(settings.SESSION_SERIALIZER)

    def get_session_cookie_age(self) -> int:
        # As Django has it, from where its settings are not looked up each time.
        return conf.load().age_seconds

    def get_expiry_age(self, **kwargs: Any) -> int:
        age = cut(super().get_expiry_age(**kwargs))
        return self._at_most_until_the_end(age, **kwargs)

    _validate_session_key = staticmethod(names.is_id)

    def _get_new_session_key(self) -> str:
        # Nobody is asked whether it is free: create() finds out on the same trip.
        return secrets.token_hex(_ID_BYTES)

    def _key(self) -> str:
        return names.record_key(self.session_key or "")

    # Reading ------------------------------------------------------------------

    def _get_session(self, no_load: bool = False) -> Record:
        # As SessionBase does, but without an exception for each session that is read.
        self.accessed = True
        if not hasattr(self, "_session_cache"):
            is_new = no_load or self.session_key is None
            self._session_cache = {} if is_new else self.load()
        return self._session_cache

    _session = property(_get_session)

    async def _ensure_loaded(self, store: AsyncStore) -> None:
        if hasattr(self, "_session_cache"):
            return
        self._session_cache = (
            {} if self.session_key is None else await self._load(store)
        )

    def _load_at_once(self, way: ShortWay | None) -> Record | None:
        """Load what is there and in order; None if that is not so, or not known."""
        if way is None or self._session_key is None or hasattr(self, "_session_cache"):
            return None
        key = names.record_key(self._session_key)
        try:
            if conf.load().saves_every_request:
                return self._renewed_at_once(way, key)
            found = way.load(key)
            if found is None:
                return None
            raw, remaining = found
            data, lifetime = self._opened(raw, key)
        except DamagedRecord:
            return None
        if lifetime is not None and lifetime.is_over:
            return None
        self._raw, self._remaining, self._lifetime = raw, remaining, lifetime
        self._listed_for = data.get(USER_ID)
        return data

    def _renewed_at_once(self, way: ShortWay, key: str) -> Record | None:
        known = way.known(key)
        if known is None:
            return None
        data, self._lifetime = self._opened(known, key)
        # How far to renew it, and where it is listed, are in the record.
        self._session_cache = data
        ttl, listed_in = self._ttl(), self._user_list()
        del self._session_cache
        if ttl > 0 and way.renew(key, ttl, known=known, listed_in=listed_in):
            self._raw, self._remaining = known, ttl
            self._listed_for = data.get(USER_ID)
            self._renewed_at = time.monotonic()
            return data
        self._lifetime = None
        return None

    def _opened(self, raw: bytes, key: str) -> tuple[Record, Lifetime | None]:
        """:raises DamagedRecord: if this is no session"""
        data = self._seals.decode(raw, key)
        lifetime = self._take_lifetime(data)
        if "_session_expiry" in data:
            lifetimes.check_expiry(data)
        return data, lifetime

    async def _load(self, store: AsyncStore) -> Record:
        if self.session_key is None:
            return {}
        if conf.load().saves_every_request:
            renewed = await self._load_renewed(store)
            if renewed is not None:
                return renewed
        loaded = await self._read(store)
        if loaded is None:
            self._session_key = None
            return {}
        if hasattr(self, "_session_cache"):
            return loaded[0]
        data, self._raw, self._remaining, self._lifetime = loaded
        self._listed_for = data.get(USER_ID)
        return data

    async def _load_renewed(self, store: AsyncStore) -> Record | None:
        """
        Read the session and move its end on one trip, for it will be moved anyway.

        How far, and in whose list it stands, are in the record: what this process
        knows of it has to be what it still holds. None if that is not so.
        """
        key = self._key()
        known = await store.known(key)
        if known is None or hasattr(self, "_session_cache"):
            return None
        try:
            guess = self._seals.decode(known, key)
            self._lifetime = self._take_lifetime(guess)
            lifetimes.check_expiry(guess)
        except DamagedRecord:
            return None
        self._session_cache = guess
        is_right = False
        try:
            is_right = await self._is_renewed(store, key, known)
        finally:
            if not is_right:
                del self._session_cache
                self._lifetime = None
        return guess if is_right else None

    async def _is_renewed(self, store: AsyncStore, key: str, known: bytes) -> bool:
        ttl, listed_in = self._ttl(), self._user_list()
        if ttl <= 0:
            return False
        stored = await store.load_renewed(key, ttl, listed_in=listed_in)
        if isinstance(stored, Stored) and stored.raw == known:
            self._note_stored(known, ttl)
            self._renewed_at = time.monotonic()
            return True
        user_id = self._session_cache.get(USER_ID)
        if listed_in is not None and self._user_of(stored, key) != user_id:
            await store.unlist(listed_in, [names.name_of(key)])
        return False

    def _user_of(self, stored: Stored | Unreadable | None, key: str) -> object:
        if not isinstance(stored, Stored):
            return None
        try:
            return self._seals.decode(stored.raw, key).get(USER_ID)
        except DamagedRecord:
            return None

    async def _read(
        self, store: AsyncStore
    ) -> tuple[Record, bytes, float, Lifetime | None] | None:
        key = self._key()
        stored = await store.load(key)
        if stored is None:
            return await self._read_superseded(store)
        if isinstance(stored, Unreadable):
            damaged.note_unreadable(key, stored.reason)
            return None
        raw, remaining = stored.raw, stored.remaining
        try:
            data, lifetime = self._opened(raw, key)
        except DamagedRecord as error:
            await damaged.set_aside(store, key, raw, str(error))
            return None
        if lifetime is not None and lifetime.is_over:
            return None
        return data, raw, remaining, lifetime

    async def _read_superseded(
        self, store: AsyncStore
    ) -> tuple[Record, bytes, float, Lifetime | None] | None:
        """Read what an id that was just rotated may still see: nothing of a login."""
        left = await rotation.left_behind(store, self._key(), self._seals)
        if left is None:
            return None
        self._successor = left.name
        return left.data, self._seals.encode(left.data, self._key()), float("inf"), None

    async def _still_holds(self, store: AsyncStore, name: str) -> bool:
        await self._ensure_loaded(store)
        if self.session_key is None or name not in self._session_cache:
            return False
        loaded = await self._read(store)
        held = loaded[0] if loaded else {}
        if self._successor is not None:
            try:
                _, held = await self._read_successor(store)
            except UpdateError:
                return False
        return name in held and held[name] == self._session_cache[name]

    # Writing ------------------------------------------------------------------

    def _save_at_once(self, way: ShortWay | None) -> bool:
        """Save what nobody else is in the way of; False if that is not so."""
        if (
            way is None
            or self._successor is not None
            or not hasattr(self, "_session_cache")
        ):
            return False
        is_new = self._session_key is None
        if is_new:
            self._session_key = self._get_new_session_key()
        is_saved = False
        try:
            is_saved = self._is_written(way, is_new=is_new)
        except ANTICIPATED:
            # The long way leaves out the frames, which hold the session.
            pass
        finally:
            if is_new and not is_saved:
                self._session_key = None
        return is_saved

    def _is_written(self, way: ShortWay, *, is_new: bool) -> bool:
        raw, ttl = self._encoded(), self._ttl()
        if raw == self._raw:
            return ttl == self._remaining and self._was_just_renewed()
        if ttl <= 0:
            return False
        if is_new:
            is_done = way.create(self._key(), raw, ttl, listed_in=self._user_list())
            self._is_marked = is_done or self._is_marked
        else:
            is_done = self._raw is not None and way.replace(
                self._key(), self._raw, raw, ttl, listed_in=self._new_user_list()
            )
        if is_done:
            self._note_stored(raw, ttl)
        return is_done

    async def _create(self, store: AsyncStore) -> None:
        while True:
            self._session_key = self._get_new_session_key()
            try:
                await self._save_new(store)
            except CreateError:
                continue
            except BaseException:
                # An id that leads nowhere: a second try is to find another one.
                self._session_key = None
                raise
            self.modified = True
            return

    async def _save(self, store: AsyncStore, *, must_create: bool) -> None:
        if self.session_key is None:
            await self._create(store)
        elif must_create:
            await self._save_new(store)
        else:
            await self._ensure_loaded(store)
            if self.session_key is None:
                raise UpdateError
            if self._successor is not None:
                await self._save_to_successor(store)
            else:
                await self._save_existing(store)

    async def _renew(self, store: AsyncStore) -> None:
        await self._ensure_loaded(store)
        ttl = self._ttl()
        if ttl == self._remaining and self._was_just_renewed():
            return
        is_there = ttl > 0 and await store.renew(
            self._key(), ttl, listed_in=self._user_list()
        )
        if not is_there:
            if await rotation.left_behind(store, self._key(), self._seals) is None:
                raise UpdateError
            return
        self._remaining = ttl

    def _was_just_renewed(self) -> bool:
        return time.monotonic() - self._renewed_at < _RENEWED_JUST_NOW_SECONDS

    async def _delete(self, store: AsyncStore, session_key: str | None) -> None:
        session_key = session_key or self.session_key
        if names.is_id(session_key):
            key = names.record_key(session_key)
            await store.remove(key)
            tell_ended(key)

    async def _cycle_key(self, store: AsyncStore) -> None:
        await self._ensure_loaded(store)
        if self.session_key is None:
            await self._create(store)
            return
        former_key, base = self._key(), self._raw
        was_superseded, self._successor = self._successor is not None, None
        held = await self._rotate(store, former_key)
        self.modified = True
        if was_superseded or base is None or held == base:
            return
        self._merge(base, held or b"{}", former_key)
        await self._save_existing(store)

    async def _rotate(self, store: AsyncStore, former_key: str) -> bytes | None:
        """Go on under a new id; return what the record of the former one held."""
        is_stored = self._raw is not None
        self._session_key = self._get_new_session_key()
        raw, ttl = self._encoded(), self._ttl()
        if ttl <= 0:
            self._note_stored(raw, ttl)
            return await store.take(former_key)
        key, leaving = self._key(), None
        if is_stored:
            seen, name = self._session_cache, names.text_of(key)
            leaving = rotation.leaving(former_key, name, seen, self._seals)
        rotated = await store.rotate(
            former_key,
            Entry(key, raw, ttl),
            leaving=leaving,
            listed_in=self._user_list(),
        )
        if rotated.is_created:
            self._note_stored(raw, ttl)
        else:
            await self._create(store)
        return rotated.held

    async def _take_over(self, store: AsyncStore, name: str) -> Record:
        key, successor = names.record_key(name), names.text_of(self._key())
        stored = await store.load(key)
        if not isinstance(stored, Stored):
            return {}
        try:
            seen = self._seen(stored.raw, key)
            leaving = rotation.leaving(key, successor, seen, self._seals)
            held = await store.take(key, leaving=leaving)
            tell_ended(key)
            return {} if held is None else self._seen(held, key)
        except DamagedRecord as error:
            damaged.note_unreadable(key, str(error))
            return {}

    def _seen(self, raw: bytes, key: str) -> Record:
        """Read a record as a session shows it: without what is the engine's."""
        data = self._seals.decode(raw, key)
        self._take_lifetime(data)
        return data

    async def _save_new(self, store: AsyncStore) -> None:
        if not hasattr(self, "_session_cache"):
            self._session_cache = {}
        raw = self._encoded()
        ttl = self._ttl()
        # An end in the past, as set_expiry allows: over before it begins.
        if ttl > 0 and not await store.create(
            self._key(), raw, ttl, listed_in=self._user_list()
        ):
            raise CreateError
        self._note_stored(raw, ttl)

    async def _save_existing(self, store: AsyncStore) -> None:
        for _ in range(_MOST_MERGES):
            raw = self._encoded()
            if raw == self._raw:
                await self._renew(store)
                return
            ttl = self._ttl()
            if ttl <= 0:
                await self._end(store)
                return
            outcome = await store.replace(
                self._key(), self._raw, raw, ttl, listed_in=self._new_user_list()
            )
            if outcome is Replacement.DONE:
                self._note_stored(raw, ttl)
                return
            if outcome is Replacement.GONE:
                await self._follow_rotation(store)
                return
            self._merge(self._raw or b"{}", outcome, self._key())
            self._raw = outcome
        raise _too_busy()

    async def _amend(self, store: AsyncStore, change: Callable[[Record], bool]) -> bool:
        for _ in range(_MOST_MERGES):
            loaded = await self._read(store) if self.session_key else None
            if loaded is None or self._successor is not None:
                raise UpdateError
            data, stored, remaining, self._lifetime = loaded
            if not change(data):
                return False
            self._session_cache = data
            raw, ttl = self._encoded(), max(min(int(remaining), _LONGEST_TTL), 1)
            outcome = await store.replace(self._key(), stored, raw, ttl)
            if outcome is Replacement.DONE:
                self._note_stored(raw, ttl)
                return True
        raise _too_busy()

    async def _follow_rotation(self, store: AsyncStore) -> None:
        """Save to the record that goes on, if this one's id was rotated meanwhile."""
        left = await rotation.left_behind(store, self._key(), self._seals)
        if left is None:
            raise UpdateError
        self._successor = left.name
        await self._save_to_successor(store)

    async def _save_to_successor(self, store: AsyncStore) -> None:
        """
        Merge what this request has changed into the session under its new id.

        The old id has no part in the login: its keys neither leave nor enter here.
        """
        own_key, key = self._key(), names.record_key(self._successor or "")
        base = without_login(self._seen(self._raw or b"{}", own_key))
        later = without_login(self._session_cache)
        for _ in range(_MOST_MERGES):
            stored, earlier = await self._read_successor(store)
            merged = merge(base=base, earlier=earlier, later=later)
            ttl = max(min(int(stored.remaining), _LONGEST_TTL), 1)
            raw = self._seals.encode(merged, key)
            outcome = await store.replace(key, stored.raw, raw, ttl)
            if outcome is Replacement.DONE:
                self._raw = self._seals.encode(later, own_key)
                return
            if outcome is Replacement.GONE:
                raise UpdateError
        raise _too_busy()

    async def _read_successor(self, store: AsyncStore) -> tuple[Stored, Record]:
        key = names.record_key(self._successor or "")
        stored = await store.load(key)
        if not isinstance(stored, Stored):
            raise UpdateError
        return stored, await self._decoded_or_set_aside(store, key, stored.raw)

    async def _decoded_or_set_aside(
        self, store: AsyncStore, key: str, raw: bytes
    ) -> Record:
        try:
            return self._seals.decode(raw, key)
        except DamagedRecord as error:
            await damaged.set_aside(store, key, raw, str(error))
            raise UpdateError from error

    async def _end(self, store: AsyncStore) -> None:
        if not await store.remove(self._key()):
            raise UpdateError
        tell_ended(self._key())

    def _merge(self, base: bytes, earlier: bytes, key: str) -> None:
        """
        Take another writer's changes into this session, before it is stored.

        Both are of the record under `key`, which a rotation has just left.
        """
        decode = self._seals.decode
        loaded, mine = decode(base, key), decode(self._encoded(), self._key())
        try:
            # Read last: what is taken from it keeps its seals.
            theirs = decode(earlier, key)
        except DamagedRecord:
            theirs = loaded
        merged = merge(base=loaded, earlier=theirs, later=mine)
        self._lifetime = self._take_lifetime(merged)
        absorb(self._session_cache, merged)
        health.count("merged_saves")

    # What is stored -----------------------------------------------------------

    def _encoded(self) -> bytes:
        if self._lifetime is None:
            self._lifetime = self._fresh_lifetime()
        stored = self._as_stored()
        raw = record.encode(stored, known=self._raw)
        record.demand_size(raw, stored, most=conf.load().most_bytes)
        return raw

    def _as_stored(self) -> Record:
        stored = self._session_cache
        if self._lifetime is not None:
            stored = self._lifetime.written_into(stored)
        if self._seals.are_made:
            stored = self._seals.sealed(stored, self._key())
        return stored

    def _differs_from_stored(self) -> bool:
        if self._raw is None or not hasattr(self, "_session_cache"):
            return False
        try:
            present = self._as_stored()
        except UnstorableValue:
            return True
        if record.quick_encode(present) == self._raw:
            return False
        # Another order of keys, or other spaces, are no change.
        return not record.same(record.decode(self._raw), present)

    def _user_list(self) -> str | None:
        user_id = self._session_cache.get(USER_ID)
        return None if user_id is None else names.user_list_key(str(user_id))

    def _new_user_list(self) -> str | None:
        """Return the list only if the session is not in it: renewal keeps it there."""
        if self._session_cache.get(USER_ID) == self._listed_for:
            return None
        return self._user_list()

    def _note_stored(self, raw: bytes, ttl: int) -> None:
        self._raw, self._remaining = raw, ttl
        self._listed_for = self._session_cache.get(USER_ID)

    def _forget_stored(self) -> None:
        self._raw = None
        self._remaining = 0.0
        self._lifetime = None
        self._listed_for = None
        self._successor = None

    def _fresh_lifetime(self) -> Lifetime | None:
        age = conf.load().absolute_age_seconds
        if age is None:
            return None
        return Lifetime.starting(datetime.now(UTC), age_seconds=age)

    def _take_lifetime(self, data: Record) -> Lifetime | None:
        if conf.load().absolute_age_seconds is None:
            return None
        return Lifetime.taken_from(data)

    def _ttl(self) -> int:
        if "_session_expiry" in self._session_cache:
            return min(int(self.get_expiry_age()), _LONGEST_TTL)
        # As Django has it, without asking for the time first.
        age = self.get_session_cookie_age()
        if self._lifetime is not None:
            age = self._at_most_until_the_end(age)
        return min(int(age), _LONGEST_TTL)

    def _at_most_until_the_end(self, age: int, **kwargs: Any) -> int:
        if self._lifetime is None:
            return age
        now = kwargs.get("modification") or datetime.now(UTC)
        return min(age, self._lifetime.remaining_seconds(now))


def cut(age: float) -> int:
    """Bring an age within what a cookie's date can bear."""
    return int(max(min(age, _LONGEST_TTL), -_LONGEST_TTL))


def _too_busy() -> StorageUnavailable:
    return StorageUnavailable("Too many requests write this session at once.")
