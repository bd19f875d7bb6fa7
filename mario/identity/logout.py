"""
The end of a login: here, at Keycloak, and told by Keycloak.

Whichever way it comes, the session goes first and takes everything with it: its bearer
tokens, for the login's label is revoked; the requests under way, for no save brings a
session back; and the live streams, for the engine tells every process.
"""

import hmac
import logging
import secrets
import threading
from typing import NamedTuple
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.auth import logout as forget_user
from django.contrib.sessions.backends.base import SessionBase
from django.core import signing
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from mario.identity import ended_logins, login_session
from mario.identity.exceptions import InvalidToken
from mario.identity.models import Identity
from mario.identity.signals import logged_out
from mario.identity.validator import Claims
from sessions_backend import budget, failover, index, operators
from sessions_backend.exceptions import StorageUnavailable
from sessions_backend.operators import Found
from sessions_backend.record import Record

logger = logging.getLogger(__name__)

# Seconds for which a logout token that was honoured is not taken again. Keycloak's live
# 120, and no token that is older is taken.
JTI_SECONDS = 900
# Somebody who stays longer at Keycloak's page sees the same page without its check.
STATE_SECONDS = 600
_SALT = "mario.identity.logout"
# Logouts of whole people that wait in this process for Redis's return.
_MOST_OWED = 1000

_owed: dict[tuple[str, str], None] = {}
_lock = threading.Lock()


class NotHeardByAll(Exception):
    """The logout holds in this process; others hear of it when Redis is back."""


# Logging out here -----------------------------------------------------------------


def log_out_here(request: HttpRequest, *, state: str) -> str:
    """
    End the login in this shop, and return where Keycloak ends its own.

    Local first: whoever closes the browser at Keycloak's page is logged out here.
    The address is built from the ID token before that is gone (OpenID Connect
    RP-Initiated Logout 2); a visitor without a login is only sent to the last page.
    """
    session = request.session
    address = _keycloak_logout(request, session, state)
    user_id = session.get(SESSION_KEY)
    login_session.close(session)
    forget_user(request)
    if user_id is not None:
        logged_out.send_robust(
            log_out_here, how="here", request=request, user_id=user_id, count=1
        )
    return address


def new_state() -> str:
    return secrets.token_urlsafe(24)


def remember_state(response: HttpResponse, state: str) -> None:
    """Let this browser recognise the answer to its own logout."""
    response.set_cookie(
        _state_cookie(),
        signing.dumps(state, salt=_SALT),
        max_age=STATE_SECONDS,
        path=_state_path(),
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        # Keycloak's answer is a cross-site navigation, which Strict cookies miss.
        samesite="Lax",
    )


def is_answer(request: HttpRequest) -> bool:
    """Say whether Keycloak sends back the browser that began this logout here."""
    try:
        expected = signing.loads(
            request.COOKIES.get(_state_cookie(), ""), salt=_SALT, max_age=STATE_SECONDS
        )
    except signing.BadSignature:
        return False
    state = request.GET.get("state", "")
    return hmac.compare_digest(str(expected).encode(), state.encode())


def forget_state(response: HttpResponse) -> None:
    response.delete_cookie(_state_cookie(), path=_state_path(), samesite="Lax")


def _state_cookie() -> str:
    is_secure = settings.SESSION_COOKIE_SECURE
    return "__Host-mario_logout" if is_secure else "mario_logout"


def _state_path() -> str:
    # What begins with `__Host-` goes to every page.
    return "/" if settings.SESSION_COOKIE_SECURE else reverse("logged_out")


def _keycloak_logout(request: HttpRequest, session: SessionBase, state: str) -> str:
    last_page = reverse("logged_out")
    if not login_session.section(session, login_session.USER_INFO):
        return last_page
    query = {
        "client_id": settings.OIDC_RP_CLIENT_ID,
        "post_logout_redirect_uri": request.build_absolute_uri(last_page),
        "state": state,
    }
    tokens = login_session.section(session, login_session.TOKENS)
    if id_token := tokens.get("id_token"):
        # Without it, Keycloak asks the person whether they mean it.
        query["id_token_hint"] = id_token
    return f"{settings.OIDC_OP_LOGOUT_ENDPOINT}?{urlencode(query)}"


# Told by Keycloak -----------------------------------------------------------------


def honour(claims: Claims, *, request: HttpRequest) -> int:
    """
    End what a logout token names (OpenID Connect Back-Channel Logout 2.7).

    A `sid` ends that login alone; with OIDC_LOGOUT_WIDENS_TO_SUBJECT, and without a
    `sid`, every login of the subject ends. The token is used up only by the
    logout: one that failed half-way may be sent again.

    :raises InvalidToken: if it was honoured before, or its `sid` is another
        person's; nothing is deleted then
    :raises NotHeardByAll: if Redis is away; this process has obeyed all the same
    """
    used = f"logout|{claims['iss']}|{claims['jti']}"
    is_away = _is_away_or_refused(used)
    ended = _end_all_named(claims, is_away=is_away)
    if is_away or not ended.is_heard_by_all:
        raise NotHeardByAll
    index.link(used, "used", ttl=JTI_SECONDS)
    logged_out.send_robust(
        honour,
        how="back_channel",
        request=request,
        user_id=ended.user_id,
        count=ended.sessions,
    )
    return ended.sessions


