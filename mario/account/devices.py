"""
Which browser on which device a session belongs to, as far as a person can use it.

No library: the exact version is of no use on the page, and lists of all browsers ever
made weigh more than the shop. What is not known is called a program.
"""

import time
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.contrib.auth import SESSION_KEY
from django.http import HttpRequest, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

from mario.identity.addresses import client_address

# In the session: where it was begun, and when it was last seen.
DEVICE = "device"
# Seconds between two notes of a session that is used all the time.
SEEN_EVERY = 600
_UNKNOWN = "An unknown device"
_LONGEST_AGENT = 400
# In this order: most browsers also give the names of those below them.
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chromium", "Chromium"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
_SYSTEMS = (
    ("iPhone", "an iPhone"),
    ("iPad", "an iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Macintosh", "a Mac"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def describe(user_agent: str) -> str:
    """Say in a few words of our own what a User-Agent header stands for."""
    agent = user_agent[:_LONGEST_AGENT]
    if not agent:
        return _UNKNOWN
    browser = next((name for mark, name in _BROWSERS if mark in agent), None)
    system = next((name for mark, name in _SYSTEMS if mark in agent), None)
    if browser and system:
        return f"{browser} on {system}"
    return browser or (f"A program on {system}" if system else "A program")


def note_login(*, request: Any = None, **_: object) -> None:
    """Write into the session where it begins; called when somebody has logged in."""
    if hasattr(request, "session"):
        request.session[DEVICE] = _of(request)


@sync_and_async_middleware
def seen_middleware(get_response: Any) -> Any:
    """
    Note now and then that a session is in use, and from which address.

    Only a session that the request has read anyway: no page reads one for this.
    """
    if iscoroutinefunction(get_response):

        async def in_an_event_loop(request: HttpRequest) -> HttpResponseBase:
            response: HttpResponseBase = await get_response(request)
            _note_seen(request)
            return response

        return in_an_event_loop

    def in_a_thread(request: HttpRequest) -> HttpResponseBase:
        response: HttpResponseBase = get_response(request)
        _note_seen(request)
        return response

    return in_a_thread


def _note_seen(request: HttpRequest) -> None:
    # The engine's name for what was loaded; to look into it loads nothing.
    loaded = getattr(request.session, "_session_cache", None)
    if not loaded or SESSION_KEY not in loaded:
        return
    device = loaded.get(DEVICE)
    if not isinstance(device, dict):
        request.session[DEVICE] = _of(request)
        return
    seen_at = device.get("seen_at")
    if type(seen_at) is not int or time.time() - seen_at >= SEEN_EVERY:
        now = {"address": client_address(request), "seen_at": int(time.time())}
        request.session[DEVICE] = {**device, **now}


def _of(request: HttpRequest) -> dict[str, Any]:
    now = int(time.time())
    return {
        "name": describe(request.headers.get("User-Agent", "")),
        "address": client_address(request),
        "since": now,
        "seen_at": now,
    }
