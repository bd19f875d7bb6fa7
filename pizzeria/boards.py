"""The boards of kitchen and drivers, which show themselves anew after each change."""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from django.contrib import messages
from django.core.exceptions import ObjectDoesNotExist
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import render, resolve_url

from pizzeria.access import SignedInRequest
from pizzeria.exceptions import Conflict


@dataclass(frozen=True)
class Board:
    """A page by its name, its template, and what there is to show."""

    page: str
    template: str
    context: Callable[[SignedInRequest], dict[str, Any]]

    def show(
        self, request: SignedInRequest, status: HTTPStatus = HTTPStatus.OK
    ) -> HttpResponse:
        template = self.template
        if request.htmx:
            # The page asks again by itself: answer with the board, not the whole page.
            template += "#board"
        return render(request, template, self.context(request), status=status)

    def refuse(self, request: SignedInRequest, why: str) -> HttpResponse:
        messages.error(request, why)
        return self.show(request, HTTPStatus.BAD_REQUEST)

    def after(
        self, request: SignedInRequest, change: Callable[[], object]
    ) -> HttpResponse:
        """Change something, and show what it came to, or why it was not to be."""
        try:
            change()
        except ObjectDoesNotExist as error:
            raise Http404 from error
        except Conflict as conflict:
            messages.warning(request, conflict.message)
            return self.show(request, HTTPStatus.CONFLICT)
        if request.htmx:
            return self.show(request)
        query = request.GET.urlencode()
        board = resolve_url(self.page) + (f"?{query}" if query else "")
        return HttpResponseRedirect(board, status=HTTPStatus.SEE_OTHER)
