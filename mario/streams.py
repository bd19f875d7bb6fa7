"""
A session that ends closes the streams of its pages.

The shop does not know the engine, and the engine knows nothing of streams: they meet
here.
"""

from typing import Any

from django.dispatch import receiver

from pizzeria.live.telling import close_streams_of_session
from sessions_backend.signals import session_ended


@receiver(session_ended)
def close_streams(session_key: str, **_: Any) -> None:
    close_streams_of_session(session_key)
