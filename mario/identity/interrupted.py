"""
What somebody had typed when their login ended.

A form that is sent with a login that has just ended is not done, and its content waits
in the session, for ten minutes and for the same person: after the login they see it
again, and send it or not.
"""

import time
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse

FORM = "interrupted_form"
_SECONDS = 600
_MOST_FIELDS = 40
_MOST_CHARACTERS = 4096
_LEFT_OUT = "csrfmiddlewaretoken"
_ADDED_BY_PAGES = {
    *("handle", "is_ticked", "keep", "key", "order_key", "pizza", "seen", "seen_total"),
    *("user", "version"),
}

type Fields = list[tuple[str, str]]


def keep(request: HttpRequest, response: HttpResponseBase, *, user_id: str) -> None:
    """Keep the form of a request that is answered with the way to the login."""
    header = next(
        (
            name
            for name in ("Location", "HX-Redirect")
            if response.headers.get(name, "").partition("?")[0] == reverse("login")
        ),
        None,
    )
    fields = _typed(request) if header and request.method == "POST" else []
    if not header or not fields:
        return
    request.session[FORM] = {
        "path": request.path,
        "fields": fields,
        "user": user_id,
        "at": int(time.time()),
    }
    query = urlencode({"next": reverse("interrupted")})
    response.headers[header] = f"{reverse('login')}?{query}"


def take(session: SessionBase) -> tuple[str, Fields] | None:
    """Return where a form was sent to and what was in it, once and to its owner."""
    kept: Any = session.pop(FORM, None)
    if not isinstance(kept, dict) or kept.get("user") != session.get(SESSION_KEY):
        return None
    if time.time() - kept["at"] > _SECONDS:
        return None
    return kept["path"], kept["fields"]


def in_words(fields: Fields) -> Fields:
    """Name what a person typed or chose as they know it, without what pages add."""
    return [
        (name.removeprefix("customer_").replace("_", " ").capitalize(), value)
        for name, value in fields
        if name not in _ADDED_BY_PAGES
    ]


def _typed(request: HttpRequest) -> Fields:
    fields = [
        (name, value)
        for name, values in request.POST.lists()
        for value in values
        if name != _LEFT_OUT and value
    ]
    size = sum(len(name) + len(value) for name, value in fields)
    if request.FILES or len(fields) > _MOST_FIELDS or size > _MOST_CHARACTERS:
        return []
    return fields
