from decimal import Decimal
from http import HTTPStatus

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from pizzeria.cart.cart import Cart
from pizzeria.cart.forms import AddForm
from pizzeria.customers.models import Favourite
from pizzeria.menu.forms import MenuFilter
from pizzeria.menu.models import Pizza
from pizzeria.menu.nutrition import FACTS
from pizzeria.menu.pricing import TOPPING_PRICE, Size
from pizzeria.menu.toppings import TOPPINGS, allergens_of

PIZZAS_PER_PAGE = 24


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    return render(request, "menu/home.html")


@require_safe
def menu(request: HttpRequest) -> HttpResponse:
    return show_menu(request)


@require_safe
def menu_pizza(request: HttpRequest, pizza_id: int) -> HttpResponse:
    """
    Show one pizza: what is in it, and what it costs as chosen in the address.

    So price and picture follow the choice without a script, too.
    """
    pizza = get_object_or_404(Pizza.objects.on_menu(), pk=pizza_id)
    return show_pizza(request, pizza)


def show_menu(request: HttpRequest, status: HTTPStatus = HTTPStatus.OK) -> HttpResponse:
    """Show what is looked for, sold-out pizzas too, and what the cart holds so far."""
    # With what is out of season: a cart may hold it, and says so.
    known = list(Pizza.objects.not_retired())
    on_menu = [pizza for pizza in known if pizza.is_in_season()]
    wanted = MenuFilter(request.GET)
    if not wanted.is_valid():
        status = HTTPStatus.BAD_REQUEST
    pages = Paginator(wanted.pick(on_menu), PIZZAS_PER_PAGE)
    page = pages.get_page(request.GET.get("page"))
    context = {
        "pizzas": page.object_list,
        "page": page,
        "filter": wanted,
        "favourites": _favourites_of(request),
        "toppings": TOPPINGS,
        "topping_price": TOPPING_PRICE,
        # The pizzas are here already: the cart need not ask for them again.
        "cart": Cart(request.session, menu=known),
    }
    return render(request, "menu/menu.html", context, status=status)


def show_pizza(
    request: HttpRequest,
    pizza: Pizza,
    *,
    status: HTTPStatus = HTTPStatus.OK,
    **context: object,
) -> HttpResponse:
    """Show one pizza with what was chosen, to be added or, from a cart, changed."""
    chosen = AddForm(
        {
            "pizza": pizza.pk,
            "size": request.GET.get("size", Size.MEDIUM),
            "quantity": request.GET.get("quantity", 1),
            "extra_toppings": request.GET.getlist("extra_toppings"),
        }
    )
    choice = chosen.cleaned_data if chosen.is_valid() else {}
    size = choice.get("size", Size.MEDIUM)
    extras = [x for x in choice.get("extra_toppings", ()) if x not in pizza.toppings]
    quantity = choice.get("quantity", 1)
    context = {
        "pizza": pizza,
        "size": size,
        "extras": extras,
        "quantity": quantity,
        "price": pizza.unit_price(size, extras) * quantity,
        "allergens": allergens_of([*pizza.toppings, *extras], pizza.more_allergens),
        "is_favourite": pizza.pk in _favourites_of(request),
        "nutrition": _nutrition_table(pizza),
        "toppings": TOPPINGS,
        "topping_price": TOPPING_PRICE,
        **context,
    }
    return render(request, "menu/menu_pizza.html", context, status=status)


def _nutrition_table(pizza: Pizza) -> list[tuple[str, list[Decimal | None]]]:
    """Each fact that is known, and its amount by size."""
    by_size = pizza.nutrition or {}
    rows = [
        (label, [facts[name] for facts in by_size.values()])
        for name, label in FACTS.items()
    ]
    return [
        (label, amounts)
        for label, amounts in rows
        if any(x is not None for x in amounts)
    ]


def _favourites_of(request: HttpRequest) -> set[int]:
    if not request.user.is_authenticated:
        return set()
    mine = Favourite.objects.filter(user=request.user)
    return set(mine.values_list("pizza_id", flat=True))
