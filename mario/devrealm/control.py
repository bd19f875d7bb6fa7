"""
The hand that tests drive the realm with.

It exists only where ``DEV_REALM_CONTROL`` gave a token, and every request has
to show that token in the header ``X-Devrealm-Control``.
"""

import hmac
import json
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse

from mario.devrealm.faults import Fault, arrange, clear
from mario.devrealm.provider import sign_out as end_sign_in
from mario.devrealm.runtime import realm

type _Orders = dict[str, Any]


def _commanded(
    obey: Callable[[str, _Orders], _Orders],
) -> Callable[[HttpRequest], HttpResponse]:
    """Check the token, read the JSON, answer with JSON."""

    @wraps(obey)
    def view(request: HttpRequest) -> HttpResponse:
        token = realm().environment.control_token
        shown = request.headers.get("X-Devrealm-Control", "")
        if token is None or not hmac.compare_digest(token.encode(), shown.encode()):
            raise Http404
        try:
            orders = json.loads(request.body or b"{}")
            return JsonResponse(obey(request.method or "", orders))
        except (ValueError, TypeError, KeyError) as error:
            return JsonResponse({"error": str(error)}, status=400)

    return view


@_commanded
def rotate_keys(method: str, orders: _Orders) -> _Orders:
    del method, orders
    return {"kid": realm().keys.rotate()}


@_commanded
def forget_old_keys(method: str, orders: _Orders) -> _Orders:
    del method, orders
    return {"forgotten": realm().keys.forget_old()}


@_commanded
def faults(method: str, orders: _Orders) -> _Orders:
    """Arrange ``{"endpoint", "delay", "status", "body", "times"}``, or clear."""
    if method == "DELETE":
        clear()
        return {}
    endpoint = str(orders.pop("endpoint"))
    arrange(endpoint, Fault(**orders))
    return {"endpoint": endpoint}


@_commanded
def mint(method: str, orders: _Orders) -> _Orders:
    """Sign any claims under any header with the realm's own key."""
    del method
    header, claims = dict(orders.get("header", {})), dict(orders["claims"])
    return {"token": realm().keys.sign(claims, **header)}


@_commanded
def sign_out(method: str, orders: _Orders) -> _Orders:
    """End every sign-in of a person, as an administrator of Keycloak can."""
    del method
    user = realm().file.user_by_login(str(orders["username"]))
    ended = realm().sign_ins.of_user(user.sub) if user else []
    for sign_in in ended:
        end_sign_in(sign_in.sid)
    return {"ended": [sign_in.sid for sign_in in ended]}


@_commanded
def change_person(method: str, orders: _Orders) -> _Orders:
    """Change ``enabled`` or ``realmRoles`` of ``username``, as an administrator can."""
    del method
    user = realm().file.user_by_login(str(orders.pop("username")))
    unknown = orders.keys() - {"enabled", "realmRoles"}
    if user is None or unknown:
        raise ValueError(f"cannot change {sorted(unknown) or 'nobody'}")
    realm().file.change_user(user, **orders)
    return {"username": user.username}
