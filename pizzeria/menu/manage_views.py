"""The menu as managers see it: add, edit, retire, bring back, and who did what."""

from http import HTTPStatus

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render, resolve_url
from django.utils import timezone
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from pizzeria.access import SignedInRequest, login_required
from pizzeria.exceptions import MenuChanged, MenuFull
from pizzeria.menu import services
from pizzeria.menu.bulk import BulkAction, change_many
from pizzeria.menu.forms import BulkForm, MenuFilter, PizzaForm
from pizzeria.menu.models import MenuChange, Pizza
from pizzeria.roles import ADD_TO_MENU, CHANGE_MENU

PIZZAS_PER_PAGE = 50
CHANGES_PER_PAGE = 25


@require_safe
@login_required(permission=CHANGE_MENU)
def management_menu(request: SignedInRequest) -> HttpResponse:
    """List every pizza, retired ones last, and the latest changes."""
    return _show_list(request, BulkForm())


@require_POST
@login_required(permission=CHANGE_MENU, back_to="management_menu")
def management_menu_bulk(request: SignedInRequest) -> HttpResponse:
    """Do one thing to all pizzas that are chosen, or to none."""
    form = BulkForm(request.POST)
    if not form.is_valid():
        return _show_list(request, form, HTTPStatus.BAD_REQUEST)
    try:
        versions = form.versions
        changed = change_many(
            action=BulkAction(form.cleaned_data["action"]),
            versions=versions,
            percent=form.cleaned_data["percent"],
            actor=request.user,
            now=timezone.now(),
        )
    except (ValueError, Pizza.DoesNotExist) as error:
        raise Http404 from error
    except MenuChanged as conflict:
        messages.error(request, conflict.message)
        return _show_list(request, BulkForm(), HTTPStatus.CONFLICT)
    except ValidationError as error:
        form.add_error(None, error)
        return _show_list(request, form, HTTPStatus.BAD_REQUEST)
    except MenuFull as refusal:
        form.add_error(None, refusal.message)
        return _show_list(request, form, HTTPStatus.BAD_REQUEST)
    names = ", ".join(pizza.name for pizza in changed)
    messages.success(request, f"Done, for {names}." if changed else "None was chosen.")
    query = request.GET.urlencode()
    address = resolve_url("management_menu") + (f"?{query}" if query else "")
    return HttpResponseRedirect(address, status=HTTPStatus.SEE_OTHER)


def _show_list(
    request: SignedInRequest, bulk: BulkForm, status: HTTPStatus | None = None
) -> HttpResponse:
    wanted = MenuFilter(request.GET)
    pizzas = Pizza.objects.order_by("retired_at", "name")
    pages = Paginator(wanted.pick(pizzas), PIZZAS_PER_PAGE)
    context = {
        "page": pages.get_page(request.GET.get("page")),
        "filter": wanted,
        "bulk": bulk,
        "changes": MenuChange.objects.select_related("pizza")[:10],
    }
    if status is None:
        status = HTTPStatus.OK if wanted.is_valid() else HTTPStatus.BAD_REQUEST
    return render(request, "menu/manage/menu.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required(permission=ADD_TO_MENU)
def management_menu_add(request: SignedInRequest) -> HttpResponse:
    """Put a new pizza on the menu."""
    form = PizzaForm(request.POST or None)
    if request.method != "POST" or not form.is_valid():
        return _show_form(request, form)
    try:
        pizza = services.add_pizza(
            fields=form.cleaned_data, actor=request.user, now=timezone.now()
        )
    except MenuFull as refusal:
        form.add_error(None, refusal.message)
        return _show_form(request, form)
    messages.success(request, f"{pizza.name} is on the menu.")
    return _see_other("management_menu")


@require_http_methods(["GET", "HEAD", "POST"])
@login_required(permission=CHANGE_MENU)
def management_menu_edit(request: SignedInRequest, pizza_id: int) -> HttpResponse:
    """Change a pizza, unless somebody else has done so meanwhile."""
    pizza = get_object_or_404(Pizza, pk=pizza_id)
    form = PizzaForm(
        request.POST if request.method == "POST" else None,
        instance=pizza,
        initial={"version": pizza.version},
    )
    if request.method != "POST" or not form.is_valid():
        # A refused form has changed its instance: the page tells of the stored one.
        return _show_form(request, form, get_object_or_404(Pizza, pk=pizza_id))
    try:
        pizza = services.edit_pizza(
            pizza_id=pizza_id,
            fields=form.cleaned_data,
            actor=request.user,
            now=timezone.now(),
            version=form.cleaned_data["version"],
        )
    except MenuChanged as conflict:
        messages.error(request, conflict.message)
        now = get_object_or_404(Pizza, pk=pizza_id)
        form = PizzaForm(instance=now, initial={"version": now.version})
        return _show_form(request, form, now, HTTPStatus.CONFLICT)
    messages.success(request, f"{pizza.name} is saved.")
    return _see_other("management_menu")


@require_POST
@login_required(permission=CHANGE_MENU, back_to="management_menu")
def management_menu_retire(request: SignedInRequest, pizza_id: int) -> HttpResponse:
    """Take a pizza off the menu; the orders that hold it keep it."""
    try:
        pizza = services.retire_pizza(
            pizza_id=pizza_id, actor=request.user, now=timezone.now()
        )
    except Pizza.DoesNotExist as error:
        raise Http404 from error
    messages.success(request, f"{pizza.name} is off the menu. It can be brought back.")
    return _see_other("management_menu")


@require_POST
@login_required(permission=CHANGE_MENU, back_to="management_menu")
def management_menu_restore(request: SignedInRequest, pizza_id: int) -> HttpResponse:
    """Bring a retired pizza back."""
    try:
        pizza = services.restore_pizza(
            pizza_id=pizza_id, actor=request.user, now=timezone.now()
        )
    except Pizza.DoesNotExist as error:
        raise Http404 from error
    except MenuFull as refusal:
        messages.error(request, refusal.message)
        return _see_other("management_menu")
    messages.success(request, f"{pizza.name} is on the menu again.")
    return _see_other("management_menu")


def _show_form(
    request: SignedInRequest,
    form: PizzaForm,
    pizza: Pizza | None = None,
    status: HTTPStatus | None = None,
) -> HttpResponse:
    if status is None:
        status = HTTPStatus.BAD_REQUEST if form.is_bound else HTTPStatus.OK
    history = pizza.history.all() if pizza else MenuChange.objects.none()
    pages = Paginator(history, CHANGES_PER_PAGE)
    context = {
        "form": form,
        "pizza": pizza,
        "changes": pages.get_page(request.GET.get("page")),
    }
    return render(request, "menu/manage/pizza.html", context, status=status)


def _see_other(name: str) -> HttpResponse:
    return HttpResponseRedirect(resolve_url(name), status=HTTPStatus.SEE_OTHER)
