import json
from http import HTTPStatus

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.core.exceptions import ObjectDoesNotExist
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render, resolve_url
from django.utils import timezone
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from pizzeria.access import SignedInRequest, login_required
from pizzeria.customers import services
from pizzeria.customers.forms import AddressForm, ProfileForm
from pizzeria.customers.knowledge import (
    current_orders,
    everything_about,
    latest_news,
    statistics_of,
)
from pizzeria.customers.models import Address, profile_of
from pizzeria.exceptions import PizzeriaError
from pizzeria.menu.models import Pizza
from pizzeria.recent_login import recent_login_required


@require_safe
@login_required()
def profile(request: SignedInRequest) -> HttpResponse:
    """Show what is known of the person who looks."""
    favourites = request.user.favourites.select_related("pizza")
    context = {
        "profile": profile_of(request.user),
        "addresses": request.user.addresses.all(),
        "favourites": [x.pizza for x in favourites if not x.pizza.is_retired],
        "statistics": statistics_of(request.user),
        "current_orders": current_orders(request.user),
        "news": latest_news(request.user),
        "sends_mails": bool(settings.MAIL_SERVER),
    }
    return render(request, "customers/profile.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required()
def profile_edit(request: SignedInRequest) -> HttpResponse:
    """Change what is filled in for the next order."""
    if request.method != "POST":
        known = services.fields_of(profile_of(request.user))
        form = ProfileForm(initial=known)
    else:
        form = ProfileForm(request.POST)
        if form.is_valid():
            services.update_profile(user=request.user, fields=form.cleaned_data)
            messages.success(request, "Saved.")
            return _see_other("profile")
    return _show_form(request, form, "Your preferences")


@require_http_methods(["GET", "HEAD", "POST"])
@login_required()
def address_add(request: SignedInRequest) -> HttpResponse:
    """Add an entry to the address book."""
    form = AddressForm(request.POST if request.method == "POST" else None)
    return _save_address(request, form, None)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required()
def address_edit(request: SignedInRequest, address_id: int) -> HttpResponse:
    """Change an entry of one's own address book."""
    address = get_object_or_404(Address, user=request.user, pk=address_id)
    known = {
        "label": address.label,
        "text": address.text,
        "is_default": address.is_default,
    }
    data = request.POST if request.method == "POST" else None
    return _save_address(request, AddressForm(data, initial=known), address_id)


@require_POST
@login_required(back_to="profile")
def address_remove(request: SignedInRequest, address_id: int) -> HttpResponse:
    """Take an entry out of one's own address book."""
    try:
        services.remove_address(user=request.user, address_id=address_id)
    except ObjectDoesNotExist as error:
        raise Http404 from error
    messages.success(request, "The address is gone. Old orders keep theirs.")
    return _see_other("profile")


@require_POST
@login_required(back_to="menu")
def favourite(request: SignedInRequest, pizza_id: int) -> HttpResponse:
    """Make a pizza a favourite, or no longer one."""
    pizza = get_object_or_404(Pizza.objects.not_retired(), pk=pizza_id)
    try:
        services.set_favourite(
            user=request.user,
            pizza=pizza,
            is_favourite=request.POST.get("keep") != "no",
        )
    except PizzeriaError as refusal:
        messages.error(request, refusal.message)
    return _see_other(pizza.get_absolute_url())


@require_safe
@login_required()
@recent_login_required
def profile_export(request: SignedInRequest) -> HttpResponse:
    """Hand over everything that is stored of the person, as one file."""
    everything = everything_about(request.user, now=timezone.now())
    return HttpResponse(
        json.dumps(everything, indent=2, ensure_ascii=False),
        content_type="application/json",
        headers={
            "Content-Disposition": 'attachment; filename="marios-pizzeria.json"',
            "Cache-Control": "private, no-store",
        },
    )


@require_http_methods(["GET", "HEAD", "POST"])
@login_required()
@recent_login_required
def profile_erase(request: SignedInRequest) -> HttpResponse:
    """Ask once, then forget the person; the books keep what was sold."""
    if request.method != "POST":
        return render(request, "customers/erase.html")
    if request.POST.get("confirm") != "yes":
        messages.error(request, "Please tick that you want this.")
        return render(request, "customers/erase.html", status=HTTPStatus.BAD_REQUEST)
    try:
        services.erase_customer(user=request.user)
    except PizzeriaError as refusal:
        messages.error(request, refusal.message)
        return render(request, "customers/erase.html", status=HTTPStatus.CONFLICT)
    logout(request)
    messages.success(request, "You are forgotten here. Thank you for all the pizzas.")
    return _see_other("home")


def _save_address(
    request: SignedInRequest, form: AddressForm, address_id: int | None
) -> HttpResponse:
    title = "An address" if address_id else "A new address"
    if not form.is_bound or not form.is_valid():
        return _show_form(request, form, title)
    try:
        services.save_address(
            user=request.user, address_id=address_id, **form.cleaned_data
        )
    except PizzeriaError as refusal:
        form.add_error(None, refusal.message)
        return _show_form(request, form, title)
    except ObjectDoesNotExist as error:
        raise Http404 from error
    messages.success(request, "The address is in your book.")
    return _see_other("profile")


def _show_form(
    request: SignedInRequest, form: ProfileForm | AddressForm, title: str
) -> HttpResponse:
    status = HTTPStatus.BAD_REQUEST if form.is_bound else HTTPStatus.OK
    context = {"form": form, "title": title}
    return render(request, "customers/form.html", context, status=status)


def _see_other(to: str) -> HttpResponse:
    return HttpResponseRedirect(resolve_url(to), status=HTTPStatus.SEE_OTHER)
