"""
The session of a login: what it holds, and how a bearer token finds it.

The identity provider names a login by `sid`; the engine's index leads from there
to the one session that the browser and the API client share.
"""

import time
from collections import OrderedDict
from contextlib import suppress
from datetime import timedelta
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import (
    BACKEND_SESSION_KEY,
    HASH_SESSION_KEY,
    SESSION_KEY,
    login,
)
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.sessions.backends.base import SessionBase, UpdateError
from django.http import HttpRequest

from mario.identity import ended_logins, kept_tokens, people
from mario.identity.exceptions import InvalidToken, LoginEnded, SessionOfAnother
from mario.identity.kept_tokens import KeptTokens
from sessions_backend import budget, index
from sessions_backend.exceptions import StorageUnavailable

TOKENS = kept_tokens.TOKENS
USER_INFO = "user_info"
# What a visitor keeps when the login's session takes over from another one.
_CART, _VOUCHER = "cart", "cart_voucher"
# What clocks and answers on their way may add to the life of a token.
_LATE_SECONDS = 60
_BACKEND = "mario.identity.oidc.KeycloakBackend"
# Each that is lost was won by another request of the same login.
_MOST_RACES = 5
# Where this process has found the sessions of logins: by label their names, and the
# moment of the monotonic clock from which the index is asked again.
_FOUND_SECONDS = 10.0
_MOST_FOUND = 2048
_found: OrderedDict[str, tuple[str, float]] = OrderedDict()


def label(claims: dict[str, Any]) -> str | None:
    """Name the login of these claims for the index; None if it has no `sid`."""
    issuer, sid = claims.get("iss"), claims.get("sid")
    return f"{issuer}|{sid}" if issuer and sid else None


def section(session: SessionBase | dict[str, Any], key: str) -> dict[str, Any]:
    """Read `tokens` or `user_info`; empty where a person's hand has changed them."""
    value = session.get(key)
    return value if isinstance(value, dict) else {}


def is_available(session: SessionBase) -> bool:
    """Say whether the session can be known now; see the engine's `is_available`."""
    return bool(session.is_available)  # type: ignore[attr-defined]  # the engine's


def is_in_force(session: SessionBase) -> bool:
    """
    Say whether the login that the session began this request with still holds.

    Asks the store anew; a visitor's, and one that is not stored, always do.
    """
    if session.session_key is None or SESSION_KEY not in session:
        return True
    return bool(session.still_holds(SESSION_KEY))  # type: ignore[attr-defined]  # the engine's


def open_for_browser(
    request: HttpRequest, user: User, claims: dict[str, Any], tokens: Any
) -> None:
    """
    Log the user into the browser's session, under a new id.

    An anonymous cart stays; the session of another user is emptied first. A session
    that a bearer of the same login made earlier is taken over. One that cannot be
    reached now is left alone: the login begins anew without it.

    :raises LoginEnded: if Keycloak has ended the login while it was on its way
    """
    if not is_available(request.session):
        request.session = empty_session()
    former_id = request.session.session_key
    login(request, user, backend=_BACKEND)
    session = request.session
    if session.session_key == former_id:
        # Django keeps the id of somebody who was logged in already.
        session.cycle_key()
    session[TOKENS] = KeptTokens.new(tokens, claims, now=time.time()).as_stored()
    session[USER_INFO] = people.user_info(claims)
    try:
        session.save()
        if name := label(claims):
            _lead_bearers_to(session, name)
        # Asked last: a logout meanwhile has not seen this session.
        _require_that_it_goes_on(claims)
    except (LoginEnded, UpdateError) as error:
        _leave_as_visitor(request)
        raise LoginEnded("it was ended while it was on its way") from error


def open_for_bearer(user: User, claims: dict[str, Any]) -> SessionBase | None:
    """
    Return the session that the token's login has, made if there is none yet.

    None if the token belongs to no login, as a service account's does not.

    :raises InvalidToken: if the login was logged out, or its session is another's
    :raises StorageUnavailable: if it cannot be known now
    """
    name = label(claims)
    if name is None:
        _require_that_it_goes_on(claims)
        return None
    for _ in range(_MOST_RACES):
        if session := _found_before(name):
            return _demand_owner(session, user)
        session_key, is_revoked = index.lookup(name)
        if is_revoked:
            raise InvalidToken("its login was logged out")
        if session_key:
            session = empty_session(session_key)
            if session.get(SESSION_KEY):
                _note_found(name, session_key)
                return _demand_owner(session, user)
        if session := _made_for_bearer(name, user, claims, ended_key=session_key):
            return session
    raise _lost_too_often()


def close(session: SessionBase) -> None:
    """End the session, and with it every bearer token of its login."""
    name = label(section(session, USER_INFO))
    if name:
        try:
            index.revoke(name, ttl=lifetime())
        except StorageUnavailable:
            # Noted by the engine for Redis's return. The session goes at once.
            budget.current().outage = None
    session.flush()


