"""
What a browser shows while the shop cannot be reached: one page, the same for everybody.

The service worker keeps that page and the files it needs, and nothing else: no page of
somebody's and no answer of the API is ever in its cache.
"""

import hashlib
import json
from functools import cache
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles import finders
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import get_template
from django.templatetags.static import static
from django.urls import reverse
from django.views.decorators.http import require_safe

TEMPLATES = ("offline.html", "base_plain.html", "service-worker.js")
FILES = (
    "pizzeria/vendor/bootstrap/bootstrap-reboot-5.3.9.min.css",
    "pizzeria/vendor/bootstrap/bootstrap-grid-5.3.9.min.css",
    "pizzeria/vendor/fonts/figtree-latin-wght.woff2",
    "pizzeria/vendor/fonts/caprasimo-latin-400.woff2",
    "pizzeria/css/tokens.css",
    "pizzeria/css/shop.css",
    "pizzeria/js/offline.js",
    "pizzeria/img/favicon.svg",
)


@require_safe
def offline(request: HttpRequest) -> HttpResponse:
    """Say that the shop cannot be reached, and what is kept; as to a visitor."""
    return render(request, "offline.html")


@require_safe
def service_worker(request: HttpRequest) -> HttpResponse:
    """
    Hand out the worker, from the root: its scope is where it lies, and below.

    Browsers look for a new one at each visit; its text changes with what it keeps.
    """
    kept = {
        "page": reverse("offline"),
        "files": [static(name) for name in FILES],
        "version": _version(),
    }
    response = render(
        request,
        "service-worker.js",
        {"kept": json.dumps(kept)},
        content_type="text/javascript",
    )
    response["Cache-Control"] = "no-cache"
    return response


@cache
def _version() -> str:
    """Name what is kept by what is in it."""
    # From the templates: a page says the time, and is another one each time.
    parts = [get_template(name).template.source for name in TEMPLATES]  # type: ignore[attr-defined]  # Django's own
    digest = hashlib.sha256("".join([settings.SHOP_PHONE, *parts]).encode())
    for name in FILES:
        found = finders.find(name)
        digest.update(Path(found).read_bytes() if found else name.encode())
    return digest.hexdigest()[:16]
