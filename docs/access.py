#!/usr/bin/env python3
"""
The page "Who may do what", made from the shop's one table of roles and steps.

`python -m docs.access --write` renews the page; tests compare the two.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import django
from django.apps import apps
from django.urls import URLPattern, get_resolver

PAGE = Path(__file__).with_name("who-may-do-what.md")
HEAD = """# Who may do what

Made by `make docs` from `pizzeria/roles.py` (roles and their permissions),
`pizzeria/orders/transitions.py` (an order's steps) and what each view asks. A role is a
group of the same name, which a login takes from the realm. `admin` is a superuser and
may do everything. Whoever is logged in may order, whatever their role.

A test walks every address with every role and compares the answers with this page:
`tests/pizzeria/test_who_may.py`.
"""


def page() -> str:
    return "\n".join([HEAD, *_roles(), *_steps(), *_addresses()])


def _roles() -> list[str]:
    from pizzeria.roles import GROUP_PERMISSIONS  # noqa: PLC0415  # needs the models

    roles = list(GROUP_PERMISSIONS)
    asked = sorted({one for held in GROUP_PERMISSIONS.values() for one in held})
    words = _words_of_permissions()
    rows = [
        f"| {words[one]} | `{one}` | "
        + " | ".join("yes" if one in GROUP_PERMISSIONS[role] else "" for role in roles)
        + " |"
        for one in asked
    ]
    head = f"| action | permission | {' | '.join(f'`{role}`' for role in roles)} |"
    return ["## Roles", "", head, "|---|---|" + "---|" * len(roles), *rows, ""]


def _steps() -> list[str]:
    from pizzeria.orders.transitions import STEPS  # noqa: PLC0415  # needs the models

    rows = [
        f"| {step.source.label} | {step.target.label} | `{step.permission}` | "
        f"{_ownership(step)} |"
        for step in STEPS
    ]
    head = "| an order that is | becomes | by who has | and |"
    return ["## Steps of an order", "", head, "|---|---|---|---|", *rows, ""]


def _ownership(step: object) -> str:
    said = []
    if getattr(step, "by_owner", False):
        said.append("its own customer, too")
    if getattr(step, "by_own_driver", False):
        said.append("has it on their tour; `orders.oversee` steps in")
    if within := getattr(step, "within", None):
        said.append(f"within {within.total_seconds() // 60:.0f} minutes")
    if only_for := getattr(step, "only_for", None):
        said.append(f"only a {only_for.label.lower()}")
    return "; ".join(said)


def _addresses() -> list[str]:
    from pizzeria.access import needs_of  # noqa: PLC0415  # needs the settings

    rows = [
        f"| `{route}` | {_needs(needs_of(pattern.callback))} |"
        for route, pattern in shop_routes()
    ]
    return ["## Addresses", "", "| address | asks for |", "|---|---|", *rows, ""]


def _needs(permission: str | None) -> str:
    if permission is None:
        return "nothing"
    return f"`{permission}`" if permission else "a login"


def shop_routes() -> list[tuple[str, URLPattern]]:
    """Return every address whose view is the shop's, with its pattern."""
    return [
        (route, pattern)
        for route, pattern in _walk(get_resolver().url_patterns, "/")
        if _module_of(pattern).startswith("pizzeria.")
    ]


def _walk(patterns: Sequence[object], prefix: str) -> list[tuple[str, URLPattern]]:
    found = []
    for pattern in patterns:
        route = prefix + str(getattr(pattern, "pattern", ""))
        if isinstance(pattern, URLPattern):
            found.append((route, pattern))
        else:
            found += _walk(getattr(pattern, "url_patterns", []), route)
    return found


def _module_of(pattern: URLPattern) -> str:
    view = getattr(pattern.callback, "cls", pattern.callback)
    return str(view.__module__)


def _words_of_permissions() -> dict[str, str]:
    words = {}
    for model in apps.get_models():
        meta = model._meta  # noqa: SLF001  # Django's public name
        named = [
            (
                f"{action}_{meta.model_name}",
                f"{action} {meta.verbose_name}",
            )
            for action in meta.default_permissions
        ]
        for codename, text in [*named, *meta.permissions]:
            words[f"{meta.app_label}.{codename}"] = str(text).removeprefix("Can ")
    return words


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mario.settings")
    django.setup()
    if "--write" in sys.argv[1:]:
        PAGE.write_text(page())
    else:
        sys.stdout.write(page())


if __name__ == "__main__":
    main()
