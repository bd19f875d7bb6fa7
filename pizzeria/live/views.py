from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.permissions import IsAuthenticated
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from pizzeria.api_errors import NOTHING_HERE
from pizzeria.live.feeds import FEEDS
from pizzeria.live.telling import handle_of_session
from pizzeria.orders.api import person_of


class StreamGranted(HttpResponse):
    """
    The word of the views that a stream may begin.

    `application.LiveApplication` begins it. A server that keeps no streams sends the
    response as it is: 204 tells a browser's EventSource not to ask again, and the
    page looks by itself every few seconds.
    """

    def __init__(self, *, topics: frozenset[str], session: str) -> None:
        super().__init__(status=204, headers={"Cache-Control": "no-store"})
        self.topics = topics
        self.session = session


def _name_of(session: Any) -> str:
    """Return the name under which the session's end will be told."""
    # An engine may keep a session under another name than its id, and tells that one.
    return getattr(session, "record_name", None) or session.session_key or ""


@extend_schema(exclude=True)
class LiveStream(APIView):
    """Who may have a stream, for the browser's cookie and for bearer tokens."""

    permission_classes = [IsAuthenticated]

    def perform_content_negotiation(
        self, request: Request, force: bool = False
    ) -> tuple[Any, str]:
        # A refusal is JSON, though EventSource asks for another kind.
        return JSONRenderer(), "application/json"

    def get(self, request: Request, feed: str) -> HttpResponse:
        wanted = FEEDS.get(feed)
        if wanted is None:
            raise NotFound(NOTHING_HERE)
        person = person_of(request)
        if not wanted.is_open_to(person):
            self.permission_denied(request)
        return StreamGranted(
            topics=wanted.topics_for(person),
            session=handle_of_session(_name_of(request.session)),
        )
