from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.models import User
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from pizzeria.access import SignedInRequest, login_required
from pizzeria.boards import Board
from pizzeria.kitchen import services
from pizzeria.kitchen.board import board, waiting
from pizzeria.kitchen.forms import AdvanceForm, CapacityForm, CookForm, TickForm
from pizzeria.kitchen.hours import hours_of_today
from pizzeria.kitchen.models import MAX_CAPACITY
from pizzeria.menu.models import Category
from pizzeria.orders.models import Order
from pizzeria.orders.services import move_order
from pizzeria.orders.transitions import Status
from pizzeria.roles import COOK, OVERSEE


def _shown(request: SignedInRequest) -> dict[str, Any]:
    station = request.GET.get("station", "")
    if station not in Category.values:
        station = ""
    is_mine = request.GET.get("mine") == "on"
    # What is sent from the board comes back to the same part of it.
    told = {"station": station, "mine": "on" if is_mine else ""}
    query = urlencode({name: value for name, value in told.items() if value})
    shown = board(
        now=timezone.now(), actor=request.user, station=station, is_mine=is_mine
    )
    return shown | {"query": f"?{query}" if query else ""}


_BOARD = Board(
    page="kitchen_board",
    template="kitchen/kitchen_board.html",
    context=_shown,
)


@require_safe
@login_required(permission=COOK)
def kitchen_board(request: SignedInRequest) -> HttpResponse:
    """Show what waits, what cooks and what is ready."""
    return _BOARD.show(request)


@require_safe
@login_required(permission=COOK)
def kitchen_hours(request: SignedInRequest) -> HttpResponse:
    """Show what was ordered today, hour by hour."""
    now = timezone.now()
    hours = hours_of_today(now=now)
    context = {
        "hours": hours,
        "orders": sum(hour.orders for hour in hours),
        "pizzas": sum(hour.pizzas for hour in hours),
        "now": now,
    }
    return render(request, "kitchen/kitchen_hours.html", context)


@require_safe
@login_required(permission=COOK)
def kitchen_tickets(request: SignedInRequest) -> HttpResponse:
    """Show the tickets of all orders that wait for the oven, to be printed."""
    return render(request, "kitchen/kitchen_tickets.html", {"tickets": waiting()})


@require_safe
@login_required(permission=COOK)
def kitchen_ticket(request: SignedInRequest, order_id: int) -> HttpResponse:
    """Show one order's ticket, to be printed."""
    order = get_object_or_404(Order.objects.with_lines(), pk=order_id)
    return render(request, "kitchen/kitchen_tickets.html", {"tickets": [order]})


@require_POST
@login_required(permission=COOK, back_to="kitchen_board")
def kitchen_advance(request: SignedInRequest, order_id: int) -> HttpResponse:
    """Bring an order a step on, or back."""
    form = AdvanceForm(request.POST)
    if not form.is_valid():
        return _BOARD.refuse(request, "The kitchen can start an order or finish it.")
    seen = form.cleaned_data["seen"]
    return _BOARD.after(
        request,
        lambda: move_order(
            order_id=order_id,
            to=Status(form.cleaned_data["to"]),
            actor=request.user,
            now=timezone.now(),
            seen=Status(seen) if seen else None,
        ),
    )


@require_POST
@login_required(permission=COOK, back_to="kitchen_board")
def kitchen_cook(request: SignedInRequest, order_id: int) -> HttpResponse:
    """Say whose an order is."""
    form = CookForm(request.POST)
    if not form.is_valid():
        return _BOARD.refuse(request, "There is no such cook.")
    named = form.cleaned_data["cook"]
    if named == "me":
        cook: User | None = request.user
    else:
        cook = get_object_or_404(User, pk=named) if named else None
    return _BOARD.after(
        request,
        lambda: services.assign(
            order_id=order_id, cook=cook, actor=request.user, now=timezone.now()
        ),
    )


@require_POST
@login_required(permission=COOK, back_to="kitchen_board")
def kitchen_tick(request: SignedInRequest, order_id: int, line_id: int) -> HttpResponse:
    """Tick a line of an order off, or on again."""
    form = TickForm(request.POST)
    form.is_valid()
    return _BOARD.after(
        request,
        lambda: services.tick_line(
            order_id=order_id,
            line_id=line_id,
            is_ticked=form.cleaned_data["is_ticked"],
            actor=request.user,
            now=timezone.now(),
        ),
    )


@require_POST
@login_required(permission=COOK, back_to="kitchen_board")
def kitchen_seen(request: SignedInRequest, order_id: int) -> HttpResponse:
    """Take a cancelled order off the board."""
    return _BOARD.after(
        request,
        lambda: services.take_note_of_cancellation(
            order_id=order_id, actor=request.user, now=timezone.now()
        ),
    )


@require_POST
@login_required(permission=OVERSEE, back_to="kitchen_board")
def kitchen_capacity(request: SignedInRequest) -> HttpResponse:
    """Say how many orders fit into the oven."""
    form = CapacityForm(request.POST)
    if not form.is_valid():
        return _BOARD.refuse(request, f"The oven has 1 to {MAX_CAPACITY} places.")
    return _BOARD.after(
        request,
        lambda: services.set_capacity(
            capacity=form.cleaned_data["capacity"],
            actor=request.user,
            now=timezone.now(),
        ),
    )
