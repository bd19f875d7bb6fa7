from collections.abc import Callable
from http import HTTPStatus

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import render, resolve_url
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from pizzeria.access import SignedInRequest, login_required
from pizzeria.delivery import services
from pizzeria.delivery.board import board
from pizzeria.delivery.forms import BringBackForm, MoveStopForm
from pizzeria.exceptions import Conflict
from pizzeria.orders.models import Order
from pizzeria.roles import DELIVER


@require_safe
@login_required(permission=DELIVER)
def delivery_board(request: SignedInRequest) -> HttpResponse:
    """Show what is ready, and one's own tour."""
    return _show_board(request)


@require_POST
@login_required(permission=DELIVER, back_to="delivery_board")
def delivery_take(request: SignedInRequest, order_id: int) -> HttpResponse:
    """Put an order on one's tour."""
    return _after(
        request,
        lambda: services.take(
            order_id=order_id, driver=request.user, now=timezone.now()
        ),
    )


@require_POST
@login_required(permission=DELIVER, back_to="delivery_board")
def delivery_deliver(request: SignedInRequest, order_id: int) -> HttpResponse:
    """Hand an order over."""
    return _after(
        request,
        lambda: services.deliver(
            order_id=order_id, driver=request.user, now=timezone.now()
        ),
    )


@require_POST
@login_required(permission=DELIVER, back_to="delivery_board")
def delivery_return(request: SignedInRequest, order_id: int) -> HttpResponse:
    """Bring an order back."""
    form = BringBackForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Please say the reason in fewer or other words.")
        return _show_board(request, HTTPStatus.BAD_REQUEST)
    return _after(
        request,
        lambda: services.bring_back(
            order_id=order_id,
            driver=request.user,
            now=timezone.now(),
            reason=form.cleaned_data["reason"],
        ),
    )


@require_POST
@login_required(permission=DELIVER, back_to="delivery_board")
def delivery_move(request: SignedInRequest, order_id: int) -> HttpResponse:
    """Move a stop of one's tour."""
    form = MoveStopForm(request.POST)
    if not form.is_valid():
        messages.error(request, "A stop moves one place earlier or later.")
        return _show_board(request, HTTPStatus.BAD_REQUEST)
    return _after(
        request,
        lambda: services.move_stop(
            order_id=order_id, driver=request.user, by=form.cleaned_data["by"]
        ),
    )


def _after(request: SignedInRequest, change: Callable[[], object]) -> HttpResponse:
    try:
        change()
    except Order.DoesNotExist as error:
        raise Http404 from error
    except Conflict as conflict:
        messages.warning(request, conflict.message)
        return _show_board(request, HTTPStatus.CONFLICT)
    if request.htmx:
        return _show_board(request)
    return HttpResponseRedirect(
        resolve_url("delivery_board"), status=HTTPStatus.SEE_OTHER
    )


def _show_board(
    request: SignedInRequest, status: HTTPStatus = HTTPStatus.OK
) -> HttpResponse:
    template = "delivery/delivery_board.html"
    if request.htmx:
        template += "#board"
    context = board(driver=request.user, now=timezone.now())
    return render(request, template, context, status=status)
