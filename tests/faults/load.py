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
_THREADS = 6
# Each thread; together 72 a second.
_RATE = 12


class Load:
    def __init__(self, site: Site, people: list[Person]) -> None:
        self.site = site
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
            # Who was late is not made up for: the load is steady, not a herd.
            turn = max(turn + 1 / _RATE, time.monotonic())
            person = choice.choice(self.people)
            path = choice.choice(("/read", "/read", "/write", "/write", "/plain"))
            self._ask(person, path, choice.choice(self.site.pids))

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
