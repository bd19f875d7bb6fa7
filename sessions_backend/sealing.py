"""
Sealing (SESSION_SEALING_KEYS): some of a record is encrypted, the rest stays readable.

A sealed member stands in the record as `sealed.1.<key>.<nonce, ciphertext and tag>`, by
AES-256-GCM. It is bound to its record's key and to its own name, so that it opens
nowhere else. The first key seals; all of them open.
"""

import base64
import hashlib
import os
import re
from functools import lru_cache
from typing import Any

import orjson
from django.core.exceptions import ImproperlyConfigured

from sessions_backend import conf, record
from sessions_backend.exceptions import DamagedRecord
from sessions_backend.record import Record

_MARK = "sealed.1."
_SEALED = re.compile(r"sealed\.1\.([0-9a-f]{8})\.([A-Za-z0-9_-]+)", re.ASCII)
# What AES-GCM was made for; never the same twice under one key, being random.
_NONCE_BYTES = 12


class Unsealed:
    """Read and write the records of a project that seals nothing."""

    are_made = False

    def __init__(self, members: tuple[str, ...]) -> None:
        self._members = frozenset(members)

    def decode(self, raw: bytes, key: str) -> Record:
        """
        Read a record that stands under `key`.

        :raises DamagedRecord: if it is none, or one of its seals cannot be opened
        """
        return self.opened(record.decode(raw), key)

    def encode(self, opened: Record, key: str) -> bytes:
        """
        Write a record that shall stand under `key`.

        :raises UnstorableValue: if a value would come back as another one
        :raises SessionTooLarge: if it has too many bytes
        """
        stored = self.sealed(opened, key)
        raw = record.encode(stored)
        record.demand_size(raw, stored, most=conf.load().most_bytes)
        return raw

    def opened(self, stored: Record, key: str) -> Record:
        for member in self._members:
            sealed = stored.get(member)
            if type(sealed) is str and sealed.startswith(_MARK):
                raise DamagedRecord("a seal, and SESSION_SEALING_KEYS is empty")
        return stored

    def sealed(self, opened: Record, key: str) -> Record:
        return opened

    def resealed(self, stored: Record, key: str) -> Record:
        return self.opened(stored, key)


class Seals(Unsealed):
    """
    Seal and open members of one session's record.

    A member that has not changed keeps the seal that it was read with: sealed anew it
    would be other bytes, and a session that nobody changed would be written.
    """

    are_made = True

    def __init__(self, ring: "_Ring", members: tuple[str, ...]) -> None:
        super().__init__(members)
        self._ring = ring
        # What was sealed last, and the seal, by the record's key and the member.
        self._known: dict[tuple[str, str], tuple[bytes, str]] = {}

    def opened(self, stored: Record, key: str) -> Record:
        opened = {
            member: self._open(key, member, value)
            for member, value in stored.items()
            if _is_sealed(value)
        }
        return {**stored, **opened} if opened else stored

    def sealed(self, opened: Record, key: str) -> Record:
        sealed = {
            member: self._seal(key, member, value)
            for member, value in opened.items()
            if self._is_to_be_sealed(member, value)
        }
        return {**opened, **sealed} if sealed else opened

    def resealed(self, stored: Record, key: str) -> Record:
        """
        Return a record as today's settings would have it; the same if it is so already.

        :raises DamagedRecord: if one of its seals cannot be opened
        """
        opened = self.opened(stored, key)
        if all(
            self._is_as_it_should_be(member, value, opened[member])
            for member, value in stored.items()
        ):
            return stored
        self._known.clear()
        return self.sealed(opened, key)

    def _is_to_be_sealed(self, member: str, value: Any) -> bool:
        # What only looks like a seal would be taken for one.
        return member in self._members or _is_sealed(value)

    def _is_as_it_should_be(self, member: str, stored: Any, opened: Any) -> bool:
        if not self._is_to_be_sealed(member, opened):
            return not _is_sealed(stored)
        return _is_sealed(stored) and stored.startswith(self._ring.mark)

    def _seal(self, key: str, member: str, value: Any) -> str:
        plain = record.encode({member: value})
        known = self._known.get((key, member))
        if known is not None and (
            known[0] == plain or record.same(record.decode(known[0]), {member: value})
        ):
            return known[1]
        sealed = self._ring.seal(plain, _bound_to(key, member))
        self._known[key, member] = (plain, sealed)
        return sealed

    def _open(self, key: str, member: str, sealed: str) -> Any:
        plain = self._ring.open(sealed, _bound_to(key, member))
        self._known[key, member] = (plain, sealed)
        return record.decode(plain)[member]


def resealed(raw: bytes, key: str) -> bytes | None:
    """
    Return a record as today's settings would have it; None if it is so already.

    :raises DamagedRecord: if it is none, or one of its seals cannot be opened
    """
    stored = record.decode(raw)
    made_anew = seals().resealed(stored, key)
    return None if made_anew is stored else record.encode(made_anew)


def seals() -> Unsealed:
    """Return what reads and writes one session's records, as the settings say."""
    settings = conf.load()
    if not settings.sealing_keys:
        return _without_keys(settings.sealed_members)
    return Seals(_ring(settings.sealing_keys), settings.sealed_members)


class _Ring:
    def __init__(self, keys: tuple[bytes, ...]) -> None:
        try:
            from cryptography.exceptions import InvalidTag  # noqa: PLC0415  # optional
            from cryptography.hazmat.primitives.ciphers.aead import (  # noqa: PLC0415
                AESGCM,
            )
        except ImportError as error:
            raise ImproperlyConfigured(
                "SESSION_SEALING_KEYS needs the package cryptography: install "
                "sessions-backend[sealing]."
            ) from error
        self._not_authentic = InvalidTag
        self._ciphers = {_key_id(key): AESGCM(key) for key in keys}
        self._first = _key_id(keys[0])
        self.mark = f"{_MARK}{self._first}."

    def seal(self, plain: bytes, bound_to: bytes) -> str:
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + self._ciphers[self._first].encrypt(nonce, plain, bound_to)
        return self.mark + base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()

    def open(self, text: str, bound_to: bytes) -> bytes:
        found = _SEALED.fullmatch(text)
        if found is None:
            raise DamagedRecord("a broken seal")
        key_id, encoded = found.groups()
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise DamagedRecord(f"a seal of the key {key_id}, which is not in the ring")
        try:
            sealed = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
            nonce, rest = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
            return cipher.decrypt(nonce, rest, bound_to)
        except (ValueError, self._not_authentic):
            # Without what it was caused by: that says nothing more.
            raise DamagedRecord(
                "a seal that was made for another record, or changed since"
            ) from None


@lru_cache(maxsize=4)
def _ring(keys: tuple[bytes, ...]) -> _Ring:
    return _Ring(keys)


@lru_cache(maxsize=4)
def _without_keys(members: tuple[str, ...]) -> Unsealed:
    return Unsealed(members)


def _is_sealed(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(_MARK)


def _bound_to(key: str, member: str) -> bytes:
    # As JSON, so that no two pairs are the same text.
    return orjson.dumps([key, member])


def _key_id(key: bytes) -> str:
    """Name a key by what tells nothing of it."""
    return hashlib.sha256(b"sessions-backend sealing key:" + key).hexdigest()[:8]
