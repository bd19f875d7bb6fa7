"""
Login attempts, kept outside the session.

Each attempt is a signed cookie of its own in the browser that began it: opening the
login page makes no session, several tabs do not disturb each other, each has its
own `next`, and a callback in another browser finds nothing.
"""

from dataclasses import asdict, dataclass
from hashlib import sha256

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

# Seconds between the login page and the callback.
MAX_AGE = 600
# Browsers keep few cookies and servers read few: more tabs drop the oldest.
MAX_ATTEMPTS = 6
# A cookie has 4,096 bytes, the rest of an attempt about 400.
MAX_NEXT_URL_LENGTH = 1024
_NAME = "mario_login_"
_SALT = "mario.identity.attempts"


@dataclass(frozen=True)
class Attempt:
    """What must come back from Keycloak, and where to go then."""

    state: str
    nonce: str
    code_verifier: str
    next_url: str
    # Seconds that may lie between the password and the callback; None for any.
    max_age: int | None = None
    # How strong the login must be; empty for any.
    acr: str = ""


def remember(request: HttpRequest, response: HttpResponse, attempt: Attempt) -> None:
    # A browser sends the oldest of one path first (RFC 6265, 5.4).
    open_attempts = [
        name
        for name, value in request.COOKIES.items()
        if name.startswith(_prefix()) and value
    ]
    surplus = max(0, len(open_attempts) + 1 - MAX_ATTEMPTS)
    for name in open_attempts[:surplus]:
        _delete(response, name)
    response.set_cookie(
        _cookie_name(attempt.state),
        signing.dumps(asdict(attempt), salt=_SALT),
        max_age=MAX_AGE,
        path=_path(),
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        # The callback is a cross-site navigation, which Strict cookies miss.
        samesite="Lax",
    )


def recall(request: HttpRequest, state: str) -> Attempt | None:
    """Find the attempt of this browser that Keycloak answers, or None."""
    try:
        attempt = Attempt(
            **signing.loads(
                request.COOKIES.get(_cookie_name(state), ""),
                salt=_SALT,
                max_age=MAX_AGE,
            )
        )
    except (signing.BadSignature, TypeError):
        return None
    return attempt if attempt.state == state else None


def forget(response: HttpResponse, state: str) -> None:
    _delete(response, _cookie_name(state))


def _delete(response: HttpResponse, name: str) -> None:
    response.delete_cookie(name, path=_path(), samesite="Lax")
    # A browser takes no cookie of this name, not even its end, that is not Secure.
    response.cookies[name]["secure"] = settings.SESSION_COOKIE_SECURE


def _cookie_name(state: str) -> str:
    return _prefix() + sha256(state.encode()).hexdigest()[:16]


def _prefix() -> str:
    # `__Host-`: no neighbouring host can put an attempt of its own in this browser,
    # whose callback would log the person in as somebody else.
    return f"__Host-{_NAME}" if settings.SESSION_COOKIE_SECURE else _NAME


def _path() -> str:
    if settings.SESSION_COOKIE_SECURE:
        return "/"
    # What the login page and the callback have in common: both read the cookies.
    return reverse("login").removesuffix("login")
