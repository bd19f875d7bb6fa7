"""
Every way the engine can fail, beside Django's own CreateError and UpdateError.

StorageUnavailable    the store cannot be reached in time; 503 with Retry-After
SessionTooLarge       it has more than SESSION_MOST_BYTES; names its largest key
UnstorableValue       JSON cannot hold a value of the session; names its key
DamagedRecord         what is stored is not a session; never leaves the engine
"""

DEFAULT_RETRY_AFTER_SECONDS = 5


class StorageUnavailable(Exception):
    """
    The session cannot be known now. It may well exist.

    Never to be taken for "logged out": the cookie stays, nothing is made anew.
    """

    code = "session_storage_unavailable"
    status_code = 503

    def __init__(
        self,
        reason: str = "The session storage does not answer.",
        *,
        retry_after: int = DEFAULT_RETRY_AFTER_SECONDS,
    ) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class UnstorableValue(TypeError):
    """A value of the session cannot be written as JSON without changing it."""


class SessionTooLarge(ValueError):
    """The session has more bytes than SESSION_MOST_BYTES allows, and is not saved."""


class DamagedRecord(ValueError):
    """Bytes that are not the JSON object of a session."""


# What leaves the engine because something outside it is so, and not for a mistake here.
ANTICIPATED = (StorageUnavailable, UnstorableValue, SessionTooLarge)
