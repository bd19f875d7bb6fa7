from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from pizzeria.access import SignedInRequest, login_required
from pizzeria.boards import Board
from pizzeria.delivery import services
from pizzeria.delivery.board import board
from pizzeria.delivery.drivers import drivers_now
from pizzeria.delivery.forms import (
    BringBackForm,
    HandOverForm,
    MoveStopForm,
    TakeAllForm,
)
from pizzeria.orders.transitions import HandedTo
from pizzeria.roles import DELIVER, OVERSEE

_BOARD = Board(
    page="delivery_board",
    template="delivery/delivery_board.html",
    context=lambda request: {
        **board(driver=request.user, now=timezone.now()),
        "ways_to_hand_over": HandedTo.choices,
    },
)

_DRIVERS = Board(
    page="delivery_drivers",
    template="delivery/delivery_drivers.html",
    context=lambda request: drivers_now(now=timezone.now()),
)


@require_safe
@login_required(permission=DELIVER)
def delivery_board(request: SignedInRequest) -> HttpResponse:
    """Show what is ready, and one's own tour."""
    return _BOARD.show(request)


@require_safe
@login_required(permission=OVERSEE)
def delivery_drivers(request: SignedInRequest) -> HttpResponse:
    """Show who drives what, and what waits for a driver."""
    return _DRIVERS.show(request)


@require_POST
@login_required(permission=DELIVER, back_to="delivery_board")
def delivery_take(request: SignedInRequest, order_id: int) -> HttpResponse:
    """Put an order on one's tour."""
    return _BOARD.after(
        request,
        lambda: services.take(
            order_id=order_id, driver=request.user, now=timezone.now()
        ),
    )


@require_POST
@login_required(permission=DELIVER, back_to="delivery_board")
def delivery_take_all(request: SignedInRequest) -> HttpResponse:
    """Put several orders on one's tour; all, or none."""
    form = TakeAllForm(request.POST)
    if not form.is_valid():
        return _BOARD.refuse(request, "Please choose orders that are on the board.")
    return _BOARD.after(
        request,
        lambda: services.take_all(
            order_ids=form.cleaned_data["orders"],
            driver=request.user,
            now=timezone.now(),
        ),
    )


@require_POST
@login_required(permission=DELIVER, back_to="delivery_board")
def delivery_deliver(request: SignedInRequest, order_id: int) -> HttpResponse:
    """Hand an order over."""
    form = HandOverForm(request.POST)
    if not form.is_valid():
        return _BOARD.refuse(
            request, "Please say how it was handed over in fewer or other words."
        )
    return _BOARD.after(
        request,
        lambda: services.deliver(
            order_id=order_id,
            driver=request.user,
            now=timezone.now(),
            **form.cleaned_data,
        ),
    )


@require_POST
@login_required(permission=DELIVER, back_to="delivery_board")
def delivery_undo(request: SignedInRequest, order_id: int) -> HttpResponse:
    """Say that an order was not handed over after all."""
    return _BOARD.after(
        request,
        lambda: services.undo_delivery(
            order_id=order_id, driver=request.user, now=timezone.now()
        ),
    )


@require_POST
@login_required(permission=DELIVER, back_to="delivery_board")
def delivery_return(request: SignedInRequest, order_id: int) -> HttpResponse:
    """Bring an order back."""
    form = BringBackForm(request.POST)
    if not form.is_valid():
        return _BOARD.refuse(request, "Please say the reason in fewer or other words.")
    return _BOARD.after(
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
        return _BOARD.refuse(request, "A stop moves one place earlier or later.")
    return _BOARD.after(
        request,
        lambda: services.move_stop(
            order_id=order_id, driver=request.user, by=form.cleaned_data["by"]
        ),
    )
