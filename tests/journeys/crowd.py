"""
`python -m tests.journeys.crowd FOLDER COUNT SESSION`: processes that meet one session.

Each forks, says that it is ready, waits for its sign, asks the shop's application for
a page with the session's cookie, and writes down what it got.
"""

import json
import os
import sys
import time
from pathlib import Path

# Seconds; longer than any test takes, which ends them all.
_LIFE = 300


def main() -> None:
    folder, count, session = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    import django  # noqa: PLC0415

    django.setup()
    from django.urls import get_resolver  # noqa: PLC0415

    # Imported once, not by each of them.
    assert get_resolver().url_patterns
    children = []
    for number in range(count):
        child = os.fork()
        if child == 0:
            _visit(folder, number, session)
            # A worker lives on, and what it does beside requests with it.
            time.sleep(_LIFE)
            os._exit(0)
        children.append(child)
        (folder / f"pid-{number}").write_text(str(child))
    for child in children:
        os.waitpid(child, 0)


def _visit(folder: Path, number: int, session: str) -> None:
    from django.test import Client  # noqa: PLC0415

    client = Client(SERVER_NAME="localhost")
    # What a server has done before its first request.
    client.get("/health")
    client.cookies["mario_session"] = session
    (folder / f"ready-{number}").touch()
    while not ((folder / "go").exists() or (folder / f"go-{number}").exists()):
        time.sleep(0.01)
    started = time.monotonic()
    response = client.get("/orders/")
    answer = {
        "status": response.status_code,
        "location": response.headers.get("Location", ""),
        "seconds": time.monotonic() - started,
    }
    unfinished = folder / f"unfinished-{number}"
    unfinished.write_text(json.dumps(answer))
    unfinished.rename(folder / f"answer-{number}")


if __name__ == "__main__":
    main()
