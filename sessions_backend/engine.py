"""SessionStore: Django's contract. `SESSION_ENGINE = "sessions_backend.engine"`."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.sessions.backends.base import CreateError, UpdateError

from sessions_backend import budget, conf, failover, lifetimes
from sessions_backend.exceptions import StorageUnavailable
from sessions_backend.record import Record
from sessions_backend.stored_session import StoredSession


class SessionStore(StoredSession):
    """One session: a readable JSON object under one key that expires by itself."""

    # What the middleware asks -------------------------------------------------

    @property
    def modified(self) -> bool:
        """Whether there is something to save, a change deep inside included."""
        return self._is_marked or self._differs_from_stored()

    @modified.setter
    def modified(self, value: bool) -> None:
        self._is_marked = value

    @property
    def is_available(self) -> bool:
        """Whether the session can be known now; never raises."""
        waiting = budget.current()
        former = waiting.outage
        try:
            self._get_session()  # type: ignore[attr-defined]  # not in the stubs
        except StorageUnavailable:
            waiting.outage = former
            return False
        return True

    @property
    def created_at(self) -> datetime | None:
        """When the absolute life began; None while SESSION_ABSOLUTE_AGE is not set."""
        self._get_session()  # type: ignore[attr-defined]  # not in the stubs
        return None if self._lifetime is None else self._lifetime.created_at

    @property
    def expires_at(self) -> datetime | None:
        """When the session ends however busy it is; None if nothing says so."""
        self._get_session()  # type: ignore[attr-defined]  # not in the stubs
        return None if self._lifetime is None else self._lifetime.expires_at

    @property
    def is_renewal_due(self) -> bool:
        """Whether a session that was only read has used up a tenth of its age."""
        if self._raw is None or not hasattr(self, "_session_cache"):
            return False
        return lifetimes.is_renewal_due(
            remaining=self._remaining, age=self.get_expiry_age()
        )

    def restart_lifetime(self) -> None:
        """Begin the absolute life anew, as a login does."""
        self._get_session()  # type: ignore[attr-defined]  # not in the stubs
        if fresh := self._fresh_lifetime():
            self._lifetime = fresh
            self.modified = True

    # Django's contract --------------------------------------------------------

    def exists(self, session_key: str | None) -> bool:
        return bool(session_key) and failover.store().exists(
            conf.load().key_prefix + str(session_key)
        )

    def load(self) -> Record:
        """
        Read the session; an unknown, ended or damaged one is empty and has no id.

        :raises StorageUnavailable: if it cannot be known now
        """
        loaded = self._read() if self.session_key else None
        if loaded is None:
            self._session_key = None
            return {}
        data, raw, remaining, lifetime = loaded
        if not hasattr(self, "_session_cache"):
            self._raw, self._remaining, self._lifetime = raw, remaining, lifetime
        return data

    def create(self) -> None:
        while True:
            self._session_key = self._get_new_session_key()
            try:
                self.save(must_create=True)
            except CreateError:
                continue
            self.modified = True
            return

    def save(self, must_create: bool = False) -> None:
        """
        Write the session in one round trip, merging it with a faster writer's.

        An unchanged session is only renewed.

        :raises CreateError: if a new session's id is already taken
        :raises UpdateError: if the session was deleted since it was loaded
        :raises UnstorableValue: if JSON cannot hold one of its values
        :raises StorageUnavailable: if the store does not answer in time
        """
        if self.session_key is None:
            self.create()
        elif must_create:
            self._save_new()
        else:
            self._get_session()  # type: ignore[attr-defined]  # not in the stubs
            if self.session_key is None:
                raise UpdateError
            self._save_existing()

    def delete(self, session_key: str | None = None) -> None:
        session_key = session_key or self.session_key
        if session_key:
            failover.store().remove(conf.load().key_prefix + session_key)

    def flush(self) -> None:
        super().flush()
        self._forget_stored()

    def cycle_key(self) -> None:
        """
        Give the session a new id; the old one ends at once.

        If it was deleted meanwhile, only what this request itself has changed goes
        on under the new id.
        """
        self._get_session()  # type: ignore[attr-defined]  # not in the stubs
        former_id, base = self.session_key, self._raw
        self.create()
        if former_id is None:
            return
        present = failover.store().take(conf.load().key_prefix + former_id)
        if base is not None and present != base:
            self._merge(base, present or b"{}")
            self._save_existing()

    @classmethod
    def clear_expired(cls) -> None:
        """Do nothing: keys expire by themselves."""

    # The same for asyncio -----------------------------------------------------

    async def aexists(self, session_key: str | None) -> bool:
        is_there: bool = await _in_thread(self.exists)(session_key)
        return is_there

    async def aload(self) -> Record:
        data: Record = await _in_thread(self.load)()
        return data

    async def acreate(self) -> None:
        await _in_thread(self.create)()

    async def asave(self, must_create: bool = False) -> None:
        await _in_thread(self.save)(must_create)

    async def adelete(self, session_key: str | None = None) -> None:
        await _in_thread(self.delete)(session_key)

    async def aflush(self) -> None:
        await _in_thread(self.flush)()

    async def acycle_key(self) -> None:
        await _in_thread(self.cycle_key)()

    async def arenew(self) -> None:
        await _in_thread(self.renew)()

    async def aget_expiry_age(self, **kwargs: Any) -> int:
        age: int = await super().aget_expiry_age(**kwargs)
        return self._at_most_until_the_end(age, **kwargs)


def _in_thread(function: Callable[..., Any]) -> Callable[..., Any]:
    # Not the one thread that all synchronous code of a request shares: a slow Redis
    # must not hold up the others.
    return sync_to_async(function, thread_sensitive=False)
