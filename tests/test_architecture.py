"""Rules of imports that import-linter cannot state: it refuses `django.http`."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# Rules and data know nothing of how they are asked for.
INNER = sorted(
    path
    for name in ("models.py", "services.py", "transitions.py", "pricing.py")
    for path in (ROOT / "pizzeria").rglob(name)
)
OUTER = ("django.http", "django.shortcuts", "rest_framework", "django_htmx")


def imported_by(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def test_there_is_something_to_check():
    assert len(INNER) >= 4


@pytest.mark.parametrize("path", INNER, ids=lambda path: str(path.relative_to(ROOT)))
def test_rules_and_data_know_no_http(path: Path):
    assert not [name for name in imported_by(path) if name.startswith(OUTER)]
