"""
session_revoked: sent after an operator has ended a session, with `session_key` and
`record`, what it held. A project that lets a token lead to a session ends the token's
login here, too.

outage_began: sent once when this process stops asking Redis, with `reason`; its
receivers run in the thread of the request that noticed, and must not wait.

outage_ended: sent once after Redis has heard of every change, with `seconds`, how long
the outage took.
"""

from django.dispatch import Signal

session_revoked = Signal()
outage_began = Signal()
outage_ended = Signal()
