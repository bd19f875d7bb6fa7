"""
In both of the first, `session_key` is what the session's `record_name` is: its id, or
an HMAC of it with SESSION_KEY_SECRET.

session_revoked: sent after an operator has ended a session, with `session_key` and
`record`, what it held. A project that lets a token lead to a session ends the token's
login here, too.

session_ended: sent with `session_key` as soon as this process knows that a session is
over, whoever ended it and in whichever process; for an id that was rotated, too. What
shows a session's data for longer than a request has to stop then. It may be sent twice,
and in a thread of the engine or in an event loop: receivers are plain functions that
do not wait. A session that merely expires is not told.

outage_began: sent once when this process stops asking Redis, with `reason`; its
receivers run in the thread of the request that noticed, and must not wait.

outage_ended: sent once after Redis has heard of every change, with `seconds`, how long
the outage took.
"""

from django.dispatch import Signal

from sessions_backend import names

session_revoked = Signal()
session_ended = Signal()
outage_began = Signal()
outage_ended = Signal()


def tell_ended(key: str) -> None:
    """Send `session_ended` for the key of a record; other keys have no session."""
    if names.is_record(key):
        session_ended.send_robust(sender=tell_ended, session_key=names.name_of(key))
