from contextlib import suppress
from http import HTTPStatus

from django.conf import settings
from django.contrib import messages
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render, resolve_url
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)
from django.views.decorators.vary import vary_on_headers

from pizzeria.access import HtmxRequest, SignedInRequest, login_required
from pizzeria.api_errors import status_of
from pizzeria.cart.cart import Cart
from pizzeria.customers.models import profile_of
from pizzeria.customers.services import remember_contact
from pizzeria.exceptions import (
    Conflict,
    EmptyOrder,
    KeyReused,
    LoggedOut,
    NotServed,
    PizzaSoldOut,
    PizzeriaError,
    RefundRefused,
    VoucherRefused,
)
from pizzeria.orders.contact import PaymentMethod
from pizzeria.orders.estimates import earliest_times, estimate
from pizzeria.orders.forms import (
    CheckoutForm,
    OrderFilter,
    ReasonForm,
    RefundForm,
    new_key,
)
from pizzeria.orders.models import Order
from pizzeria.orders.ordering import last_order, order_cart, reorder, take_back
from pizzeria.orders.services import move_order, refund_order
from pizzeria.orders.timeline import timeline_of
from pizzeria.orders.transitions import Fulfilment, Status
from pizzeria.ratings.models import Rating, is_rateable
from pizzeria.recent_login import recent_login_required
from pizzeria.restaurant.models import Restaurant
from pizzeria.roles import REFUND

ORDERS_PER_PAGE = 20
_SHARED = signing.Signer(salt="pizzeria.orders.track")


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
    """Show one's own orders, newest first, as far as they are looked for."""
    wanted = OrderFilter(request.GET)
    orders = wanted.pick(Order.objects.of(request.user)).with_lines()
    page = Paginator(orders, ORDERS_PER_PAGE).get_page(request.GET.get("page"))
    status = HTTPStatus.OK if wanted.is_valid() else HTTPStatus.BAD_REQUEST
    context = {"orders": page, "filter": wanted}
    return render(request, "orders/order_list.html", context, status=status)


@require_safe
@login_required()
def order_detail(request: SignedInRequest, order_id: int) -> HttpResponse:
    """Show one order; that of somebody else is not there, except for the kitchen."""
    return _show_order(request, _visible(request, order_id))


@require_POST
@login_required(back_to="order_list")
def order_cancel(request: SignedInRequest, order_id: int) -> HttpResponse:
    """Cancel an order, as far as the table of steps lets this person."""
    order = _visible(request, order_id)
    form = ReasonForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Please say it in at most 200 printable characters.")
        return _show_order(request, order, HTTPStatus.BAD_REQUEST)
    try:
        move_order(
            order_id=order.pk,
            to=Status.CANCELLED,
            actor=request.user,
            now=timezone.now(),
            reason=form.cleaned_data["reason"],
        )
    except (Conflict, PermissionDenied):
        # To its customer an order that cooks is beyond cancelling, not forbidden.
        messages.warning(
            request,
            f"Order {order.pk} cannot be cancelled any more. Please call "
            f"{settings.SHOP_PHONE}.",
        )
        order = _visible(request, order_id)
        return _show_order(request, order, HTTPStatus.CONFLICT)
    messages.success(request, f"Order {order.pk} is cancelled. Nothing is charged.")
    return _see_other(order.get_absolute_url())


@require_POST
@login_required(back_to="order_list")
def order_change(request: SignedInRequest, order_id: int) -> HttpResponse:
    """Put an order of one's own back into the cart, and cancel it."""
    try:
        take_back(
            session=request.session,
            order_id=order_id,
            customer=request.user,
            now=timezone.now(),
        )
    except Order.DoesNotExist as error:
        raise Http404 from error
    except Conflict as refusal:
        messages.warning(request, refusal.message)
        order = _visible(request, order_id)
        return _show_order(request, order, HTTPStatus.CONFLICT)
    messages.success(
        request,
        f"Order {order_id} is in your cart again, and cancelled. Change it, and order.",
    )
    return _see_other("cart")


@require_POST
@login_required(back_to="order_list")
def order_again(request: SignedInRequest, order_id: int) -> HttpResponse:
    """Put what an order of one's own held into the cart."""
    orders = Order.objects.of(request.user).with_lines()
    order = get_object_or_404(orders, pk=order_id)
    missing = reorder(session=request.session, order=order)
    if missing:
        names = " and ".join(missing)
        messages.warning(
            request, f"{names} cannot be had now; everything else is in your cart."
        )
    else:
        messages.success(request, f"What was in order {order.pk} is in your cart.")
    return _see_other("cart")


@require_http_methods(["GET", "HEAD", "POST"])
@login_required(permission=REFUND)
@recent_login_required
def order_refund(request: SignedInRequest, order_id: int) -> HttpResponse:
    """Ask how much was given back for an order, and record it."""
    order = get_object_or_404(Order, pk=order_id)
    data = request.POST if request.method == "POST" else None
    form = RefundForm(data, initial={"amount": order.total_amount})
    status = HTTPStatus.BAD_REQUEST if form.is_bound else HTTPStatus.OK
    if form.is_valid():
        try:
            refund_order(
                order_id=order_id,
                **form.cleaned_data,
                actor=request.user,
                now=timezone.now(),
            )
        except (Conflict, RefundRefused) as refusal:
            form.add_error(None, refusal.message)
            status = status_of(refusal)
        else:
            messages.success(request, f"Recorded for order {order_id}.")
            return _see_other(order.get_absolute_url())
    context = {"order": order, "form": form}
    return render(request, "orders/refund.html", context, status=status)


