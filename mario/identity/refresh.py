"""
Fresh tokens for a login, fetched by exactly one process.

A refresh token works once: a second use of it ends the login at Keycloak. So whoever
wants new tokens takes a lease, reads the session again, asks, and stores what came
only if the session still holds the tokens that it asked with. All of it happens
beside the requests, which wait only if their login's access token has expired.
"""

import logging
import os
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from enum import Enum
from typing import Any

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase, UpdateError
from django.db import connections

from mario.identity import login_session, people, provider, token_endpoint, validator
from mario.identity.exceptions import (
    InvalidToken,
    LoginRefused,
    ProviderUnavailable,
    UnknownKey,
)
from mario.identity.kept_tokens import TOKENS, KeptTokens
from sessions_backend.exceptions import StorageUnavailable
from sessions_backend.lease import Lease

logger = logging.getLogger(__name__)

# Seconds. A lease is renewed about once a second; whoever was killed is waited for so
# long.
LEASE = 4
# How long a refresh that has begun waits for its answer: the token is spent already,
# and an answer that comes late is worth more than none.
ANSWER = 20
# How long nobody tries again after Keycloak could not be asked.
REST = 5
_LONGEST_WAIT = 30
# Logins that one process renews at once. Each has a thread and a connection to Redis
# of its own, beside those of the requests.
AT_ONCE = 32
# Requests of one process that wait although they could go on: fewer than a server has
# threads, or many logins that end at once would keep everybody else out.
MOST_PATIENT = 3
# Longer than new keys of the realm can stay unknown.
_KEYS_WAIT = 40
_PAUSES = (0.02, 0.25)
# New tokens exist once: storing them is tried again after so many seconds each.
_STORING_PAUSES = (0.1, 0.4, 1.5)


class Outcome(Enum):
    UNCHANGED = "the tokens are good, or are renewed beside the request"
    FRESH = "there are new tokens"
    ENDED = "the login is over, and the session anonymous or gone"
    AWAY = "Keycloak could not be asked"


def ensure_fresh(session: SessionBase) -> Outcome:
    """
    See to it that the session's login has tokens that are not about to expire.

    While they live nobody waits for new ones; afterwards a request waits, for
    OIDC_REFRESH_PATIENCE seconds while it may go on without them, for
    OIDC_REFRESH_LONGEST_PATIENCE later. The session that is given stays as it was
    loaded.
    """
    tokens = KeptTokens.of(session)
    if tokens is None or not tokens.is_due(time.time()):
        return Outcome.UNCHANGED
    must_wait = not tokens.is_within_grace(time.time())
    job = _renewals.begin(
        login_session.name_of(session), tokens.generation, is_urgent=must_wait
    )
    if must_wait:
        return _waited(job, settings.OIDC_REFRESH_LONGEST_PATIENCE)
    # After a try that has failed, this one goes on beside the request.
    is_patient = tokens.has_expired(time.time()) and not _renewals.is_doubtful
    if not is_patient or not _renewals.places.acquire(blocking=False):
        return Outcome.UNCHANGED
    try:
        return _waited(job, settings.OIDC_REFRESH_PATIENCE)
    finally:
        _renewals.places.release()


def _waited(job: Future[Outcome], seconds: float) -> Outcome:
    try:
        return job.result(timeout=seconds)
    except TimeoutError:
        _renewals.is_doubtful = True
        return Outcome.AWAY


def forget_all() -> None:
    """Wait for what is under way, and start again as a new process does."""
    _renewals.forget_all()


# A session's name, and which of its tokens are renewed.
type _Name = tuple[str, int]


