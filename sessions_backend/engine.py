"""SessionStore: Django's contract. `SESSION_ENGINE = "sessions_backend.engine"`."""

from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any

from sessions_backend import budget, failover, lifetimes, names
from sessions_backend.exceptions import ANTICIPATED, StorageUnavailable
from sessions_backend.record import Record
from sessions_backend.stored_session import StoredSession, cut
from sessions_backend.stores.base import finish
from sessions_backend.stores.short_way import NoAnswer


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
            self._get_session()
        except StorageUnavailable:
            waiting.outage = former
            return False
        return True

    @property
    def is_superseded(self) -> bool:
        """Whether this id was rotated a moment ago, and another goes on for it."""
        return self._successor is not None

    @property
    def record_name(self) -> names.RecordName | None:
        """
        What leads to this session wherever it is kept, and is no id.

        `SessionStore(name)` opens it. Where SESSION_KEY_SECRET is not set it reads as
        the id does.
        """
        key = self.session_key
        return None if key is None else names.record_name(key)

    @property
    def created_at(self) -> datetime | None:
        """When the absolute life began; None while SESSION_ABSOLUTE_AGE is not set."""
        self._get_session()
        return None if self._lifetime is None else self._lifetime.created_at

    @property
    def expires_at(self) -> datetime | None:
        """When the session ends however busy it is; None if nothing says so."""
        self._get_session()
        return None if self._lifetime is None else self._lifetime.expires_at

    @property
    def is_renewal_due(self) -> bool:
        """Whether a session that was only read has used up a tenth of its age."""
        if self._raw is None or not hasattr(self, "_session_cache"):
            return False
        if self.is_superseded:
            return False
        return lifetimes.is_renewal_due(remaining=self._remaining, age=self._ttl())

    def still_holds(self, name: str) -> bool:
        """
        Say whether what is stored now has this member as this session has it.

        Asks anew, without a change of this session, and follows an id that was rotated
        meanwhile: `still_holds("_auth_user_id")` before a transaction is committed
        tells whether the login that it was begun with has ended since.

        :raises StorageUnavailable: if it cannot be known now
        """
        return finish(self._still_holds(failover.blocking(), name))

    def restart_lifetime(self) -> None:
        """Begin the absolute life anew, as a login does."""
        self._get_session()
        if fresh := self._fresh_lifetime():
            self._lifetime = fresh
            self.modified = True

    def amend(self, change: Callable[[Record], bool]) -> bool:
        """
        Change what is stored in one step, for decisions that no merge may undo.

        `change` alters the record that it is given, and is called again with a newer
        one whenever another writer was faster; if it returns False nothing is stored.
        The session's end stays where it is. Not for a session with changes of its own.

        :raises UpdateError: if there is no such session any more
        """
        return finish(self._amend(failover.blocking(), change))

    def take_over(self, name: str) -> Record:
        """
        End another session, by its id or name, and return what it held.

        Its requests that are under way go on in this session, which must have been
        saved: what they change is merged into it, as after a rotation. Of one that is
        missing or damaged nothing is returned.
        """
        return finish(self._take_over(failover.blocking(), name))

    # Django's contract --------------------------------------------------------

    def exists(self, session_key: str | None) -> bool:
        return names.is_id(session_key) and failover.store().exists(
            names.record_key(session_key)
        )

    def load(self) -> Record:
        """
        Read the session; an unknown, ended or damaged one is empty and has no id.

        :raises StorageUnavailable: if it cannot be known now
        """
        reason = ""
        try:
            loaded = self._load_at_once(failover.short_way())
            if loaded is not None:
                return loaded
        except NoAnswer as outage:
            reason = str(outage)
        return _decided(self._load(failover.blocking()), reason)

    def create(self) -> None:
        finish(self._create(failover.blocking()))

    def save(self, must_create: bool = False) -> None:
        """
        Write the session in one round trip, merging it with a faster writer's.

        An unchanged session is only renewed.

        :raises CreateError: if a new session's id is already taken
        :raises UpdateError: if the session was deleted since it was loaded
        :raises UnstorableValue: if JSON cannot hold one of its values
        :raises SessionTooLarge: if it has more than SESSION_MOST_BYTES
        :raises StorageUnavailable: if the store does not answer in time
        """
        reason = ""
        try:
            if not must_create and self._save_at_once(failover.short_way()):
                return
        except NoAnswer as outage:
            reason = str(outage)
        _decided(self._save(failover.blocking(), must_create=must_create), reason)

    def renew(self) -> None:
        """
        Move the session's end to one full age from now.

        :raises UpdateError: if the session ended before this call
        """
        finish(self._renew(failover.blocking()))

    def delete(self, session_key: str | None = None) -> None:
        finish(self._delete(failover.blocking(), session_key))

    def flush(self) -> None:
        super().flush()
        self._forget_stored()

    def cycle_key(self) -> None:
        """
        Give the session a new id; the old one is no login any more.

        Requests that are under way with the old id see what it held beside the login
        for SESSION_ROTATION_GRACE seconds (10), and what they change goes on under
        the new one. If the session was deleted meanwhile, only what this request
        itself has changed goes on.
        """
        finish(self._cycle_key(failover.blocking()))

    @classmethod
    def clear_expired(cls) -> None:
        """Do nothing: keys expire by themselves."""

    # The same in an event loop ------------------------------------------------

    async def aexists(self, session_key: str | None) -> bool:
        if not names.is_id(session_key):
            return False
        return await _awaited(failover.astore().exists(names.record_key(session_key)))

    async def astill_holds(self, name: str) -> bool:
        return await _awaited(self._still_holds(failover.astore(), name))

    async def aload(self) -> Record:
        return await _awaited(self._load(failover.astore()))

    async def acreate(self) -> None:
        await _awaited(self._create(failover.astore()))

    async def asave(self, must_create: bool = False) -> None:
        await _awaited(self._save(failover.astore(), must_create=must_create))

    async def arenew(self) -> None:
        await _awaited(self._renew(failover.astore()))

    async def adelete(self, session_key: str | None = None) -> None:
        await _awaited(self._delete(failover.astore(), session_key))

    async def aflush(self) -> None:
        await super().aflush()
        self._forget_stored()

    async def acycle_key(self) -> None:
        await _awaited(self._cycle_key(failover.astore()))

    async def aget_expiry_age(self, **kwargs: Any) -> int:
        age = cut(await super().aget_expiry_age(**kwargs))
        return self._at_most_until_the_end(age, **kwargs)


def _decided[Result](long_way: Coroutine[Any, Any, Result], reason: str) -> Result:
    """Go the long way; if Redis has used up its time for a reason, it is not asked."""
    if not reason:
        return finish(long_way)
    with budget.used_up(reason):
        return finish(long_way)


async def _awaited[Result](coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Do what `finish` does: let no frame out that holds a record or an id."""
    try:
        return await coroutine
    except ANTICIPATED as error:
        raise error.with_traceback(None)  # noqa: B904  # it is the same exception
