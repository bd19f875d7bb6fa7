"""
Wrong tokens against verifiers: this shop's beside four libraries'.

    make matrix

Every token of tests/devrealm/test_bearer_cases.py, signed where it must be with the
development realm's own key, is given to each verifier, set up as strictly as its own
settings allow. The result goes into docs/identity.md. The libraries are not among the
locked tools: uv gets them for the run.
"""

import logging
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

# The environment has to stand before Django reads its settings.
from tests import environment  # noqa: F401

# isort: split
import django
from django.conf import settings

from tests.realms import DevRealm

PAGE = Path(__file__).resolve().parents[2] / "docs" / "identity.md"
BEGIN, END = "<!-- matrix: begin -->", "<!-- matrix: end -->"
CLIENT = "mario-app"
type Verifier = Callable[[str], object]

WHAT = {
    1: "unsigned",
    2: "signed with the public key as a secret",
    3: "another algorithm",
    4: "brings its own key or an address of one",
    5: "odd key id",
    6: "names the encryption key",
    7: "signed with another key",
    8: "critical headers",
    9: "not three parts, or spelled otherwise",
    10: "payload no object, too deep, too long",
    11: "a member twice",
    12: "expired by more than the leeway",
    13: "`exp` missing or no sensible number",
    14: "from the future, or `iat` missing",
    15: "another issuer",
    16: "another audience",
    18: "ID, refresh or other token",
    19: "header of another kind of token",
    20: "another client",
    21: "`sub` missing or no identifier",
}
LIBRARIES = {
    "mozilla-django-oidc": "mozilla-django-oidc",
    "SimpleJWT": "djangorestframework-simplejwt",
    "drf-oidc-auth": "drf-oidc-auth",
    "allauth": "django-allauth",
}


def configure(realm: DevRealm) -> None:
    settings.OIDC_OP_ISSUER = realm.issuer
    settings.OIDC_OP_JWKS_ENDPOINT = f"{realm.protocol_url}/certs"
    settings.OIDC_OP_DISCOVERY_ENDPOINT = (
        f"{realm.issuer}/.well-known/openid-configuration"
    )
    settings.OIDC_OP_USER_ENDPOINT = f"{realm.protocol_url}/userinfo"
    settings.OIDC_DRF_AUTH_BACKEND = (
        "mozilla_django_oidc.auth.OIDCAuthenticationBackend"
    )
    settings.SIMPLE_JWT = {
        "ALGORITHM": "RS256",
        "JWK_URL": f"{realm.protocol_url}/certs",
        "AUDIENCE": CLIENT,
        "ISSUER": realm.issuer,
        "LEEWAY": 30,
        # Keycloak's `typ` stands for it; its values are not those of SimpleJWT.
        "TOKEN_TYPE_CLAIM": None,
        "AUTH_TOKEN_CLASSES": ("rest_framework_simplejwt.tokens.UntypedToken",),
    }
    settings.OIDC_AUTH = {
        "OIDC_ENDPOINT": realm.issuer,
        "OIDC_CLAIMS_OPTIONS": {
            "aud": {"values": [CLIENT], "essential": True},
            "exp": {"essential": True},
            "sub": {"essential": True},
        },
        # It refuses tokens that were made longer ago than this.
        "OIDC_LEEWAY": 30,
        "JWT_AUTH_HEADER_PREFIX": "Bearer",
        "OIDC_RESOLVE_USER_FUNCTION": lambda request, claims: claims,
    }
    # Of the same label as allauth's own, and no part of what is asked here.
    settings.INSTALLED_APPS.remove("mario.account")
    settings.INSTALLED_APPS += [
        "allauth",
        "allauth.account",
        "allauth.socialaccount",
    ]
    settings.MIDDLEWARE += ["allauth.account.middleware.AccountMiddleware"]
    settings.LOGGING = {"version": 1, "disable_existing_loggers": True}
    django.setup()
    logging.disable(logging.CRITICAL)


