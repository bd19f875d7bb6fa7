"""Records that cannot be read: kept aside for an operator, and counted."""

import logging

from sessions_backend import health, names
from sessions_backend.stores.base import AsyncStore

logger = logging.getLogger("sessions_backend")

KEPT_SECONDS = 7 * 86400


async def set_aside(store: AsyncStore, key: str, raw: bytes, reason: str) -> None:
    """
    Move a damaged record where no request meets it again, for a week.

    A record that another writer has repaired meanwhile stays where it is.
    """
    kept_as = names.DAMAGED_PREFIX + names.handle(key)
    await store.put(kept_as, raw, KEPT_SECONDS)
    removed = await store.take(key)
    if removed not in {None, raw}:
        await store.create(key, removed or b"", KEPT_SECONDS)
    # The id would be as good as a password to whoever reads the log.
    logger.error("A damaged session record is kept as %s: %s", kept_as, reason)
    health.count("damaged_records")


def note_unreadable(key: str, reason: str) -> None:
    """Report a key that holds no bytes at all; it is left where it is."""
    logger.error("Session record %s cannot be read: %s", names.handle(key), reason)
    health.count("damaged_records")
