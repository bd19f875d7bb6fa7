#!/usr/bin/env python3
"""
The part of the configuration page that is made from `mario/env.py`.

`python -m docs.reference --write` renews the page; tests compare the two.
"""

import sys
from pathlib import Path

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from mario.env import Environment

PAGE = Path(__file__).with_name("configuration.md")
BEGIN = "<!-- from mario/env.py: begin -->"
END = "<!-- from mario/env.py: end -->"


def table() -> str:
    """Return one row for each variable that the application reads."""
    rows = [
        f"| `{name.upper()}` | {_default(field)} | {field.description} |"
        for name, field in Environment.model_fields.items()
    ]
    return "\n".join(["| variable | default | meaning |", "|---|---|---|", *rows])


def generated_page() -> str:
    """Return the page with the part between the marks made anew."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def _default(field: FieldInfo) -> str:
    default = field.default
    if default is PydanticUndefined:
        return "must be set"
    if default is None or default == []:
        return "not set"
    if isinstance(default, SecretStr):
        default = default.get_secret_value()
    if isinstance(default, bool):
        default = str(default).lower()
    if isinstance(default, list):
        default = ",".join(default)
    return f"`{default}`"


def main() -> None:
    page = generated_page()
    if "--write" in sys.argv[1:]:
        PAGE.write_text(page)
    else:
        sys.stdout.write(f"{table()}\n")


if __name__ == "__main__":
    main()
