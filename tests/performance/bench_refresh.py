"""
How long requests wait while 500 logins are renewed at once, by a slow provider (1 s).

    python -m tests.performance.bench_refresh [logins]

One process with the threads of four workers of gunicorn, a real Valkey, a database
file, and the provider in a process of its own. Measured is the time that
LoginMiddleware holds a request. First all tokens are about to end; then all have ended
a moment ago, and requests may go on without; then so long ago that they may not.
"""

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import batched
from pathlib import Path

# The environment has to stand before Django reads its settings.
from tests import environment

# isort: split
import django
import httpx
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from tests.mario.identity.issuer import DISCOVERY, Issuer
from tests.performance.report import say, server_version, versions

LOGINS = 500
THREADS = 32
PROVIDER_SECONDS = 1.0


def sign_in(issuer: Issuer, number: int) -> tuple[str, dict[str, object]]:
    """Make a session as a login does, and what its refresh will bring."""
    from mario.identity import people  # noqa: PLC0415
    from mario.identity.kept_tokens import KeptTokens  # noqa: PLC0415
    from sessions_backend.engine import SessionStore  # noqa: PLC0415

    claims = issuer.claims(sub=f"guest-{number}", sid=f"login-{number}")
    account = people.find_or_create_account(
        {**claims, "preferred_username": f"guest-{number}"}
    )
    access, identifying = issuer.sign(claims), issuer.sign({**claims, "typ": "ID"})
    answer = {
        "access_token": access,
        "id_token": identifying,
        "refresh_token": f"next-{number}",
        "expires_in": 300,
    }
    session = SessionStore()
    session["_auth_user_id"] = str(account.user.pk)
    session["tokens"] = KeptTokens.new(
        {**answer, "refresh_token": f"refresh-{number}"}, claims, now=time.time()
    ).as_stored()
    session["user_info"] = people.user_info(claims)
    session.create()
    return str(session.session_key), answer


def let_tokens_end_in(keys: list[str], seconds: int) -> None:
    from sessions_backend.engine import SessionStore  # noqa: PLC0415

    for key in keys:
        session = SessionStore(key)
        session["tokens"] = {
            **session["tokens"],
            "expires_at": int(time.time()) + seconds,
        }
        session.save()


def meet(keys: list[str]) -> list[float]:
    """Let every session have a request at once; return how long each was held."""
    from mario.identity.middleware import LoginMiddleware  # noqa: PLC0415
    from sessions_backend.engine import SessionStore  # noqa: PLC0415

    let_in: list[float] = []

    def view(request: HttpRequest) -> HttpResponse:
        let_in.append(time.monotonic())
        return HttpResponse()

    middleware = LoginMiddleware(view)

    def request(key: str) -> float:
        asked = RequestFactory().get("/orders/")
        asked.session = SessionStore(key)
        started = time.monotonic()
        middleware(asked)
        return time.monotonic() - started

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(request, keys))


def generations(keys: list[str]) -> list[int]:
    from sessions_backend.engine import SessionStore  # noqa: PLC0415

    return [SessionStore(key)["tokens"]["generation"] for key in keys]


def shown(url: str) -> list[int]:
    return list(httpx.get(url, timeout=10).json().values())


def main() -> None:
    logins = int(sys.argv[1]) if len(sys.argv) > 1 else LOGINS
    django.setup()
    from django.core.management import call_command  # noqa: PLC0415

    from mario.identity import refresh  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    say(versions(server_version(environment.VALKEY)))
    with Issuer() as issuer:
        settings.OIDC_OP_ISSUER = issuer.issuer
        settings.OIDC_OP_JWKS_ENDPOINT = f"{issuer.url}/certs"
        settings.OIDC_OP_DISCOVERY_ENDPOINT = f"{issuer.url}{DISCOVERY}"
        made = [sign_in(issuer, number) for number in range(3 * logins)]
        answers = {f"refresh-{number}": made[number][1] for number in range(len(made))}
        file = Path(environment.STATE) / "answers.json"
        file.write_text(json.dumps(answers))
        command = [sys.executable, "-m", "tests.performance.slow_provider"]
        with subprocess.Popen(
            [*command, str(file), str(PROVIDER_SECONDS)], stdout=subprocess.PIPE
        ) as provider:
            assert provider.stdout is not None
            url = f"http://127.0.0.1:{int(provider.stdout.readline())}/"
            settings.OIDC_OP_TOKEN_ENDPOINT = url
            try:
                report([key for key, _ in made], logins, url)
            finally:
                refresh.forget_all()
                provider.kill()


def report(keys: list[str], logins: int, url: str) -> None:
    ends = {"about to end": 30, "ended": -1, "ended long ago": -400}
    for (words, seconds), group in zip(
        ends.items(), batched(keys, logins), strict=True
    ):
        group_keys = list(group)
        # Connections are made, and modules imported, once.
        meet(group_keys[: 2 * THREADS])
        let_tokens_end_in(group_keys, seconds)
        started = time.monotonic()
        held = meet(group_keys)
        met = time.monotonic() - started
        while set(generations(group_keys)) != {2}:
            if time.monotonic() - started > 120:  # seconds
                raise SystemExit("not every login was renewed")
            time.sleep(0.2)
        say(
            f"{logins} logins {words}: a request is held {max(held):.2f} s at most, "
            f"{sum(held) / len(held):.3f} s on average; all were answered after "
            f"{met:.1f} s and are renewed after {time.monotonic() - started:.1f} s"
        )
    say(f"token requests for each: {min(shown(url))} to {max(shown(url))}")


if __name__ == "__main__":
    main()