def lapse(session_key: str, *, generation: int) -> bool:
    """
    End a login that Keycloak has ended; the cart stays with the visitor.

    False, and nothing is done, if the session has other tokens by now. The id stays:
    nobody who has it may do more with it than before. Bearers of the login are refused
    for as long as one could live.

    :raises UpdateError: if there is no such session any more
    """
    session: Any = empty_session(session_key)
    ended: list[tuple[KeptTokens, str | None]] = []

    def forget_login(record: dict[str, Any]) -> bool:
        tokens = KeptTokens.of(record)
        if tokens is None or tokens.generation != generation:
            return False
        ended.append((tokens, label(section(record, USER_INFO))))
        for key in record.keys() - {_CART, _VOUCHER}:
            del record[key]
        return True

    if not session.amend(forget_login):
        return False
    tokens, name = ended[-1]
    if not session.get(_CART):
        session.delete()
    if name:
        with suppress(StorageUnavailable):
            index.forbid(name, ttl=tokens.life + _LATE_SECONDS)
    return True


def link_again(session: SessionBase, claims: dict[str, Any]) -> None:
    """Lead bearers of a login that goes on to its session, should they find another."""
    name = label(claims)
    if name:
        with suppress(StorageUnavailable):
            _lead_bearers_to(session, name)


def lifetime() -> timedelta:
    """No session and no token of a login lives longer than this."""
    return timedelta(seconds=settings.SESSION_ABSOLUTE_AGE)


def empty_session(session_key: str | None = None) -> SessionBase:
    """Make a session of the project's engine; it is read when it is first used."""
    engine = import_module(settings.SESSION_ENGINE)
    session: SessionBase = engine.SessionStore(session_key)
    return session


def _note_found(name: str, session_key: str) -> None:
    _found[name] = session_key, time.monotonic() + _FOUND_SECONDS
    while len(_found) > _MOST_FOUND:
        # One step, whatever other threads do.
        _found.popitem(last=False)


def _found_before(name: str) -> SessionBase | None:
    """
    Return the session of a login that this process has found a moment ago.

    The session itself says whose it is. A logout removes it, and its successor has
    another name: then the index is asked again.
    """
    session_key, until = _found.get(name, (None, 0.0))
    if session_key is None:
        return None
    if time.monotonic() < until:
        session = empty_session(session_key)
        if session.get(SESSION_KEY) and label(section(session, USER_INFO)) == name:
            return session
    _found.pop(name, None)
    return None


def _demand_owner(session: SessionBase, user: User) -> SessionBase:
    if session[SESSION_KEY] != str(user.pk):
        raise SessionOfAnother("its session is of somebody else")
    return session


def _made_for_bearer(
    name: str, user: User, claims: dict[str, Any], *, ended_key: str | None
) -> SessionBase | None:
    """
    Make the session of a login that has none.

    None if another request of it was faster, or if it was logged out meanwhile.
    """
    session = empty_session()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = _BACKEND
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session[USER_INFO] = people.user_info(claims)
    session.save()
    key = name_of(session)
    is_linked = ended_key and index.relink(
        name, key, ttl=lifetime(), expected=ended_key
    )
    if not is_linked and index.link(name, key, ttl=lifetime()) != key:
        session.delete()
        return None
    try:
        # Asked last: a logout of the person meanwhile has not seen this session.
        ended_logins.require_later(claims)
    except InvalidToken:
        index.revoke(name, ttl=lifetime())
        raise
    return session


def _lost_too_often() -> StorageUnavailable:
    return StorageUnavailable("Where this login leads to changes again and again.")


def name_of(session: SessionBase) -> str:
    """Return what leads to a session from elsewhere; its id is for the cookie alone."""
    return session.record_name or ""  # type: ignore[attr-defined]  # the engine's


def _require_that_it_goes_on(claims: dict[str, Any]) -> None:
    """
    Make sure that Keycloak has not ended this login, as far as it is known.

    :raises LoginEnded: if it has
    """
    try:
        ended_logins.require_later(claims)
    except StorageUnavailable:
        # Redis is away, and nobody here has heard of this login before.
        budget.current().outage = None


def _leave_as_visitor(request: HttpRequest) -> None:
    """Take the login out of a session that has just begun; the cart stays."""
    key = name_of(request.session)
    with suppress(UpdateError):
        lapse(key, generation=1)
    request.session = empty_session(request.session.session_key)
    request.user = AnonymousUser()


def _lead_bearers_to(session: SessionBase, name: str) -> None:
    """
    Lead the bearers of a login to its session, which takes over the one they had.

    A `sid` that was logged out here stays so for bearers: only the browser, whose
    person has just come back from Keycloak, may go on with it.
    """
    own = name_of(session)
    # Whatever a bearer opens meanwhile is what is taken over: a session that nothing
    # leads to any more would outlive the login.
    for _ in range(_MOST_RACES):
        present = index.link(name, own, ttl=lifetime())
        if present in {None, own}:
            return
        if index.relink(name, own, ttl=lifetime(), expected=present):
            _take_over(session, present)
            return
    raise _lost_too_often()


def _take_over(session: SessionBase, earlier_name: str) -> None:
    earlier, owner = empty_session(earlier_name), session.get(SESSION_KEY)
    if owner is None or not is_available(earlier) or earlier.get(SESSION_KEY) != owner:
        return
    # A bearer that is adding to it at this moment adds to the session that goes on.
    held = session.take_over(earlier_name)  # type: ignore[attr-defined]  # the engine's
    if held.get(_CART):
        session[_CART] = {**held[_CART], **session.get(_CART, {})}
        session[_VOUCHER] = session.get(_VOUCHER) or held.get(_VOUCHER, "")
        # It may have been logged out by now: then nothing is kept.
        with suppress(UpdateError):
            session.save()