def end_login(issuer: str, sid: str, *, request: HttpRequest) -> None:
    """
    End the login of a `sid`, as a front-channel logout asks.

    :raises StorageUnavailable: if Redis is away and nobody here knows the login
    """
    ended = _end_sid(f"{issuer}|{sid}", subject=None)
    logged_out.send_robust(
        end_login,
        how="front_channel",
        request=request,
        user_id=ended.user_id,
        count=ended.sessions,
    )


class _Ended(NamedTuple):
    user_id: str | None = None
    sessions: int = 0
    is_heard_by_all: bool = True


def _is_away_or_refused(used: str) -> bool:
    """
    Say whether Redis is away; it is asked whether the token was used up.

    :raises InvalidToken: if it was
    """
    try:
        if index.lookup(used)[0] is not None:
            raise InvalidToken("it was honoured before")
    except StorageUnavailable:
        _forgive()
        return True
    return failover.is_degraded()


def _end_all_named(claims: Claims, *, is_away: bool) -> _Ended:
    issuer, subject = claims["iss"], claims.get("sub")
    name, ended = login_session.label(claims), _Ended()
    if name is not None:
        try:
            ended = _end_sid(name, subject=subject, told=claims)
        except StorageUnavailable:
            # Noted by the engine for Redis's return.
            _forgive()
            count = _end_known_here({"iss": issuer, "sid": claims["sid"]})
            ended = _Ended(None, count, is_heard_by_all=False)
    if subject and (name is None or settings.OIDC_LOGOUT_WIDENS_TO_SUBJECT):
        # First: a bearer that opens a session meanwhile finds it.
        is_noted = _noted(claims, "sub")
        more = _end_subject(issuer, subject, is_away=is_away)
        ended = _Ended(
            more.user_id,
            ended.sessions + more.sessions,
            is_noted and ended.is_heard_by_all and more.is_heard_by_all,
        )
    return ended


def _noted(claims: Claims, name: str) -> bool:
    try:
        ended_logins.note(claims, name)
    except StorageUnavailable:
        # Noted by the engine, as above.
        _forgive()
        return False
    return True


def _end_sid(name: str, *, subject: str | None, told: Claims | None = None) -> _Ended:
    found = _session_of(name)
    if subject and found is not None and _info(found.record).get("sub") != subject:
        raise InvalidToken("its sid belongs to another person")
    if told is not None:
        # First: a login that comes back from Keycloak meanwhile finds it.
        _noted(told, "sid")
    ended_key = index.revoke(name, ttl=login_session.lifetime())
    return _Ended(found.user_id if found else None, int(ended_key is not None))


def _session_of(name: str) -> Found | None:
    try:
        session_key, _ = index.lookup(name)
        return operators.read(session_key) if session_key else None
    except StorageUnavailable:
        _forgive()
        return None


def _end_subject(issuer: str, subject: str, *, is_away: bool = False) -> _Ended:
    known = Identity.objects.filter(issuer=issuer, subject=subject).first()
    if known is None:
        return _Ended()
    user_id = str(known.user_id)
    if not is_away:
        try:
            return _Ended(user_id, operators.revoke_all(user_id))
        except StorageUnavailable:
            _forgive()
    _owe(issuer, subject)
    count = _end_known_here({"iss": issuer, "sub": subject})
    return _Ended(user_id, count, is_heard_by_all=False)


def _owe(issuer: str, subject: str) -> None:
    """Note a logout for Redis's return, which `pay_owed` is told of."""
    with _lock:
        if len(_owed) < _MOST_OWED:
            _owed[issuer, subject] = None
    if situation := failover.situation():
        # One call that was not answered in time is no outage yet.
        situation.recovery.note_outage("a logout could not be told to all")


def _end_known_here(wanted: dict[str, str]) -> int:
    """End what this process could still serve: the engine tells Redis later."""
    count = 0
    for found in operators.known_here():
        if wanted.items() <= _info(found.record).items():
            count += _revoked(found)
    return count


def _revoked(found: Found) -> bool:
    try:
        return operators.revoke(found)
    except StorageUnavailable:
        _forgive()
        return False


def pay_owed(**_: object) -> None:
    """End, now that Redis is back, the logins that other processes have made."""
    with _lock:
        owed = list(_owed)
        _owed.clear()
    try:
        for issuer, subject in owed:
            _end_subject(issuer, subject)
    finally:
        if owed:
            # The engine's thread has a connection of its own, and ends now.
            connection.close()


def end_label(*, record: Record, **_: object) -> None:
    """End the bearer tokens of a session that an operator has ended."""
    name = login_session.label(_info(record))
    if name is None:
        return
    try:
        index.revoke(name, ttl=login_session.lifetime())
    except StorageUnavailable:
        # Noted by the engine; the session itself is gone already.
        _forgive()


def _info(record: Record | None) -> dict[str, str]:
    return login_session.section(record or {}, login_session.USER_INFO)


def _forgive() -> None:
    """Let the answer be this code's own, not the page for a lost session."""
    budget.current().outage = None
