"""The realm's pages for people, and the address that says it is up."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from mario.devrealm.runtime import realm

_STYLE = Path(__file__).parent / "templates" / "devrealm" / "style.css"


def page(
    request: HttpRequest | None,
    template: str,
    context: dict[str, Any] | None = None,
    *,
    status: int = 200,
    form_targets: Iterable[str] = (),
) -> HttpResponse:
    """
    Return a page whose forms may lead to the given addresses.

    Chromium holds ``form-action`` against the redirect after a form, too: the
    client's address has to be named or its callback is never reached.
    """
    context = {"title": realm().file.title, **(context or {})}
    response = render(request, f"devrealm/{template}", context, status=status)
    targets = " ".join(["'self'", *{_origin(target) for target in form_targets}])
    response["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; "
        f"base-uri 'none'; frame-ancestors 'none'; form-action {targets}"
    )
    return response


def error_page(reason: str, *, status: int = 400) -> HttpResponse:
    return page(None, "error.html", {"reason": reason}, status=status)


def front(request: HttpRequest) -> HttpResponse:
    """Say what this is to whoever opens the bare address."""
    return page(request, "front.html", {"realm": realm()})


def style(request: HttpRequest) -> HttpResponse:
    del request
    return HttpResponse(_STYLE.read_bytes(), content_type="text/css; charset=utf-8")


def ready(request: HttpRequest) -> JsonResponse:
    """Answer 200 once keys can be read: the realm can give tokens."""
    del request
    keys = len(realm().keys.published()["keys"])
    return JsonResponse({"status": "UP", "issuer": realm().issuer, "keys": keys})


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    del request, exception
    return error_page("There is no such page in this realm.", status=404)


def broken(request: HttpRequest) -> HttpResponse:
    del request
    return error_page("The realm has made a mistake; its log says which.", status=500)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
