from http import HTTPStatus

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import render, resolve_url
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from pizzeria.access import SignedInRequest, login_required
from pizzeria.exceptions import Conflict
from pizzeria.kitchen.board import board
from pizzeria.kitchen.forms import AdvanceForm
from pizzeria.orders.models import Order
from pizzeria.orders.services import move_order
from pizzeria.orders.transitions import Status
from pizzeria.roles import COOK


@require_safe
@login_required(permission=COOK)
def kitchen_board(request: SignedInRequest) -> HttpResponse:
    """Show what waits, what cooks and what is ready."""
    return _show_board(request)


@require_POST
@login_required(permission=COOK, back_to="kitchen_board")
def kitchen_advance(request: SignedInRequest, order_id: int) -> HttpResponse:
    """Bring an order to the oven, or out of it."""
    form = AdvanceForm(request.POST)
    if not form.is_valid():
        messages.error(request, "The kitchen can start an order or finish it.")
        return _show_board(request, HTTPStatus.BAD_REQUEST)
    try:
        move_order(
            order_id=order_id,
            to=Status(form.cleaned_data["to"]),
            actor=request.user,
            now=timezone.now(),
        )
    except Order.DoesNotExist as error:
        raise Http404 from error
    except Conflict as conflict:
        messages.warning(request, conflict.message)
        return _show_board(request, HTTPStatus.CONFLICT)
    if request.htmx:
        return _show_board(request)
    return HttpResponseRedirect(
        resolve_url("kitchen_board"), status=HTTPStatus.SEE_OTHER
    )


def _show_board(
    request: SignedInRequest, status: HTTPStatus = HTTPStatus.OK
) -> HttpResponse:
    template = "kitchen/kitchen_board.html"
    if request.htmx:
        # The page polls itself: answer with the board, not the whole page.
        template += "#board"
    return render(request, template, board(now=timezone.now()), status=status)
