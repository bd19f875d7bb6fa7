"""A steady load of many people on all workers, while faults come and go."""

import http.client
import random
import secrets
import threading
import time
from typing import Self

from tests.faults.history import Event, History, Person
from tests.faults.site import Site

PEOPLE = 8
_THREADS = 8
# Each thread; together 96 a second.
_RATE = 12
# Who was late makes up for so much: the load is steady, not a herd.
_MADE_UP = 0.25


class Load:
    def __init__(
        self, site: Site, people: list[Person], *, is_sticky: bool = False
    ) -> None:
        """Ask any worker, or with `is_sticky` only those who know the person."""
        self.site = site
        self.is_sticky = is_sticky
        self.people = people
        self.history = History()
        self._is_over = threading.Event()
        self._threads = [
            threading.Thread(target=self._ask_steadily, args=(number,))
            for number in range(_THREADS)
        ]
        self.began = 0.0

    def __enter__(self) -> Self:
        self.began = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended = time.monotonic()
        self._is_over.set()
        for thread in self._threads:
            thread.join(timeout=30)

    @property
    def rate(self) -> float:
        """Answers per second."""
        return len(self.history.events) / (self.ended - self.began)

    def _ask_steadily(self, number: int) -> None:
        choice = random.Random(number)  # noqa: S311
        turn = time.monotonic() + number / _RATE / _THREADS
        while not self._is_over.wait(max(0.0, turn - time.monotonic())):
            turn = max(turn + 1 / _RATE, time.monotonic() - _MADE_UP)
            person = choice.choice(self.people)
            path = choice.choice(("/read", "/read", "/write", "/write", "/plain"))
            pids = sorted(person.known_to) if self.is_sticky else self.site.pids
            self._ask(person, path, choice.choice(pids))

    def _ask(self, person: Person, path: str, pid: int) -> None:
        entry = secrets.token_hex(4)
        is_known = pid in person.known_to or path == "/plain"
        target = f"{path}?entry={entry}" if path == "/write" else path
        try:
            answer = self.site.get(target, person.cookie, pid=pid)
        except (http.client.HTTPException, OSError) as error:
            self.history.note_failure(f"{path} of {pid}: {error!r}")
            return
        written = entry if path == "/write" else None
        self.history.note(Event(person, path, answer, is_known, written))
        if answer.status == 200 and path != "/plain":
            person.known_to.add(pid)
            if path == "/write":
                person.entries.add(entry)
