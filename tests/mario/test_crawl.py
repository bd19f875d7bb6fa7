"""
The headers of every response: one walk over all addresses that no new one can escape.

The list is the URL resolver's own; every parameter gets a value, so an address with a
new kind of parameter fails here until it has one.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from http import HTTPStatus
from http.cookies import Morsel
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLResolver, get_resolver, reverse

from sessions_backend import operators
from tests.mario.identity.conftest import issuer  # noqa: F401  # a fixture
from tests.mario.identity.issuer import Issuer
from tests.mario.identity.test_login import log_in
from tests.markup import problems_of

ROOT = Path(__file__).resolve().parents[2]
VALUES = {
    "int": "1",
    "str": "x",
    "slug": "x",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "path": "x/y",
}
INHERITED = ("PATH", "HOME", "LANG", "TMPDIR")
# Served by a middleware, which no resolver knows.
FILES = {("/static/pizzeria/css/boards.css", "file"), ("/static/none.css", "no file")}
# The same for everybody, and no secret.
PUBLIC = {"health", "ready", "metrics", "file"}
# Pages that ask for no login: the API's documentation, a frame's, the last one, and
# the one that is the same for everybody.
WITHOUT_WAY_OUT = {"api_docs", "offline", "front_channel_logout", "logged_out"}
METHODS = ("GET", "POST")
# Where a browser keeps what it is given: cookies with a reason to be read by a page.
READABLE_COOKIES = {"csrftoken"}
# Only these may be shown in a frame, and only by Keycloak.
FRAMED = {"front_channel_logout"}
EVERYWHERE = {
    "object-src": ["'none'"],
    "base-uri": ["'none'"],
    "default-src": ["'self'"],
}
LONGEST_COOKIE = 4096
LOOSE = {"'unsafe-eval'", "'unsafe-inline'", "*", "data:", "http:", "https:"}
LOOSE_ANYWHERE = {("img-src", "data:")}
# Where a page is allowed what no other is, and why: unfold's Alpine, Swagger's styles.
ALLOWED_LOOSE: dict[str, set[tuple[str, str]]] = {
    "admin": {
        ("script-src", "'unsafe-eval'"),
        ("script-src", "'unsafe-inline'"),
        ("style-src", "'unsafe-inline'"),
    },
    "api_docs": {("style-src", "'unsafe-inline'")},
}


def addresses(
    resolver: URLResolver | None = None, prefix: str = "/", namespace: str = ""
) -> Iterator[tuple[str, str]]:
    """Name every address of the project, with a value for each parameter."""
    for entry in (resolver or get_resolver()).url_patterns:
        address = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from addresses(entry, address, entry.namespace or namespace)
            continue
        name = f"{namespace}:{entry.name}" if namespace else str(entry.name)
        yield _filled(address), name


def _filled(address: str) -> str:
    if "(?P" in address or "^" in address:
        # The admin's own expressions: one of app labels, one for what is left over.
        address = re.sub(r"\(\?P<app_label>[^)]*\)", "auth", address)
        address = re.sub(r"\(\?P<url>[^)]*\)\$?", "nothing-here", address)
        address = re.sub(r"\(\?P<format>[^)]*\)", "json", address)
        address = address.replace("^", "").replace("$", "").replace("\\.", ".")
        address = address.replace("/?", "/")
    return re.sub(r"<(?:(\w+):)?\w+>", lambda found: VALUES[found[1] or "str"], address)


@pytest.fixture(scope="module")
def found() -> list[tuple[str, str]]:
    return sorted({*addresses(), *FILES})


class Visitor:
    """Somebody without a login."""

    def __init__(self) -> None:
        self.browser = Client(raise_request_exception=False)

    def ready(self) -> Client:
        return self.browser


class Superuser(Visitor):
    """Somebody who may do everything, and is logged in before each address."""

    def ready(self) -> Client:
        user, _ = User.objects.get_or_create(
            username="everything", is_staff=True, is_superuser=True
        )
        self.browser.force_login(user)
        return self.browser


def problems(response: Any, name: str, *, is_secure: bool) -> Iterator[str]:
    yield from _of_policy(response, name)
    for header, wanted in _wanted(name, is_secure=is_secure).items():
        if not wanted.fullmatch(response.headers.get(header, "")):
            yield f"{header} is {response.headers.get(header)!r}"
    for cookie in response.cookies.values():
        yield from _of_cookie(cookie, is_secure=is_secure)


def _wanted(name: str, *, is_secure: bool) -> dict[str, re.Pattern[str]]:
    transport = "max-age=31536000; includeSubDomains; preload" if is_secure else ""
    patterns = {
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin|no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "X-Frame-Options": _frames(name),
        "Strict-Transport-Security": transport,
        "Access-Control-Allow-Origin": "",
        "Server": "",
        "X-Powered-By": "",
    }
    return {header: re.compile(pattern) for header, pattern in patterns.items()}


def _frames(name: str) -> str:
    if name in FRAMED or name == "file":
        # The policy says it of a file, too.
        return "|DENY"
    # Django's admin opens its own pages in frames; the policy, which browsers follow
    # instead, forbids even that.
    return "DENY|SAMEORIGIN" if name.startswith("admin:") else "DENY"


def _of_policy(response: Any, name: str) -> Iterator[str]:
    header = response.headers.get("Content-Security-Policy", "")
    parts = (part.split() for part in header.split(";") if part.strip())
    rules = {directive: values for directive, *values in parts}
    ancestors = {} if name in FRAMED else {"frame-ancestors": ["'none'"]}
    for directive, wanted in {**EVERYWHERE, **ancestors}.items():
        if rules.get(directive) != wanted:
            yield f"{directive} is {rules.get(directive)}"
    part = name if name in ALLOWED_LOOSE else name.partition(":")[0]
    loose = {
        (directive, value)
        for directive, values in rules.items()
        for value in LOOSE.intersection(values)
    }
    for directive, value in loose - ALLOWED_LOOSE.get(part, set()) - LOOSE_ANYWHERE:
        yield f"{directive} allows {value}"


def _of_cookie(cookie: Morsel[str], *, is_secure: bool) -> Iterator[str]:
    name = cookie.key
    is_readable = name.removeprefix("__Host-") in READABLE_COOKIES
    if cookie.value and not cookie["httponly"] and not is_readable:
        yield f"cookie {name} can be read by scripts"
    if cookie["samesite"] != "Lax":
        yield f"cookie {name} has SameSite {cookie['samesite']!r}"
    is_bound = cookie["secure"] and cookie["path"] == "/" and not cookie["domain"]
    if is_secure and not (is_bound and name.startswith("__Host-")):
        yield f"cookie {name} may come from another host, or go without TLS"
    if len(cookie.OutputString()) > LONGEST_COOKIE:
        yield f"cookie {name} is too large"


def _of_caching(response: Any) -> Iterator[str]:
    """What is shown to somebody who is logged in stays out of every cache."""
    allowed = response.headers.get("Cache-Control", "")
    if "no-store" not in allowed and "private" not in allowed:
        yield f"Cache-Control is {allowed!r} for somebody who is logged in"


def _of_the_way_out(response: Any, name: str) -> Iterator[str]:
    """Whoever is logged in can log out from every page (ASVS 7.4.4)."""
    if response.streaming or name in WITHOUT_WAY_OUT:
        return
    # A fragment stands in a page that has one.
    is_page = response.status_code == HTTPStatus.OK and b"<html" in response.content
    if is_page and not any(
        way in response.content for way in (b"/auth/logout", b"/admin/logout")
    ):
        yield "has no way to log out"


def walk(
    found: list[tuple[str, str]], *, is_secure: bool
) -> Iterator[tuple[Any, str, str, Visitor]]:
    """Ask for every address, as both of them, in both ways."""
    people = (Visitor(), Superuser())
    for (address, name), person, method in product(found, people, METHODS):
        response = person.ready().generic(
            method, address, secure=is_secure, content_type="application/json"
        )
        who = type(person).__name__.lower()
        yield response, name, f"{method} {address} as {who}", person
        if response.streaming:
            # The client closes what was read to its end.
            b"".join(response)


def crawl(found: list[tuple[str, str]], *, is_secure: bool) -> list[str]:
    wrong: list[str] = []
    cookies: set[str] = set()
    for response, name, what, person in walk(found, is_secure=is_secure):
        cookies |= response.cookies.keys()
        said = [*problems(response, name, is_secure=is_secure)]
        if response.status_code == HTTPStatus.INTERNAL_SERVER_ERROR:
            said.append("is an error 500")
        if isinstance(person, Superuser) and name not in PUBLIC:
            said += _of_caching(response)
            said += _of_the_way_out(response, name)
        if HTTPStatus(response.status_code).is_redirection:
            said += _of_redirect(response)
        wrong += [f"{what}: {it}" for it in said]
    # Else nothing was said about the ones that matter.
    for name in (settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME, "mario_log"):
        if not any(name in cookie for cookie in cookies):
            wrong.append(f"no response has set {name}")
    return wrong


def _of_redirect(response: Any) -> Iterator[str]:
    target = urlsplit(response.headers["Location"])
    known = {
        *(("", ""), ("http", "testserver"), ("https", "testserver")),
        urlsplit(settings.OIDC_OP_AUTHORIZATION_ENDPOINT)[:2],
        urlsplit(settings.OIDC_OP_REGISTRATION_ENDPOINT)[:2],
    }
    if (target.scheme, target.netloc) not in known:
        yield f"leads to {target.scheme}://{target.netloc}"


def test_the_walk_sees_every_address(found):
    names = {name for _, name in found}

    assert {"home", "login", "callback", "account_sessions", "metrics"} <= names
    assert {"admin:index", "admin:auth_user_changelist", "api_cart"} <= names
    assert len(found) > 80
    for address, _ in found:
        assert not set(address) & set("<>()^$?"), address


@pytest.mark.django_db
@pytest.mark.usefixtures("issuer")
def test_every_response_has_its_headers(found):
    wrong = crawl(found, is_secure=settings.SESSION_COOKIE_SECURE)

    assert not wrong, "\n".join(wrong)


@pytest.mark.django_db
def test_no_response_and_no_log_shows_a_token(
    found,
    issuer: Issuer,  # noqa: F811  # the fixture
    caplog,
):
    """Tokens stay on the server (ASVS 10.1.1), also before whoever may see all."""
    caplog.set_level("DEBUG")
    browser = Client(raise_request_exception=False)
    roles: Any = {"realm_access": {"roles": ["admin", "manager"]}}
    log_in(browser, issuer, auth_time=int(time.time()), **roles)
    session = browser.session
    record = operators.read(session.session_key or "")
    assert record is not None
    own = reverse("admin:sessions_backend_session_change", args=[record.handle])
    assert b"refresh_token" in browser.get(own).content
    secrets = [
        value.encode()
        for value in (session.session_key, *session["tokens"].values())
        if isinstance(value, str) and value != "Bearer"
    ]
    assert len(secrets) == 4

    shown = []
    for address in [own, *(address for address, _ in found)]:
        response: Any = browser.get(address)
        content = b"".join(response) if response.streaming else response.serialize()
        shown += [address for secret in secrets if secret in content]

    assert shown == []
    assert not [secret for secret in secrets if secret.decode() in caplog.text]


@pytest.mark.django_db
@pytest.mark.java
@pytest.mark.usefixtures("issuer")
def test_every_page_is_valid_html(found, tmp_path):
    pages = {
        what: response.content.decode()
        for response, name, what, _ in walk(found, is_secure=False)
        if _is_page_of_ours(response, name)
    }

    wrong = problems_of(pages, tmp_path)

    assert len(pages) > 50
    assert not wrong, "\n".join(wrong)


def _is_page_of_ours(response: Any, name: str) -> bool:
    """The admin's pages are unfold's, the API's documentation is Swagger's."""
    is_html = response.headers.get("Content-Type", "").startswith("text/html")
    is_others = name.startswith("admin:") or name == "api_docs"
    return is_html and not is_others and b"<html" in response.content


def test_and_has_them_with_tls():
    """In a process of its own: TLS decides settings when they are loaded."""
    if settings.SESSION_COOKIE_SECURE:
        return
    test = f"{__file__}::test_every_response_has_its_headers"

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:randomly", test],
        cwd=ROOT,
        env={
            **{name: os.environ[name] for name in INHERITED if name in os.environ},
            "TESTS_APP_URL": "https://testserver",
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert "1 passed" in done.stdout, done.stdout[-6000:] + done.stderr[-2000:]
