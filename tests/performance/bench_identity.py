"""
What it costs to know an API caller: this shop, SimpleJWT, mozilla-django-oidc.

    make bench

The contenders take turns in one process, behind the shop's own middleware, with a
real Valkey and a database file. Counted is the CPU time of the thread that answers, so
neither the waiting for Redis nor the provider, which is in other threads, is in it;
ratios repeat, microseconds do not. SimpleJWT is not among the locked tools: uv gets it
for the run.
"""

import json
import threading
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# The environment has to stand before Django reads its settings.
from tests import environment  # noqa: F401

# isort: split
import django
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from django.conf import settings

from tests.mario.identity.issuer import CLIENT_ID, DISCOVERY, Issuer
from tests.performance.report import say, stay_on_one_cpu

ROUNDS = 300
BLOCKS = 9
Step = Callable[[], Any]


class Userinfo:
    """A provider's userinfo endpoint that answers at once."""

    def __init__(self) -> None:
        self.requests = 0
        outer = self
        answer = json.dumps({"sub": "peach", "email": "peach@example.com"}).encode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.requests += 1
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()


def configure(issuer: Issuer, userinfo: Userinfo) -> None:
    settings.ROOT_URLCONF = "tests.performance.identity_views"
    settings.OIDC_OP_ISSUER = issuer.issuer
    settings.OIDC_OP_JWKS_ENDPOINT = f"{issuer.url}/certs"
    settings.OIDC_OP_DISCOVERY_ENDPOINT = f"{issuer.url}{DISCOVERY}"
    settings.OIDC_OP_USER_ENDPOINT = userinfo.url
    settings.OIDC_DRF_AUTH_BACKEND = (
        "mozilla_django_oidc.auth.OIDCAuthenticationBackend"
    )
    settings.SIMPLE_JWT = {
        "ALGORITHM": "RS256",
        "VERIFYING_KEY": issuer.keys[0].as_pem(private=False).decode(),
        "SIGNING_KEY": None,
        "AUDIENCE": CLIENT_ID,
        "ISSUER": issuer.issuer,
        "TOKEN_TYPE_CLAIM": None,
        "AUTH_TOKEN_CLASSES": ("rest_framework_simplejwt.tokens.UntypedToken",),
    }
    settings.LOGGING = {"version": 1, "disable_existing_loggers": True}
    django.setup()


def claims(issuer: Issuer, user_id: int) -> dict[str, Any]:
    """The claims of a Keycloak token of 1,350 bytes or so, good for an hour."""
    later = datetime.now(UTC) + timedelta(hours=1)
    return issuer.claims(
        exp=int(later.timestamp()),
        jti="onrtac:5ad8b0d2-4a0e-4d0c-9a63-5d2ad5c4a7a1",
        acr="1",
        user_id=str(user_id),
        name="Peach Toadstool",
        email_verified=True,
        **{"allowed-origins": ["http://localhost:8080", "http://localhost:8081"]},
    )


def microseconds(
    steps: dict[str, Step], clock: Callable[[], float]
) -> dict[str, float]:
    """Return the best of some blocks, the contenders taking turns: load only adds."""
    taken: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(BLOCKS):
        for name, step in steps.items():
            began = clock()
            for _ in range(ROUNDS):
                step()
            taken[name].append((clock() - began) / ROUNDS * 1e6)
    return {name: min(values) for name, values in taken.items()}


def verification(issuer: Issuer, token: str) -> dict[str, float]:
    from mario.identity import memo, validator  # noqa: PLC0415

    message, _, signature = token.encode().rpartition(b".")
    raw = urlsafe_b64decode(signature + b"==")
    key = issuer.keys[0].public_key
    scheme, digest = padding.PKCS1v15(), hashes.SHA256()

    def anew() -> None:
        memo.forget()
        validator.access_token(token)

    def remembered() -> None:
        validator.access_token(token)

    return microseconds(
        {
            "bare": lambda: key.verify(raw, message, scheme, digest),
            "verified": anew,
            "remembered": remembered,
        },
        time.thread_time,
    )


def views(token: str) -> dict[str, float]:
    from django.test import Client  # noqa: PLC0415

    client = Client()

    def get(name: str) -> Step:
        headers = {"Authorization": f"Bearer {token}"}

        def step() -> None:
            answer = client.get(f"/api/cart/{name}", headers=headers)
            assert answer.status_code == 200, answer.content

        step()
        return step

    names = ("open", "ours", "simplejwt", "mozilla")
    return microseconds({name: get(name) for name in names}, time.thread_time)


def prepared_token(issuer: Issuer) -> str:
    """Make the tables, a user whom each contender finds, and a session with a cart."""
    from django.core.management import call_command  # noqa: PLC0415

    from mario.identity import (  # noqa: PLC0415
        jwks,
        login_session,
        people,
        validator,
    )

    call_command("migrate", verbosity=0)
    jwks.warm()
    first = issuer.claims()
    account = people.find_or_create_account(first)
    people.update_user(account, first)
    token = issuer.sign(claims(issuer, account.user.pk))
    session = login_session.open_for_bearer(account.user, validator.access_token(token))
    assert session is not None
    session["cart"] = {"one": {"pizza": 1, "size": "medium", "quantity": 1}}
    session.save()
    return token


def main() -> None:
    stay_on_one_cpu()
    userinfo = Userinfo()
    with Issuer() as issuer:
        configure(issuer, userinfo)
        token = prepared_token(issuer)
        costs = verification(issuer, token)
        asked = issuer.requests
        spent = views(token)
        asked = issuer.requests - asked
    over = {name: spent[name] - spent["open"] for name in spent if name != "open"}
    rows: list[tuple[str, float, float]] = [
        ("verified anew / bare RSA", costs["verified"] / costs["bare"], 5),
        ("from the memo / bare RSA", costs["remembered"] / costs["bare"], 0.2),
        ("bearer and session / SimpleJWT", over["ours"] / over["simplejwt"], 0.6),
        ("bearer and session / mozilla", over["ours"] / over["mozilla"], 0.2),
        ("requests to the provider for each call", asked, 0),
    ]
    say(f"A token of {len(token)} bytes; microseconds of CPU:")
    costs |= {f"+{name}": cost for name, cost in over.items()}
    for name, cost in costs.items():
        say(f"  {name:<12} {cost:>9.1f}")
    say(f"\n{'what':<42}{'is':>8}{'at most':>9}")
    for name, value, limit in rows:
        verdict = "" if value <= limit else "  MISSED"
        say(f"{name:<42}{value:>8.2f}{limit:>9}{verdict}")


if __name__ == "__main__":
    main()
