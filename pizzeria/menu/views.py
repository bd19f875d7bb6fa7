from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from pizzeria.menu.models import Pizza
from pizzeria.menu.pricing import TOPPING_PRICE
from pizzeria.menu.toppings import TOPPINGS


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    return render(request, "menu/home.html")


@require_safe
def menu(request: HttpRequest) -> HttpResponse:
    return show_menu(request)


def show_menu(request: HttpRequest, status: HTTPStatus = HTTPStatus.OK) -> HttpResponse:
    """Show every pizza, sold-out ones too, and what the cart holds so far."""
    context = {
        "pizzas": list(Pizza.objects.all()),
        "toppings": TOPPINGS,
        "topping_price": TOPPING_PRICE,
    }
    return render(request, "menu/menu.html", context, status=status)
