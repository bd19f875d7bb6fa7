"""
Bring the sessions of another engine along, so that a switch logs nobody out.

Ids stay, and so does the rest of each session's life. What is here already is left
alone, so an import can be repeated, and an interrupted one begun again.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from sessions_backend import conf, failover, names, sealing
from sessions_backend.exceptions import SessionTooLarge, UnstorableValue
from sessions_backend.lifetimes import Lifetime
from sessions_backend.merge import USER_ID

_IN_A_TABLE = {
    "django.contrib.sessions.backends.db",
    "django.contrib.sessions.backends.cached_db",
}
_IN_FILES = "django.contrib.sessions.backends.file"


class Former(NamedTuple):
    """A live session of another engine."""

    session_key: str
    data: dict[str, Any]
    seconds_left: int


class Imported(NamedTuple):
    handle: str
    # Why it was not taken along; None if it was, or was here already.
    refusal: str | None
    is_new: bool


def sessions_of(engine: str) -> Iterator[Former]:
    """
    Read the live sessions of an engine of Django's.

    :raises ImproperlyConfigured: if the engine cannot name its sessions, as those over
        a cache and over cookies cannot; and if its application is not installed
    """
    if engine in _IN_A_TABLE:
        if not apps.is_installed("django.contrib.sessions"):
            raise ImproperlyConfigured(
                "Put django.contrib.sessions into INSTALLED_APPS for the import: its "
                "model reads the table."
            )
        return _in_a_table()
    if engine == _IN_FILES:
        return _in_files()
    raise ImproperlyConfigured(
        f"{engine} cannot name its sessions. Those that can: "
        f"{', '.join(sorted({*_IN_A_TABLE, _IN_FILES}))}."
    )


def take_along(former: Former, *, is_dry_run: bool) -> Imported:
    """Store a session under the id that it had."""
    handle = names.handle_of(former.session_key)
    key = names.record_key(former.session_key)
    try:
        raw = sealing.seals().encode(_with_lifetime(former.data), key)
    except (UnstorableValue, SessionTooLarge) as error:
        return Imported(handle, str(error), is_new=False)
    store = failover.store()
    if is_dry_run:
        return Imported(handle, None, is_new=not store.exists(key))
    user_id = former.data.get(USER_ID)
    listed_in = None if user_id is None else names.user_list_key(str(user_id))
    is_new = store.create(key, raw, former.seconds_left, listed_in=listed_in)
    return Imported(handle, None, is_new=is_new)


def _with_lifetime(data: dict[str, Any]) -> dict[str, Any]:
    age = conf.load().absolute_age_seconds
    if age is None:
        return data
    return Lifetime.starting(datetime.now(UTC), age_seconds=age).written_into(data)


def _in_a_table() -> Iterator[Former]:
    # The model wants its application installed, which this engine does not.
    from django.contrib.sessions.models import Session  # noqa: PLC0415

    now = timezone.now()
    for row in Session.objects.filter(expire_date__gt=now).iterator():
        seconds = int((row.expire_date - now).total_seconds())
        if (data := row.get_decoded()) and seconds > 0:
            yield Former(row.session_key, data, seconds)


def _in_files() -> Iterator[Former]:
    engine = import_module(_IN_FILES).SessionStore
    folder = Path(engine._get_storage_path())  # noqa: SLF001  # no public name
    for file in sorted(folder.glob(f"{settings.SESSION_COOKIE_NAME}*")):
        session = engine(file.name.removeprefix(settings.SESSION_COOKIE_NAME))
        data = session.load()
        seconds = int(session.get_expiry_age())
        if data and seconds > 0:
            yield Former(str(session.session_key), data, seconds)
