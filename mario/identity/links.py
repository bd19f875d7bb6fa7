"""Addresses of this shop that send a browser to Keycloak, and what they may ask for."""

import re
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict
from django.urls import reverse

from mario.identity.exceptions import LoginRefused

# What Keycloak calls an action that an application starts: a page of its own, after
# which the person comes back.
CHANGE_PASSWORD = "UPDATE_PASSWORD"  # noqa: S105  # a name
CHANGE_PROFILE = "UPDATE_PROFILE"

# Parameters of OpenID Connect Core 3.1.2.1 and of Keycloak that a link may carry. A
# link comes from anywhere, so nothing else goes on to Keycloak.
_ALLOWED = {
    "login_hint": re.compile(r"[^\x00-\x1f\x7f]{1,255}"),
    "ui_locales": re.compile(r"[A-Za-z0-9-]{2,35}( [A-Za-z0-9-]{2,35}){0,4}"),
    "prompt": re.compile("login"),
    "acr_values": re.compile(r"[\w.:-]{1,64}", re.ASCII),
    "max_age": re.compile("[0-9]{1,7}"),
    "kc_action": re.compile(f"{CHANGE_PASSWORD}|{CHANGE_PROFILE}"),
}


def login_url(
    next_url: str = "/",
    *,
    max_age: timedelta | None = None,
    kc_action: str = "",
    login_hint: str = "",
    prompt: str = "",
) -> str:
    """
    Return the address that logs somebody in and leads to `next_url`.

    With `max_age` Keycloak asks for the password again unless it was typed so lately,
    and the callback makes sure that it was. With `kc_action` the person changes the
    password or the profile on the way; `prompt` is `login`, for the password.
    """
    seconds = "" if max_age is None else str(round(max_age.total_seconds()))
    query = {
        "next": next_url,
        "max_age": seconds,
        "kc_action": kc_action,
        "login_hint": login_hint,
        "prompt": prompt,
    }
    asked = {name: value for name, value in query.items() if value}
    return f"{reverse('login')}?{urlencode(asked)}"


def asked_of_keycloak(query: QueryDict) -> dict[str, Any]:
    """
    Return what a link's query asks of Keycloak.

    :raises LoginRefused: if a value is none that such a link has
    """
    asked = {}
    for name, allowed in _ALLOWED.items():
        values = query.getlist(name)
        if not values:
            continue
        if len(values) > 1 or not allowed.fullmatch(values[0]):
            raise LoginRefused(f"its {name} is not one that a link here has")
        asked[name] = values[0]
    return asked
