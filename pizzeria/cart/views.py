from http import HTTPStatus

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render, resolve_url
from django.views.decorators.http import require_POST, require_safe

from pizzeria.access import HtmxRequest
from pizzeria.cart.cart import Cart
from pizzeria.cart.forms import AddForm, QuantityForm, first_error
from pizzeria.exceptions import CartChanged, CartRefused
from pizzeria.menu.views import show_menu

GONE = "That pizza is no longer in your cart."


@require_safe
def cart(request: HtmxRequest) -> HttpResponse:
    """Show the cart; what left the menu for good is taken out and named so."""
    visitors_cart = Cart(request.session)
    try:
        visitors_cart.drop_stale_lines()
    except CartChanged as change:
        messages.warning(request, change.message)
    return _show_cart(request, visitors_cart)


@require_POST
def cart_add(request: HtmxRequest) -> HttpResponse:
    """Add what was chosen on the menu."""
    form = AddForm(request.POST)
    if not form.is_valid():
        return _refuse_on_menu(request, first_error(form))
    chosen = form.cleaned_data
    try:
        Cart(request.session).add(**chosen)
    except CartRefused as refusal:
        return _refuse_on_menu(request, refusal.message)
    pizza = chosen["pizza"].name
    messages.success(request, f"{chosen['quantity']} × {pizza} added to your cart.")
    if request.htmx:
        return render(request, "menu/menu.html#cart_summary")
    return _see_other("cart")


@require_POST
def cart_update(request: HtmxRequest) -> HttpResponse:
    """Change how many of one row there are; 0 removes it."""
    visitors_cart = Cart(request.session)
    form = QuantityForm(request.POST)
    if not form.is_valid():
        messages.error(request, first_error(form))
        return _show_cart(request, visitors_cart, HTTPStatus.BAD_REQUEST)
    return _change(request, visitors_cart, form.cleaned_data["quantity"])


@require_POST
def cart_remove(request: HtmxRequest) -> HttpResponse:
    """Take one row out."""
    return _change(request, Cart(request.session), 0)


def _change(request: HtmxRequest, cart: Cart, quantity: int) -> HttpResponse:
    row = cart.row(request.POST.get("key", ""))
    if row is None:
        messages.info(request, GONE)
    else:
        cart.set_quantity(row, quantity)
    if request.htmx:
        return _show_cart(request, cart)
    return _see_other("cart")


def _show_cart(
    request: HtmxRequest, cart: Cart, status: HTTPStatus = HTTPStatus.OK
) -> HttpResponse:
    template = "cart/cart.html"
    if request.htmx:
        template += "#cart"
    return render(request, template, {"cart": cart}, status=status)


def _refuse_on_menu(request: HtmxRequest, why: str) -> HttpResponse:
    messages.error(request, why)
    if request.htmx:
        return render(
            request, "menu/menu.html#cart_summary", status=HTTPStatus.BAD_REQUEST
        )
    return show_menu(request, status=HTTPStatus.BAD_REQUEST)


def _see_other(name: str) -> HttpResponse:
    return HttpResponseRedirect(resolve_url(name), status=HTTPStatus.SEE_OTHER)
