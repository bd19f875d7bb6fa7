"""
An engine of its own in a process of its own, told what to do line by line.

    python -m tests.sessions_backend.engine_process <redis url> <settings as JSON>

Each line is a JSON list: a word below and its arguments. Each answer is one, too.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self


class EngineProcess:
    """The other end: starts such a process and talks to it."""

    def __init__(self, url: str, **options: Any) -> None:
        self._url, self._options = url, options

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.sessions_backend.engine_process"),
                *(self._url, json.dumps(self._options)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.ask("ready") is True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        self.process.wait(timeout=15)
        self.process.stdout.close()

    def ask(self, *command: Any) -> Any:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(timeout=10)


def main(url: str, options: dict[str, Any]) -> None:
    import django  # noqa: PLC0415  # after the settings
    from django.conf import settings  # noqa: PLC0415

    fallback = options.pop("FALLBACK", None)
    settings.configure(
        SECRET_KEY="engine" * 9,
        INSTALLED_APPS=["sessions_backend"],
        CACHES={
            "default": {
                "BACKEND": "django_redis.cache.RedisCache",
                "LOCATION": url,
            },
            "fallback": {
                "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
                "LOCATION": fallback or "/nonexistent",
            },
        },
        SESSION_ENGINE="sessions_backend.engine",
        SESSION_CACHE_ALIAS="default",
        SESSION_FALLBACK_CACHE_ALIAS="fallback" if fallback else None,
        SESSION_REDIS_BUDGET_MS=500,
        **options,
    )
    django.setup()

    from sessions_backend import failover  # noqa: PLC0415

    failover.configure()
    for line in sys.stdin:
        word, *arguments = json.loads(line)
        try:
            answer = _words()[word](*arguments)
        except Exception as error:  # noqa: BLE001  # told to the other end
            answer = type(error).__name__
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _words() -> dict[str, Callable[..., Any]]:
    from sessions_backend import failover, index, names  # noqa: PLC0415
    from sessions_backend.engine import SessionStore  # noqa: PLC0415

    def create(**more: Any) -> str:
        session = SessionStore()
        session.update({"cart": {}, **more})
        session.save()
        return str(session.session_key)

    def read(session_key: str) -> dict[str, Any]:
        return dict(SessionStore(session_key).load())

    def add(session_key: str, name: str, value: Any = 1) -> str:
        session = SessionStore(session_key)
        session["cart"][name] = value
        session.save()
        return "added"

    def add_at(moment: float, session_key: str, name: str) -> str:
        session = SessionStore(session_key)
        session["cart"][name] = 1
        time.sleep(max(0.0, moment - time.time()))
        session.save()
        return "added"

    def end(session_key: str) -> str:
        SessionStore(session_key).flush()
        return "ended"

    def degraded() -> bool:
        return failover.is_degraded()

    def limit_journal(most: int) -> None:
        situation = failover.situation()
        assert situation is not None
        situation.journal._most = most

    return {
        "limit_journal": limit_journal,
        "ready": lambda: True,
        "pid": os.getpid,
        "create": create,
        "log_in": lambda user_id: create(_auth_user_id=user_id),
        "listed": lambda user_id: failover.store().listed(names.user_list_key(user_id)),
        "renew": lambda key: SessionStore(key).renew(),
        "read": read,
        "add": add,
        "add_at": add_at,
        "end": end,
        "degraded": degraded,
        "revoke": lambda label: index.revoke(label, ttl=600),
        "lookup": index.lookup,
        "link": lambda label, key: index.link(label, key, ttl=600),
    }


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
