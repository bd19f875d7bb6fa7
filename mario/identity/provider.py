"""
Calls to Keycloak, each over within a stated time, whatever Keycloak does.

The time-out of `requests` starts again with every byte: a server that trickles
would hold a worker for hours. So each call has a thread of its own, that is left
behind when the time is over; their number is bounded.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Any

import requests
from django.conf import settings
from urllib3.exceptions import HTTPError

from mario.identity.exceptions import ProviderUnavailable

# Bytes; a realm's key set has about 3,000, a token response 4,000.
MAX_ANSWER_SIZE = 256 * 1024
# Each waits in a thread of its own.
MAX_CALLS_AT_ONCE = 64
# Seconds between two signs of life to who waits for an answer.
BEAT = 1.0

_slots = threading.BoundedSemaphore(MAX_CALLS_AT_ONCE)


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes


def call(
    method: str,
    url: str,
    *,
    data: dict[str, Any] | None = None,
    seconds: float | None = None,
    beat: Callable[[], object] = lambda: None,
) -> Answer:
    """
    Ask Keycloak; never follow a redirect.

    An answer is waited for OIDC_TIMEOUT seconds, unless `seconds` says otherwise, and
    a free place among the calls for no longer. `beat` is called about once a second
    meanwhile.

    :raises ProviderUnavailable: if there is no whole answer in time, or too large a
        one
    """
    seconds = settings.OIDC_TIMEOUT if seconds is None else seconds
    if not _within(seconds, beat, lambda most: _slots.acquire(timeout=most)):
        raise ProviderUnavailable("too many calls wait for an answer")
    answer: Future[Answer] = Future()
    threading.Thread(
        target=_fulfil, args=(answer, method, url, data), daemon=True
    ).start()
    if not _within(seconds, beat, lambda most: _is_there(answer, most)):
        raise ProviderUnavailable("no answer in time")
    return answer.result()


def _within(
    seconds: float, beat: Callable[[], object], try_for: Callable[[float], bool]
) -> bool:
    ends_at = time.monotonic() + seconds
    while (left := ends_at - time.monotonic()) > 0:
        if try_for(min(left, BEAT)):
            return True
        beat()
    return False


def _is_there(answer: Future[Answer], seconds: float) -> bool:
    return bool(wait([answer], timeout=seconds).done)


def _fulfil(answer: Future[Answer], *call: Any) -> None:
    try:
        answer.set_result(_exchange(*call))
    except (requests.RequestException, HTTPError, OSError) as error:
        # The type alone: the text may hold what was sent.
        answer.set_exception(ProviderUnavailable(type(error).__name__))
    except ProviderUnavailable as error:
        answer.set_exception(error)
    finally:
        _slots.release()


def _exchange(method: str, url: str, data: dict[str, Any] | None) -> Answer:
    with requests.request(
        method,
        url,
        data=data,
        timeout=settings.OIDC_TIMEOUT,
        allow_redirects=False,
        stream=True,
    ) as response:
        body = response.raw.read(MAX_ANSWER_SIZE + 1, decode_content=True)
    if len(body) > MAX_ANSWER_SIZE:
        raise ProviderUnavailable("its answer is too large")
    return Answer(response.status_code, body)