class _Renewals:
    """The renewals that are under way in this process, one for each login."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: dict[_Name, Future[Outcome]] = {}
        # Those that no thread has begun: what requests cannot go on without is first.
        self._urgent: dict[_Name, None] = {}
        self._others: dict[_Name, None] = {}
        self._pool: ThreadPoolExecutor | None = None
        self.places = threading.Semaphore(MOST_PATIENT)
        self._away_until = float("-inf")
        # Whether Keycloak has failed to answer since it last did.
        self.is_doubtful = False

    def begin(
        self, session_key: str, generation: int, *, is_urgent: bool
    ) -> Future[Outcome]:
        """Return the renewal of these tokens; however many ask, there is one."""
        name = (session_key, generation)
        with self._lock:
            if name not in self._jobs:
                if time.monotonic() < self._away_until or not self._has_a_thread():
                    return _done(Outcome.AWAY)
                self._jobs[name] = Future()
                self._others[name] = None
            if is_urgent and name in self._others:
                del self._others[name]
                self._urgent[name] = None
            return self._jobs[name]

    def _has_a_thread(self) -> bool:
        """Let one more renewal be worked at; False as the process ends."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="refresh")
        try:
            self._pool.submit(self._work)
        except RuntimeError:
            return False
        return True

    def _work(self) -> None:
        with self._lock:
            queue = self._urgent or self._others
            name = next(iter(queue))
            del queue[name]
        self._jobs[name].set_result(self._run(*name))
        with self._lock:
            del self._jobs[name]

    def forget_all(self) -> None:
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown()
        self._away_until = float("-inf")
        self.is_doubtful = False

    def _run(self, session_key: str, generation: int) -> Outcome:
        try:
            outcome = _Renewal(session_key, generation).run()
        except StorageUnavailable as error:
            logger.warning("A login could not be renewed: %s", error)
            return Outcome.AWAY
        except ProviderUnavailable as error:
            logger.warning("A login could not be renewed, Keycloak is away: %s", error)
            self._away_until = time.monotonic() + REST
            self.is_doubtful = True
            return Outcome.AWAY
        except Exception:
            # The outermost edge of a thread.
            logger.exception("A login could not be renewed.")
            return Outcome.AWAY
        finally:
            connections.close_all()
        if outcome is not Outcome.AWAY:
            self.is_doubtful = False
        return outcome


