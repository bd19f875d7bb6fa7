"""The README's own words, made into a project's settings."""

import re

from tests.packaging.building import ROOT

_README = ROOT / "sessions_backend" / "README.md"
_DJANGOS = "django.contrib.sessions.middleware.SessionMiddleware"


def switched_on(redis_url: str) -> str:
    """
    Return what the README tells to put into the settings of `startproject`.

    Its three dots stand for what is in the file already.
    """
    block = _code_after("## Switch it on")
    place = f"MIDDLEWARE.index({_DJANGOS!r})"
    for dots, meant in (
        ("INSTALLED_APPS = [...,", "INSTALLED_APPS = [*INSTALLED_APPS,"),
        ("MIDDLEWARE = [\n    ...,", f"MIDDLEWARE = [\n    *MIDDLEWARE[:{place}],"),
        ("    ...,\n]", f"    *MIDDLEWARE[{place} + 1:],\n]"),
        (
            '"default": {...},',
            '"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},',
        ),
        ("redis://localhost:6379/0", redis_url),
    ):
        assert block.count(dots) == 1, dots
        block = block.replace(dots, meant)
    return block


def _code_after(heading: str) -> str:
    found = re.search(
        rf"^{heading}$.*?^```python\n(.*?)^```",
        _README.read_text(),
        re.MULTILINE | re.DOTALL,
    )
    assert found, heading
    return found[1]
