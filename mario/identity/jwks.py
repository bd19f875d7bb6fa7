"""
The realm's signing keys, in this process and shared with the others through Redis.

A key set is asked for again in the background when it has aged, and at most once per
30 s for all processes together when a token names a key that is not in it. While the
provider is away the last set serves, for a day at most. A key that is known is never
made to wait for any of this, and one that the provider has withdrawn is dead as soon
as that is seen.
"""

import logging
import secrets
import threading
import time
from http import HTTPStatus

from django.conf import settings
from joserfc.jwk import Key

from mario.identity import discovery, keyset, provider, shared
from mario.identity.exceptions import InvalidToken, ProviderUnavailable, UnknownKey
from mario.identity.keyset import KeySet

logger = logging.getLogger(__name__)

# Seconds.
SOFT_AGE = 600
HARD_AGE = 24 * 3600
COOL_DOWN = 30
RECENT = 10
# How long a token with a new key waits for the fetch that is under way for it.
PATIENCE = 1.0

_SET = "jwks"
_TURN = "jwks-turn"
_DONE = b"done"
_PAUSE = 0.02


class _State:
    current = KeySet()
    # What the others had when this process looked last.
    theirs: bytes | None = None
    # By the monotonic clock: when this process itself asked last, and when it last
    # saw to it in the background.
    asked_at = renewed_at = float("-inf")


_lock = threading.Lock()


def warm() -> None:
    """Have the keys before the first request needs them; a failure is only told."""
    try:
        _adopt_shared()
        if _age() > SOFT_AGE:
            _fetch()
    except ProviderUnavailable as error:
        logger.warning("The JWKS cache could not be warmed: %s", error)
    else:
        logger.info("🔐 JWKS cache pre-warmed")


def require_provider() -> None:
    """
    Make sure that Keycloak answers, before a browser is sent there.

    :raises ProviderUnavailable: if it does not, and did not within the last 10 s
    """
    if _age() > RECENT:
        _fetch()


def key(kid: str) -> Key:
    """
    Find the signing key that a token names.

    :raises UnknownKey: if the realm has no such key
    :raises ProviderUnavailable: if no usable key set could be fetched
    """
    _keep_fresh()
    found = _State.current.keys.get(kid)
    if found is None:
        _look_again(kid)
        found = _State.current.keys.get(kid)
    if found is None:
        raise UnknownKey("it is signed with an unknown key")
    return found


def only_key() -> Key:
    """
    Return the realm's key, for a token that names none.

    :raises InvalidToken: if there are several to choose from
    :raises ProviderUnavailable: if no usable key set could be fetched
    """
    _keep_fresh()
    if len(_State.current.keys) != 1:
        raise InvalidToken("it names no key, and the realm has several")
    return next(iter(_State.current.keys.values()))


def has(known: Key) -> bool:
    """
    Say whether the realm still has a key that was found before.

    :raises ProviderUnavailable: if its key set has become too old to say
    """
    _keep_fresh()
    return _State.current.keys.get(known.kid or "") is known


def forget() -> None:
    """Start again as a new process does."""
    _State.current, _State.theirs = KeySet(), None
    _State.asked_at = _State.renewed_at = float("-inf")
    discovery.forget()


def _age() -> float:
    return time.time() - _State.current.fetched_at


def _keep_fresh() -> None:
    age = time.time() - _State.current.fetched_at
    if age <= SOFT_AGE:
        return
    if age > HARD_AGE:
        _ask_again(patience=settings.OIDC_TIMEOUT)
        if _age() > HARD_AGE:
            raise ProviderUnavailable("the realm's keys are not known")
    elif time.monotonic() - _State.renewed_at >= RECENT:
        _State.renewed_at = time.monotonic()
        threading.Thread(target=_ask_again, name="jwks", daemon=True).start()


def _look_again(kid: str) -> None:
    """Look for a key that is new: at what others have fetched, then at the realm."""
    _adopt_shared()
    if kid not in _State.current.keys:
        _ask_again(patience=PATIENCE, wanted=kid)


def _is_due() -> bool:
    return time.monotonic() - _State.asked_at >= COOL_DOWN


def _ask_again(*, patience: float = 0.0, wanted: str = "") -> None:
    """
    Let one of all processes fetch the keys; wait for it, but only while it does.

    A fetch that is over is not waited for: a flood of unknown keys holds no thread.
    """
    deadline = time.monotonic() + patience
    if not _lock.acquire(timeout=patience):
        return
    try:
        if not _is_due() or wanted in _State.current.keys:
            return
        me = secrets.token_bytes(8)
        # Whoever dies in the middle is succeeded after this time.
        turn = shared.claim(_TURN, me, seconds=settings.OIDC_TIMEOUT * 2 + 1)
        if turn in (me, None):
            _fetch_in_turn()
        elif turn != _DONE:
            _await_others(deadline, wanted)
        elif _age() > SOFT_AGE:
            _adopt_shared()
    finally:
        _lock.release()


def _fetch_in_turn() -> None:
    try:
        _fetch()
    except ProviderUnavailable as error:
        logger.warning("The realm's keys could not be fetched again: %s", error)
    finally:
        shared.write(_TURN, _DONE, seconds=COOL_DOWN)


def _await_others(deadline: float, wanted: str) -> None:
    former = _State.current
    while time.monotonic() < deadline:
        time.sleep(_PAUSE)
        _adopt_shared()
        is_news = _State.current is not former
        if is_news or wanted in _State.current.keys or shared.read(_TURN) == _DONE:
            return


def _adopt_shared() -> None:
    """Take the set that another process has fetched, where it is a newer one."""
    raw = shared.read(_SET)
    current = _State.current
    if raw is None or raw == _State.theirs:
        return
    _State.theirs = raw
    try:
        theirs = keyset.read_shared(raw, known=current.keys)
    except ProviderUnavailable as error:
        logger.warning("The shared keys are not used: %s", error)
        return
    # Not from the future: a clock that is wrong must not make them last.
    if current.fetched_at < theirs.fetched_at <= time.time() + RECENT:
        _State.current = theirs


def _fetch() -> None:
    _State.asked_at = time.monotonic()
    discovery.require_issuer()
    answer = provider.call("GET", settings.OIDC_OP_JWKS_ENDPOINT)
    if answer.status != HTTPStatus.OK:
        raise ProviderUnavailable(f"HTTP {answer.status}")
    fetched = keyset.read(
        answer.body, fetched_at=time.time(), known=_State.current.keys
    )
    _State.current = fetched
    _State.theirs = fetched.as_json()
    shared.write(_SET, _State.theirs, seconds=HARD_AGE)