class _Renewal:
    """One login's way to new tokens."""

    def __init__(self, session_key: str, generation: int) -> None:
        self._key, self._generation = session_key, generation
        self._lease = Lease(f"refresh|{session_key}", seconds=LEASE)

    def run(self) -> Outcome:
        """
        Renew the tokens, or wait until somebody else has.

        :raises ProviderUnavailable: if Keycloak could not be asked
        """
        ends_at, pause = time.monotonic() + _LONGEST_WAIT, _PAUSES[0]
        while time.monotonic() < ends_at:
            if outcome := self._settled():
                return outcome
            if self._lease.acquire():
                return self._with_the_lease()
            if self._lease.is_resting:
                return Outcome.AWAY
            # Twenty that wait are not to ask at the same moments.
            time.sleep(pause * random.uniform(0.5, 1))  # noqa: S311  # no secret
            pause = min(pause * 1.5, _PAUSES[1])
        return Outcome.AWAY

    def _settled(self) -> Outcome | None:
        """Say what others have made of it; None while there is something to do."""
        tokens = KeptTokens.of(login_session.empty_session(self._key))
        if tokens is None:
            return Outcome.ENDED
        return None if tokens.generation == self._generation else Outcome.FRESH

    def _with_the_lease(self) -> Outcome:
        try:
            return self._renew()
        except ProviderUnavailable:
            with suppress(StorageUnavailable):
                self._lease.rest(REST)
            raise
        finally:
            # Does nothing to a lease that rests.
            with suppress(StorageUnavailable):
                self._lease.release()

    def _renew(self) -> Outcome:
        session = login_session.empty_session(self._key)
        try:
            # Stored as it is: this proves, before the token is spent, that nobody was
            # faster, and that the store takes what will come.
            self._amend(session, lambda record: None)
        except UpdateError:
            return Outcome.ENDED
        tokens = KeptTokens.of(session)
        if tokens is None or tokens.generation != self._generation:
            return self._settled() or Outcome.AWAY
        try:
            response = self._ask(tokens)
            claims = self._believed(response, tokens, session)
        except (LoginRefused, InvalidToken) as error:
            return self._end(str(error))
        return self._keep(tokens, response, claims)

    def _ask(self, tokens: KeptTokens) -> token_endpoint.TokenResponse:
        if not tokens.text("refresh_token"):
            raise LoginRefused("there is no refresh token")
        return token_endpoint.ask(
            {
                "grant_type": "refresh_token",
                "refresh_token": tokens.text("refresh_token"),
                **token_endpoint.client(),
            },
            seconds=ANSWER,
            beat=self._stay_the_only_one,
        )

    def _believed(
        self,
        response: token_endpoint.TokenResponse,
        tokens: KeptTokens,
        session: SessionBase,
    ) -> validator.Claims:
        ends_at = time.monotonic() + _KEYS_WAIT
        while True:
            try:
                return _believed(response, tokens, session)
            except (UnknownKey, ProviderUnavailable):
                # The realm may have a new key, which is asked for twice a minute at
                # most. The old tokens are spent: better late than never.
                if time.monotonic() > ends_at:
                    raise
            self._stay_the_only_one()
            time.sleep(provider.BEAT)

    def _stay_the_only_one(self) -> None:
        # The answer counts, whatever becomes of the lease meanwhile.
        with suppress(StorageUnavailable):
            self._lease.renew()

    def _keep(
        self,
        tokens: KeptTokens,
        response: token_endpoint.TokenResponse,
        claims: validator.Claims,
    ) -> Outcome:
        new = KeptTokens.new(response, claims, now=time.time(), former=tokens)

        def exchange(record: dict[str, Any]) -> None:
            record[TOKENS] = new.as_stored()
            known = login_session.section(record, login_session.USER_INFO)
            # Core 12.2 lets a refreshed ID token leave it out, not change it.
            since = {
                name: known[name] for name in ("auth_time", "acr") if name in known
            }
            record[login_session.USER_INFO] = since | people.user_info(claims)

        try:
            self._store(exchange)
        except UpdateError:
            # Logged out while the answer was on its way: it stays so.
            return Outcome.ENDED
        login_session.link_again(login_session.empty_session(self._key), claims)
        account = people.find_or_create_account(claims)
        if not account.user.is_active:
            self._generation = new.generation
            return self._end("the account is switched off")
        people.update_user(account, claims)
        return Outcome.FRESH

    def _store(self, exchange: Callable[[dict[str, Any]], None]) -> None:
        for pause in _STORING_PAUSES:
            try:
                self._amend(login_session.empty_session(self._key), exchange)
            except StorageUnavailable:
                self._stay_the_only_one()
                time.sleep(pause)
            else:
                return
        try:
            self._amend(login_session.empty_session(self._key), exchange)
        except StorageUnavailable:
            logger.exception("New tokens are lost: a login will be asked for again.")
            raise

    def _end(self, reason: str) -> Outcome:
        """End the login, unless somebody else has renewed it after all."""
        with suppress(UpdateError):
            if not login_session.lapse(self._key, generation=self._generation):
                return self._settled() or Outcome.ENDED
            logger.warning("A login has ended, it was not renewed: %s", reason)
        return Outcome.ENDED

    def _amend(self, session: Any, change: Callable[[dict[str, Any]], None]) -> None:
        def change_ours(record: dict[str, Any]) -> bool:
            tokens = KeptTokens.of(record)
            if tokens is None or tokens.generation != self._generation:
                return False
            change(record)
            return True

        session.amend(change_ours)


def _believed(
    response: token_endpoint.TokenResponse, tokens: KeptTokens, session: SessionBase
) -> validator.Claims:
    """
    Return the claims of the new tokens, of the ID token where one came.

    :raises InvalidToken: if one of them must not be believed
    :raises LoginRefused: if they are of another login than the session's
    """
    claims = validator.access_token(response["access_token"])
    known = login_session.section(session, login_session.USER_INFO)
    for name in ("iss", "sub", "sid"):
        if claims.get(name) != known.get(name):
            raise LoginRefused(f"{name} of the new access token is of another login")
    if not isinstance(response.get("id_token"), str):
        return claims
    identity = validator.refreshed_id_token(
        response["id_token"],
        former=tokens.text("id_token"),
        access_token=response["access_token"],
    )
    return {**claims, **identity}


def _done(outcome: Outcome) -> Future[Outcome]:
    job: Future[Outcome] = Future()
    job.set_result(outcome)
    return job


def _start_anew() -> None:
    # The threads of the parent do not exist in a forked child.
    global _renewals  # noqa: PLW0603  # one for each process
    _renewals = _Renewals()


_renewals = _Renewals()
os.register_at_fork(after_in_child=_start_anew)
