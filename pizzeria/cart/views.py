from http import HTTPStatus
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render, resolve_url
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from pizzeria.access import HtmxRequest
from pizzeria.cart.cart import Cart
from pizzeria.cart.forms import (
    AddForm,
    EditForm,
    QuantityForm,
    VoucherForm,
    first_error,
)
from pizzeria.cart.lines import CartRow
from pizzeria.exceptions import CartChanged, CartRefused, VoucherRefused
from pizzeria.limits import refusal_of
from pizzeria.menu.views import show_menu, show_pizza

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
        visitors_cart = Cart(request.session)
        visitors_cart.add(**chosen)
        visitors_cart.forget_removed()
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


@require_POST
def cart_undo(request: HtmxRequest) -> HttpResponse:
    """Put back what was removed last."""
    visitors_cart = Cart(request.session)
    try:
        visitors_cart.put_back()
    except CartRefused as refusal:
        messages.error(request, refusal.message)
    if request.htmx:
        return _show_cart(request, visitors_cart)
    return _see_other("cart")


@require_POST
def cart_voucher(request: HtmxRequest) -> HttpResponse:
    """Put a voucher in, or take it out; codes are not there to be guessed."""
    visitors_cart = Cart(request.session)
    form = VoucherForm(request.POST)
    if not form.is_valid():
        messages.error(request, first_error(form))
        return _show_cart(request, visitors_cart, HTTPStatus.BAD_REQUEST)
    code = form.cleaned_data["code"]
    if not code:
        visitors_cart.drop_voucher()
    elif too_many := refusal_of(request, "voucher"):
        return too_many
    else:
        customer = request.user if isinstance(request.user, User) else None
        try:
            visitors_cart.put_in_voucher(code, customer=customer)
        except VoucherRefused as refusal:
            messages.error(request, refusal.reason)
            status = HTTPStatus.UNPROCESSABLE_ENTITY
            return _show_cart(request, visitors_cart, status)
    if request.htmx:
        return _show_cart(request, visitors_cart)
    return _see_other("cart")


@require_http_methods(["GET", "HEAD", "POST"])
def cart_edit(request: HtmxRequest, key: str) -> HttpResponse:
    """Change one row: its size, its toppings, how many."""
    visitors_cart = Cart(request.session)
    row = visitors_cart.row(key)
    if row is None:
        messages.info(request, GONE)
        return _see_other("cart")
    if request.method != "POST":
        if "size" not in request.GET:
            return _to_what_is_chosen(request, row)
        return show_pizza(request, row.pizza, row=row)
    form = EditForm(request.POST)
    try:
        if form.is_valid():
            visitors_cart.replace(row, **form.cleaned_data)
            return _see_other("cart")
        messages.error(request, first_error(form))
    except CartRefused as refusal:
        messages.error(request, refusal.message)
    return show_pizza(request, row.pizza, row=row, status=HTTPStatus.BAD_REQUEST)


def _to_what_is_chosen(request: HtmxRequest, row: CartRow) -> HttpResponse:
    # The choice is in the address, so that a form without a script can show it anew.
    chosen = {
        "size": row.size.value,
        "quantity": row.quantity,
        "extra_toppings": row.extra_toppings,
    }
    return HttpResponseRedirect(f"{request.path}?{urlencode(chosen, doseq=True)}")


def _change(request: HtmxRequest, cart: Cart, quantity: int) -> HttpResponse:
    row = cart.row(request.POST.get("key", ""))
    if row is None:
        messages.info(request, GONE)
    elif quantity:
        cart.set_quantity(row, quantity)
    else:
        cart.remove(row)
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
