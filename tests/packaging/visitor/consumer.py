"""A visitor's code for mypy: right uses, and wrong ones that must be refused."""

from datetime import timedelta
from typing import assert_type

from django.http import HttpRequest

from sessions_backend import failover, index
from sessions_backend.engine import SessionStore
from sessions_backend.exceptions import StorageUnavailable
from sessions_backend.merge import merge


def visits_of(session_key: str) -> int:
    session = SessionStore(session_key)
    assert_type(session.is_available, bool)
    try:
        session.load()
    except StorageUnavailable:
        return 0
    return int(session.get("visits", 0))


def lead_to_the_session_of(request: HttpRequest, sid: str) -> str | None:
    session_key = request.session.session_key
    if session_key is None or not failover.ping():
        return None
    return index.link(f"issuer|{sid}", session_key, ttl=timedelta(hours=8))


def wrong() -> None:
    # Each comment is an error of its own if mypy finds nothing to ignore.
    SessionStore(7)  # type: ignore[arg-type]
    index.link("issuer|sid", 7, ttl=60)  # type: ignore[arg-type]
    merge(base={}, earlier={})  # type: ignore[call-arg]
    failover.ping().wait()  # type: ignore[attr-defined]
