"""
login_refused: sent with `request` and `reason`, a sentence without secrets.

logged_out: sent after logins were ended, with `how` ("here", "back_channel" or
"front_channel"), the `request`, `user_id`, None if nobody here was known by that login,
and `count`, how many sessions went with it.
"""

from django.dispatch import Signal

login_refused = Signal()
logged_out = Signal()