def verifiers(realm: DevRealm) -> dict[str, Verifier]:
    """Return what each would do with a token: let it in, or raise."""
    from allauth.socialaccount.internal import jwtkit  # noqa: PLC0415
    from django.core.cache import cache  # noqa: PLC0415
    from mozilla_django_oidc.contrib.drf import OIDCAuthentication  # noqa: PLC0415
    from oidc_auth.authentication import JSONWebTokenAuthentication  # noqa: PLC0415
    from rest_framework.test import APIRequestFactory  # noqa: PLC0415
    from rest_framework_simplejwt.authentication import (  # noqa: PLC0415
        JWTAuthentication,
    )

    from mario.identity import validator  # noqa: PLC0415

    def request(token: str) -> Any:
        return APIRequestFactory().get("/", HTTP_AUTHORIZATION=f"Bearer {token}")

    def allauth(token: str) -> object:
        # It takes each `jti` once, and the tokens here share one.
        cache.clear()
        return jwtkit.verify_and_decode(
            credential=token,
            keys_url=f"{realm.protocol_url}/certs",
            issuer=realm.issuer,
            audience=CLIENT,
            lookup_kid=jwtkit.lookup_kid_jwk,
        )

    return {
        "this shop": validator.access_token,
        "mozilla-django-oidc": lambda token: OIDCAuthentication().authenticate(
            request(token)
        ),
        "SimpleJWT": lambda token: JWTAuthentication().get_validated_token(
            token.encode()
        ),
        "drf-oidc-auth": lambda token: JSONWebTokenAuthentication().authenticate(
            request(token)
        ),
        "allauth": allauth,
    }


def outcome(verifier: Verifier, token: str) -> str:
    """Say whether a verifier lets a token in, refuses it, or breaks over it."""
    from allauth.socialaccount.providers.oauth2.client import (  # noqa: PLC0415
        OAuth2Error,
    )
    from rest_framework.exceptions import APIException  # noqa: PLC0415

    from mario.identity.exceptions import InvalidToken  # noqa: PLC0415

    try:
        verifier(token)
    except (APIException, OAuth2Error, InvalidToken):
        return "refused"
    except Exception:  # noqa: BLE001  # what a web server answers with a 500
        return "broken"
    return "let in"


def tally(realm: DevRealm) -> Iterator[str]:
    """Return the table's lines."""
    from tests.devrealm import test_bearer_cases as cases  # noqa: PLC0415
    from tests.devrealm.forge import Forge  # noqa: PLC0415

    names = verifiers(realm)
    libraries = ", ".join(f"{name} {version(LIBRARIES[name])}" for name in LIBRARIES)
    yield f"{libraries}. A cell tells what becomes of the tokens of its row."
    yield ""
    yield f"| | tokens that | of them | {' | '.join(names)} |"
    yield f"|---|---|---|{'---|' * len(names)}"
    by_number: dict[int, list[Any]] = {}
    for name, make in {**cases.BY_ANYBODY, **cases.BY_THE_REALM}.items():
        by_number.setdefault(int(name.partition("-")[0]), []).append(make)
    for number, makes in sorted(by_number.items()):
        cells = [
            _cell([outcome(verifier, make(Forge.of(realm))) for make in makes])
            for verifier in names.values()
        ]
        row = f"| {number} | {WHAT[number]} | {len(makes)} | "
        yield f"{row}{' | '.join(cells)} |"
    good = [
        [outcome(verifier, make(Forge.of(realm))) for make in cases.GOOD.values()]
        for verifier in names.values()
    ]
    cells = [_cell_of_good(outcomes) for outcomes in good]
    yield f"| | are good | {len(cases.GOOD)} | {' | '.join(cells)} |"


def _cell(outcomes: list[str]) -> str:
    parts = []
    if let_in := outcomes.count("let in"):
        parts.append(f"**{let_in} let in**")
    if broken := outcomes.count("broken"):
        parts.append(f"{broken} error 500")
    return ", ".join(parts) or "all refused"


def _cell_of_good(outcomes: list[str]) -> str:
    let_in = outcomes.count("let in")
    return "all let in" if let_in == len(outcomes) else f"{let_in} let in"


def main() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="mario-matrix-") as folder,
        DevRealm(Path(folder)) as realm,
    ):
        configure(realm)
        from django.core.management import call_command  # noqa: PLC0415

        call_command("migrate", verbosity=0)
        lines = "\n".join(tally(realm))
    if "--write" in sys.argv[1:]:
        page = re.sub(
            f"{BEGIN}.*{END}",
            lambda _: f"{BEGIN}\n{lines}\n{END}",
            PAGE.read_text(),
            flags=re.DOTALL,
        )
        PAGE.write_text(page)
    else:
        sys.stdout.write(f"{lines}\n")


if __name__ == "__main__":
    main()
