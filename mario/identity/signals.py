"""
login_refused: sent with `request` and `reason`, a sentence without secrets.

token_refused: sent with `kind` ("bearer" or "logout"), `request` and `reason`, for what
must not be believed; not for what has merely expired. Anybody can cause any number.

logged_out: sent after logins were ended, with `how` ("here", "back_channel" or
"front_channel"), the `request`, `user_id`, None if nobody here was known by that login,
and `count`, how many sessions went with it.
"""

from django.dispatch import Signal

login_refused = Signal()
token_refused = Signal()
logged_out = Signal()
