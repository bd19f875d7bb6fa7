"""
Tokens that this process has verified, so that each is verified once.

Entries are found by the SHA-256 of the token: no token stands in memory for it. What
may change after a verification is asked again each time, here whether it has expired
and whether the realm still has its key; what concerns its login and its user is the
caller's to ask.
"""

import time
from collections import OrderedDict
from hashlib import sha256
from typing import NamedTuple

from joserfc.jwk import Key

from mario.identity import jwks
from mario.identity.compact import Claims

# About 3 kB each; one more drops the oldest, which is verified again if it comes back.
MOST = 2048


class _Entry(NamedTuple):
    claims: Claims
    key: Key
    ends_at: float


_entries: OrderedDict[bytes, _Entry] = OrderedDict()


def recall(token: str) -> Claims | None:
    """
    Return the claims of a token that was kept, if they still hold.

    The dictionary is the caller's own; what is nested in it belongs to everybody.

    :raises ProviderUnavailable: if the realm's keys have become too old
    """
    digest = sha256(token.encode()).digest()
    entry = _entries.get(digest)
    if entry is None:
        return None
    # A renewed key set brings the same object for a key that has not changed.
    if time.time() >= entry.ends_at or not jwks.has(entry.key):
        _entries.pop(digest, None)
        return None
    return entry.claims.copy()


def keep(token: str, claims: Claims, key: Key, *, ends_at: float) -> None:
    _entries[sha256(token.encode()).digest()] = _Entry(claims.copy(), key, ends_at)
    while len(_entries) > MOST:
        # One step, whatever other threads do.
        _entries.popitem(last=False)


def forget() -> None:
    _entries.clear()
