"""
What each key of the engine is called.

A session's record is the only key that begins with the project's prefix; all others
begin with `sessions:`, which no pattern for records matches.
"""

import hashlib

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
LEASE_PREFIX = f"{AUXILIARY_PREFIX}lease:"


def record_key(session_key: str) -> str:
    return conf.load().key_prefix + session_key


def name_of(key: str) -> str:
    return key.removeprefix(conf.load().key_prefix)


def is_record(key: str) -> bool:
    return key.startswith(conf.load().key_prefix)


def superseded_key(record_key: str) -> str:
    return SUPERSEDED_PREFIX + name_of(record_key)


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
    """Return what may be shown for an id or a key, which are as good as passwords."""
    return _sha256(text)[:16]


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
