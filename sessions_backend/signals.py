"""
session_revoked: sent after an operator has ended a session, with `session_key` and
`record`, what it held. A project that lets a token lead to a session ends the token's
login here, too.
"""

from django.dispatch import Signal

session_revoked = Signal()
