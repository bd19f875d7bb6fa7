"""
The address that hears of every event: CLOUD_EVENT_SINK.

A call is over within `SECONDS`, whatever the sink does.
"""

from http import HTTPStatus

import requests

from pizzeria.events.envelope import in_envelope
from pizzeria.events.models import OutboxEvent
from pizzeria.rounds import within

SECONDS = 5.0
_AWAY = {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}


class SinkAway(Exception):
    """The sink takes nothing at the moment; no event is to blame."""


class EventRefused(Exception):
    """The sink does not take this one event; it says so, or breaks over it."""

    def __init__(self, status: int) -> None:
        super().__init__(f"The sink answered {status}.")
        self.is_final = status < HTTPStatus.INTERNAL_SERVER_ERROR


class Sink:
    """Where the relay brings events, over one connection as long as it holds."""

    def __init__(self, url: str, *, seconds: float = SECONDS) -> None:
        self._url = url
        self._seconds = seconds
        self._session = requests.Session()

    def deliver(self, event: OutboxEvent) -> None:
        """
        Bring one event; 2xx is the receipt, a redirect is none.

        :raises SinkAway: if there is no answer, or one that says "later"
        :raises EventRefused: if the answer is about this event
        """
        status = self._post(event)
        if status in _AWAY:
            raise SinkAway(f"it answered {status}")
        if not HTTPStatus(200) <= status < HTTPStatus(300):
            raise EventRefused(status)

    def _post(self, event: OutboxEvent) -> int:
        session = self._session
        try:
            return within(self._seconds, lambda: self._exchange(session, event))
        except TimeoutError as error:
            # The call that was left behind keeps its connection to itself.
            self._session = requests.Session()
            raise SinkAway("no answer in time") from error

    def _exchange(self, session: requests.Session, event: OutboxEvent) -> int:
        message = in_envelope(event)
        try:
            with session.post(
                self._url,
                data=message.body,
                headers=message.headers,
                timeout=self._seconds,
                allow_redirects=False,
            ) as response:
                return response.status_code
        except (requests.RequestException, OSError) as error:
            # The type alone: the text holds the address, which may hold a password.
            raise SinkAway(type(error).__name__) from error
