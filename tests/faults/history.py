"""What happened: who asked what of whom and was answered how; what must hold of it."""

import secrets
import threading
from dataclasses import dataclass, field

from tests.faults.site import Answer, Site


@dataclass
class Person:
    """A browser: one cookie, and what the server has acknowledged to it."""

    name: str
    cookie: str = ""
    entries: set[str] = field(default_factory=set)
    # Worker processes that have served this session.
    known_to: set[int] = field(default_factory=set)
    user: str | None = None

    @classmethod
    def arriving_at(cls, site: Site, *, padding: int = 200) -> "Person":
        """Begin a session, and show it to every worker."""
        person = cls.beginning_at(site, pid=site.pids[0], padding=padding)
        person.show_to(site, *site.pids)
        return person

    @classmethod
    def beginning_at(cls, site: Site, *, pid: int, padding: int = 200) -> "Person":
        """Begin a session at one worker."""
        person = cls(f"person-{secrets.token_hex(6)}")
        answer = site.get(f"/begin?owner={person.name}&padding={padding}", pid=pid)
        assert answer.status == 200, answer
        assert answer.cookie is not None, answer
        person.cookie = answer.cookie.value
        person.known_to.add(pid)
        return person

    def show_to(self, site: Site, *pids: int) -> None:
        for pid in pids:
            answer = site.get("/read", self.cookie, pid=pid)
            assert answer.status == 200, answer
            self.known_to.add(pid)

    def log_in(self, site: Site, *, pid: int, user: str | None = None) -> None:
        name = user or self.name
        answer = site.get(f"/login?name={name}", self.cookie, pid=pid)
        assert answer.status == 200, answer
        assert answer.cookie is not None, answer
        self.cookie, self.user = answer.cookie.value, name
        self.known_to = {pid}


@dataclass(frozen=True, slots=True)
class Event:
    person: Person
    path: str
    answer: Answer
    is_known: bool
    # What was written, if the path is one that writes.
    entry: str | None = None


class History:
    def __init__(self) -> None:
        self.events: list[Event] = []
        self.failures: list[str] = []
        self._lock = threading.Lock()

    def note(self, event: Event) -> None:
        with self._lock:
            self.events.append(event)

    def note_failure(self, failure: str) -> None:
        with self._lock:
            self.failures.append(failure)

    def statuses(self) -> set[int]:
        return {event.answer.status for event in self.events}

    def percentile(self, share: float, of: str) -> float:
        times = sorted(getattr(event.answer, of) for event in self.events)
        return float(times[min(len(times) - 1, int(len(times) * share))])

    def check_nobody_was_failed(self) -> None:
        """No connection broken, no 5xx for whom a worker knew, none logged out."""
        assert self.failures == []
        wrong = [
            (event.path, event.answer.pid, event.answer.status, event.answer.waited)
            for event in self.events
            if event.is_known and event.answer.status != 200
        ]
        assert wrong == [], f"{len(wrong)} of {len(self.events)}: {wrong[:3]}"

    def check_cookies(self) -> None:
        """Neither was a cookie deleted, nor a new session made in a session's place."""
        for event in self.events:
            cookie = event.answer.cookie
            assert cookie is None or cookie.value == event.person.cookie, event

    def check_cookies_of(self, people: list[Person]) -> None:
        """Nobody among them was given another session."""
        for event in self.events:
            if event.person in people and event.answer.status == 200:
                cookie = event.answer.cookie
                assert cookie is None or cookie.value == event.person.cookie, event

    def check_whose(self) -> None:
        for event in self.events:
            if event.answer.status == 200 and event.path != "/plain":
                assert event.answer.body["owner"] == event.person.name, event

    def check_times(self, budget: float, *, slack: float) -> None:
        """
        The 95th percentile of the wait for Redis, and the 99th of it and of the whole.

        The wait ends by its deadline. Whoever measures it to the last measures a busy
        machine as well, so only a generous bound is claimed of that.
        """
        assert self.percentile(0.95, "waited") <= budget + 0.05
        assert self.percentile(0.99, "waited") <= budget + 0.05 + slack
        assert self.percentile(0.99, "spent") <= budget + 0.05 + slack
