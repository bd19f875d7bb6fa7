"""
Asks Django who may have a stream: its middleware, its sessions, its views.

In a few threads of its own. Django's ASGI handler would keep a thread, and the thread's
database connection, for as long as a response lasts: 1,000 of each for 1,000 pages
(docs/decisions/0019).
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.base import BaseHandler
from django.core.signals import request_started
from django.http import HttpResponseBase
from django.urls import set_script_prefix

type Scope = dict[str, Any]

_THREADS = 4
_SECONDS = 15.0


class Gate(BaseHandler):
    def __init__(self) -> None:
        super().__init__()
        self.load_middleware()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="live-gate")

    async def ask(self, scope: Scope) -> HttpResponseBase:
        """
        Answer the request as any page is answered.

        :raises TimeoutError: if that takes too long
        """
        loop = asyncio.get_running_loop()
        asked = loop.run_in_executor(self._threads, self._answer, scope)
        return await asyncio.wait_for(asked, _SECONDS)

    def _answer(self, scope: Scope) -> HttpResponseBase:
        set_script_prefix("/")
        request_started.send(sender=self.__class__, scope=scope)
        response = self.get_response(ASGIRequest(scope, BytesIO()))
        # Gives the thread's database connection back.
        response.close()
        return response
