from http import HTTPStatus

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render, resolve_url
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from pizzeria.access import SignedInRequest, login_required
from pizzeria.cart.cart import Cart
from pizzeria.exceptions import Conflict, EmptyOrder, PizzaSoldOut, PizzeriaError
from pizzeria.orders.forms import CheckoutForm
from pizzeria.orders.models import Order
from pizzeria.orders.ordering import last_order, order_cart
from pizzeria.orders.timeline import timeline_of

ORDERS_PER_PAGE = 20


@require_http_methods(["GET", "HEAD", "POST"])
@login_required()
def checkout(request: SignedInRequest) -> HttpResponse:
    """Ask where the pizzas go, and order them."""
    if request.method == "POST":
        return _place_order(request)
    if Cart(request.session).is_empty:
        return _nothing_to_order(request)
    return _show_form(request)


@require_safe
@login_required()
def order_list(request: SignedInRequest) -> HttpResponse:
    """Show one's own orders, newest first."""
    orders = Order.objects.of(request.user).with_lines()
    page = Paginator(orders, ORDERS_PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "orders/order_list.html", {"orders": page})


@require_safe
@login_required()
def order_detail(request: SignedInRequest, order_id: int) -> HttpResponse:
    """Show one order; that of somebody else is not there, except for the kitchen."""
    orders = Order.objects.visible_to(request.user).with_lines()
    order = get_object_or_404(orders, pk=order_id)
    template = "orders/order_detail.html"
    if request.htmx:
        # The page polls itself: answer with what can change.
        template += "#status"
    return render(request, template, {"order": order, "timeline": timeline_of(order)})


def _place_order(request: SignedInRequest) -> HttpResponse:
    if Cart(request.session).is_empty:
        return _nothing_to_order(request)
    form = CheckoutForm(request.POST)
    if not form.is_valid():
        return _show_form(request, form, HTTPStatus.BAD_REQUEST)
    try:
        order = order_cart(
            session=request.session,
            customer=request.user,
            contact=form.contact,
            placed_at=timezone.now(),
            seen_total=form.cleaned_data["seen_total"],
        )
    except (Conflict, PizzaSoldOut) as refusal:
        return _show_form_again(request, form, refusal)
    messages.success(request, f"Thank you! Order {order.pk} is in the kitchen.")
    return _see_other(order.get_absolute_url())


def _nothing_to_order(request: SignedInRequest) -> HttpResponse:
    placed = last_order(request.session, request.user)
    if request.method == "POST" and placed is not None:
        # The second click of a double click, or a reload.
        return _see_other(placed.get_absolute_url())
    messages.info(request, EmptyOrder.message)
    return _see_other("cart")


def _show_form_again(
    request: SignedInRequest, form: CheckoutForm, refusal: PizzeriaError
) -> HttpResponse:
    messages.error(request, refusal.message)
    if Cart(request.session).is_empty:
        return _see_other("cart")
    is_conflict = isinstance(refusal, Conflict)
    status = HTTPStatus.CONFLICT if is_conflict else HTTPStatus.BAD_REQUEST
    return _show_form(request, form, status)


def _show_form(
    request: SignedInRequest,
    form: CheckoutForm | None = None,
    status: HTTPStatus = HTTPStatus.OK,
) -> HttpResponse:
    cart = Cart(request.session)
    if form is None:
        form = CheckoutForm(initial={"seen_total": cart.total})
    else:
        form.data = {**dict(form.data.items()), "seen_total": cart.total}
    context = {"form": form, "cart": cart}
    return render(request, "orders/checkout.html", context, status=status)


def _see_other(to: str) -> HttpResponse:
    return HttpResponseRedirect(resolve_url(to), status=HTTPStatus.SEE_OTHER)
