"""
Who logged in, who was refused, who was logged out: an entry and a log line each.

Entries are for people and live in the database, MOST at most; log lines are for
machines. Neither ever holds a token, a session id or what somebody has typed. Refusals
are what strangers can cause: of many, few have an entry, which says how many had none.
"""

import logging
import time
from contextlib import suppress
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import User
from django.db import DatabaseError, transaction
from django.http import HttpRequest

from mario.account.devices import describe
from mario.account.models import AuditEntry
from mario.account.sampling import Sampler
from mario.identity.addresses import client_address, network_of
from sessions_backend import operators

logger = logging.getLogger(__name__)

MOST = 100_000
# The oldest go this many at a time.
_CLEAR_EVERY = 500
# Of any field that is not this code's own words.
_LONGEST = 80
_EVENTS = {
    "here": AuditEntry.Event.LOGOUT,
    "back_channel": AuditEntry.Event.PROVIDER_LOGOUT,
    "front_channel": AuditEntry.Event.PROVIDER_LOGOUT,
}

# Of a process: a flood from everywhere takes a month to fill the table.
_tokens = Sampler(burst=20, seconds=300)
_logins = Sampler(burst=20, seconds=60)


def note_login(*, request: Any = None, user: User, **_: object) -> None:
    session = getattr(request, "session", None)
    key = getattr(session, "session_key", None)
    _write(
        AuditEntry.Event.LOGIN,
        request,
        user_id=user.pk,
        session=operators.handle_of(key) if key else "",
    )


def note_refusal(*, request: HttpRequest, reason: str, **_: object) -> None:
    network = network_of(client_address(request))
    # A flood of one kind is not to hide another.
    left_out = _logins.take(f"{network}|{reason}", now=time.monotonic())
    _write_one_of(AuditEntry.Event.LOGIN_REFUSED, request, reason, left_out)


def note_token(*, kind: str, request: HttpRequest, reason: str, **_: object) -> None:
    left_out = _tokens.take(kind, now=time.monotonic())
    detail = f"{kind}: {reason}"
    _write_one_of(AuditEntry.Event.TOKEN_REFUSED, request, detail, left_out)


def note_logout(
    *, how: str, request: HttpRequest, user_id: Any, count: int, **_: object
) -> None:
    if user_id is None:
        return
    detail = f"{count} sessions" if count > 1 else ""
    # What comes by the back channel comes from Keycloak, not from the person.
    asker = request if how == "here" else None
    _write(_EVENTS[how], asker, user_id=user_id, detail=detail)


def note_revocation(*, session_key: str, record: dict[str, Any], **_: object) -> None:
    user_id = record.get(SESSION_KEY)
    if user_id is not None:
        _write(
            AuditEntry.Event.REVOKED,
            None,
            user_id=user_id,
            session=operators.handle_of(session_key),
        )


def forget() -> None:
    """Start again as a new process does."""
    _tokens.forget()
    _logins.forget()


def _write_one_of(
    event: AuditEntry.Event, request: HttpRequest, detail: str, left_out: int | None
) -> None:
    if left_out is not None:
        before = f"{left_out} more; " if left_out else ""
        _write(event, request, detail=before + detail)


def _write(
    event: AuditEntry.Event,
    request: HttpRequest | None,
    *,
    user_id: Any = None,
    **fields: str,
) -> None:
    if request is not None:
        fields["address"] = client_address(request)
        fields["device"] = describe(request.headers.get("User-Agent", ""))
    fields = {name: value[:_LONGEST] for name, value in fields.items()}
    logger.info(
        "%s: user %s, session %s, from %s. %s",
        event.label.capitalize(),
        user_id if user_id is not None else "unknown",
        fields.get("session") or "none",
        fields.get("address") or "elsewhere",
        fields.get("detail", ""),
    )
    try:
        with transaction.atomic():
            # Who was deleted since still has sessions to end.
            known = User.objects.filter(pk=user_id).exists() if user_id else False
            entry = AuditEntry.objects.create(
                event=event, user_id=user_id if known else None, **fields
            )
    except (DatabaseError, ValueError):
        # Nobody is kept in, or out, because it could not be written down.
        logger.exception("An audit entry could not be stored.")
        return
    if entry.pk % _CLEAR_EVERY == 0:
        with suppress(DatabaseError), transaction.atomic():
            AuditEntry.objects.filter(pk__lte=entry.pk - MOST).delete()