@require_safe
@vary_on_headers("HX-Request")
def track(request: HtmxRequest, token: str) -> HttpResponse:
    """
    Show to whoever has the link where an order is, and nothing about whose it is.

    The link is signed, not guessed, and ends with the order.
    """
    try:
        order_id = int(_SHARED.unsign(token))
    except (signing.BadSignature, ValueError) as error:
        raise Http404 from error
    order = get_object_or_404(Order, pk=order_id)
    template = "orders/track.html"
    if request.htmx:
        template += "#status"
    return render(request, template, _progress(order))


def _visible(request: SignedInRequest, order_id: int) -> Order:
    orders = Order.objects.visible_to(request.user).with_lines()
    return get_object_or_404(orders, pk=order_id)


def _show_order(
    request: SignedInRequest, order: Order, status: HTTPStatus = HTTPStatus.OK
) -> HttpResponse:
    template = "orders/order_detail.html"
    if request.htmx:
        # The page polls itself: answer with what can change.
        template += "#status"
    targets = {step.target for step in order.steps_for(request.user)}
    token = _SHARED.sign(str(order.pk))
    rating = Rating.of(order)
    context = {
        **_progress(order),
        "can_change": order.is_changeable_by(request.user),
        "can_refund": order.is_refundable and request.user.has_perm(REFUND),
        "can_cancel": Status.CANCELLED in targets,
        "is_mine": order.customer_id == request.user.pk,
        "rating": rating,
        "can_rate": is_rateable(order, rating, now=timezone.now()),
        "share_url": request.build_absolute_uri(reverse("track", args=[token])),
    }
    return render(request, template, context, status=status)


def _progress(order: Order) -> dict[str, object]:
    return {
        "order": order,
        "timeline": timeline_of(order),
        "estimate": estimate(order, now=timezone.now()),
    }


def _place_order(request: SignedInRequest) -> HttpResponse:
    if Cart(request.session).is_empty:
        return _nothing_to_order(request)
    form = CheckoutForm(request.POST, addresses=list(request.user.addresses.all()))
    if not form.is_valid():
        return _show_form(request, form, HTTPStatus.BAD_REQUEST)
    try:
        order = order_cart(
            session=request.session,
            customer=request.user,
            contact=form.contact,
            placed_at=timezone.now(),
            seen_total=form.cleaned_data["seen_total"],
            key=form.cleaned_data["order_key"],
        )
    except KeyReused as reused:
        return _placed_before(request, reused.extra["order"])
    except (Conflict, NotServed, PizzaSoldOut, VoucherRefused) as refusal:
        return _show_form_again(request, form, refusal)
    if order.status == Status.CANCELLED:
        # Taken back into the cart since, to be changed: nothing is ordered anew.
        return _placed_before(request, order.pk)
    if form.cleaned_data["remember"]:
        # Who is logged out only now is not to hear that nothing was ordered.
        with suppress(LoggedOut):
            remember_contact(
                user=request.user,
                contact=form.contact,
                keep_address=form.is_new_address,
            )
    where = "waits to be accepted" if order.is_pending else "is in the kitchen"
    messages.success(request, f"Thank you! Order {order.pk} {where}.")
    return _see_other(order.get_absolute_url())


def _placed_before(request: SignedInRequest, order_id: int) -> HttpResponse:
    """Show the order that a page has placed already; the cart is kept."""
    messages.info(
        request,
        f"This page placed order {order_id} already. "
        "What is in your cart now is kept for the next one.",
    )
    return _see_other(reverse("order_detail", args=[order_id]))


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
    return _show_form(request, form, status_of(refusal))


def _show_form(
    request: SignedInRequest,
    form: CheckoutForm | None = None,
    status: HTTPStatus = HTTPStatus.OK,
) -> HttpResponse:
    cart = Cart(request.session)
    if form is None:
        form = _prefilled(request, cart)
    else:
        form.data = {**dict(form.data.items()), "seen_total": cart.total}
    now = timezone.now()
    context = {
        "form": form,
        "cart": cart,
        "restaurant": Restaurant.the_one(),
        "earliest": earliest_times(now=now),
    }
    return render(request, "orders/checkout.html", context, status=status)


def _prefilled(request: SignedInRequest, cart: Cart) -> CheckoutForm:
    """Fill in what was told once, so that nobody is asked again."""
    profile = profile_of(request.user)
    addresses = list(request.user.addresses.all())
    return CheckoutForm(
        addresses=addresses,
        initial={
            "seen_total": cart.total,
            "order_key": new_key(),
            "fulfilment": profile.fulfilment or Fulfilment.DELIVERY,
            "saved_address": str(addresses[0].pk) if addresses else "",
            "customer_phone": profile.phone,
            "payment_method": profile.payment_method or PaymentMethod.CASH,
            "allergies": profile.allergies,
        },
    )


def _see_other(to: str) -> HttpResponse:
    return HttpResponseRedirect(resolve_url(to), status=HTTPStatus.SEE_OTHER)
