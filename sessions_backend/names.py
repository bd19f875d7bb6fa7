"""
What each key of the engine is called.

A session's record is the only key that begins with the project's prefix; all others
begin with `sessions:`, which no pattern for records matches.

What follows the prefix is the record's name: the session's id or, with
SESSION_KEY_SECRET, an HMAC of it. Everything that the engine keeps in Redis holds names
and never ids, so that with the secret no dump of Redis holds a cookie.
"""

import hashlib
import hmac
import re
from functools import lru_cache
from typing import Self, TypeGuard

from sessions_backend import conf

AUXILIARY_PREFIX = "sessions:"
# Tells a server that was away from one that came back empty.
MARKER = f"{AUXILIARY_PREFIX}marker"
# A stream of the keys that were ended, for the copies that other processes hold.
ENDED = f"{AUXILIARY_PREFIX}ended"
DAMAGED_PREFIX = f"{AUXILIARY_PREFIX}damaged:"
LABEL_PREFIX = f"{AUXILIARY_PREFIX}label:"
# Where an id that was rotated still leads to, for a short grace.
SUPERSEDED_PREFIX = f"{AUXILIARY_PREFIX}superseded:"
# When what was restored under a name had been seen, for a minute.
RESTORED_PREFIX = f"{AUXILIARY_PREFIX}restored:"
LEASE_PREFIX = f"{AUXILIARY_PREFIX}lease:"
_matches_id = re.compile(r"[A-Za-z0-9_-]{8,128}", re.ASCII).fullmatch
# As long as the ids that the engine makes: 160 bits.
_NAME_DIGITS = 40


class RecordName(str):
    """
    A record's name as Redis has it: leads to the record, and is no id.

    What a cookie says is plain text and never of this type, so that nobody gets into a
    session with a name that was read in Redis.
    """

    __slots__ = ()

    def __str__(self) -> Self:
        """Stay what it is: as plain text it would be taken for an id."""
        return self


def is_id(text: object) -> TypeGuard[str]:
    """Say whether this may be an id or a record's name; all else leads nowhere."""
    return isinstance(text, str) and _matches_id(text) is not None


def record_name(session_key: str) -> RecordName:
    """Return the name of a session's record, by its id or by that name itself."""
    secret = conf.load().key_secret
    if secret is None or type(session_key) is RecordName:
        return RecordName(session_key)
    digest = hmac.digest(secret, session_key.encode(), "sha256")
    return RecordName(digest.hex()[:_NAME_DIGITS])


def record_key(session_key: str) -> str:
    settings = conf.load()
    if settings.key_secret is None:
        return settings.key_prefix + session_key
    return settings.key_prefix + record_name(session_key)


def name_of(key: str) -> RecordName:
    return RecordName(text_of(key))


def text_of(key: str) -> str:
    """Return a record's name as plain text, which is how Redis and JSON have it."""
    return key.removeprefix(conf.load().key_prefix)


def is_record(key: str) -> bool:
    return key.startswith(conf.load().key_prefix)


def superseded_key(record_key: str) -> str:
    return SUPERSEDED_PREFIX + name_of(record_key)


def restored_key(record_key: str) -> str:
    return RESTORED_PREFIX + name_of(record_key)


@lru_cache(maxsize=1024)
def user_list_key(user_id: str) -> str:
    """Return the key of the list of a user's sessions, a sorted set by end."""
    return f"{AUXILIARY_PREFIX}user:{_sha256(user_id)}"


def label_key(label: str) -> str:
    return LABEL_PREFIX + _sha256(label)


def lease_key(name: str) -> str:
    return LEASE_PREFIX + _sha256(name)


def is_lease(key: str) -> bool:
    return key.startswith(LEASE_PREFIX)


def handle(text: str) -> str:
    """Return what may be shown for a name or a key, which may be as good as an id."""
    return _sha256(text)[:16]


def handle_of(session_key: str) -> str:
    """Return what may be shown for a session, by its id or its record's name."""
    return handle(record_name(session_key))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
