"""Pizzas that draw themselves, put together from the shapes of `{% pizza_sprite %}`."""

import math
from collections.abc import Iterable
from functools import cache
from typing import Any, NamedTuple

from django import template
from django.template.loader import render_to_string
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from pizzeria.menu.templatetags.scatter import SHAPES, blob, chances, pieces, slug

register = template.Library()

# Areas, as bakers give them: the large one fills the plate.
SCALES = {"small": "0.74", "medium": "0.87", "large": "1"}
SLICES = 8
_EXTRA = mark_safe(' data-extra=""')  # a constant
_LAYERS = {topping: layer for layer, topping in enumerate(SHAPES)}


@register.simple_tag
@cache
def pizza_sprite() -> SafeString:
    """The shapes that every pizza of a page is put together from."""
    plan = pieces()
    rim = chances("oven")
    return render_to_string(
        "menu/_pizza_sprite.html",
        {
            # In the order they are laid on: the page's script reads it from here.
            "strewn": [(slug(name), plan[name]) for name in (*SHAPES, "other")],
            "crust": blob("crust", 94, 0.012, 22),
            "sauce": blob("sauce", 81, 0.025),
            "cheese": blob("cheese", 76, 0.05, 16),
            "patches": [blob(f"patch {n}", 15, 0.22, 9) for n in range(3)],
            "mozzarella": [blob(f"mozzarella {n}", 15, 0.16, 9) for n in range(3)],
            "blisters": [
                (round(next(rim) * 360), round(87 + 5 * next(rim)), 2 + 3 * next(rim))
                for _ in range(16)
            ],
        },
    )


@register.simple_tag
def pizza_art(
    pizza: Any, size: str = "large", extra_toppings: Iterable[str] = ()
) -> SafeString:
    """
    Draw a pizza: its base, its own toppings, then what was added, at its size.

    Anything with a `name` and `toppings` is a pizza here: one of the menu, or the
    line of an order that remembers what was ordered. The page needs the sprite.
    """
    extras = list(extra_toppings or ())
    own = list(pizza.toppings or ())
    base = _base(pizza)
    shown = {*own, *extras}
    if base == "margherita":
        shown.add("Basil")
    toppings = sorted(shown, key=lambda name: _LAYERS.get(name, len(_LAYERS)))
    return format_html(
        '<svg class="pizza" viewBox="-100 -100 200 200" role="img" data-size="{size}">'
        "<title>{title}</title>"
        '<use href="#pizza-plate"/>'
        '<g class="pizza-disc" transform="scale({scale})">'
        '<use href="#base-{base}"/>{toppings}</g></svg>',
        size=size if size in SCALES else "large",
        title=_title(pizza, size, own, extras),
        scale=SCALES.get(size, "1"),
        base=base,
        toppings=format_html_join(
            "",
            # The page's script takes off what was added when it is chosen no more.
            '<use href="#t-{}"{}/>',
            (
                (topping_symbol(name), _EXTRA if name in extras else "")
                for name in toppings
            ),
        ),
    )


class _Picture(NamedTuple):
    name: str
    toppings: list[str]


@register.simple_tag
def pizza_picture(name: str, size: str = "large", *toppings: str) -> SafeString:
    """Draw a pizza that is on no menu, for a page that wants to look like one."""
    return pizza_art(_Picture(name, list(toppings)), size)


@register.simple_tag
def sliced_pizza(slices_gone: int) -> SafeString:
    """A pizza of which some of the eight slices were eaten: an error's picture."""
    return format_html(
        '<svg class="pizza" viewBox="-100 -100 200 200" aria-hidden="true">'
        '<clipPath id="left-over"><path d="{}"/></clipPath>'
        '<use href="#empty-plate"/><g clip-path="url(#left-over)">'
        '<g transform="scale(.82)"><use href="#base-classic"/>'
        '<use href="#t-pepperoni"/><use href="#t-olives"/><use href="#t-basil"/>'
        "</g></g></svg>",
        _left_over(slices_gone),
    )


def _left_over(slices_gone: int) -> str:
    """The outline of what is left: from the end of the gap round to its beginning."""
    if slices_gone >= SLICES:
        return ""
    turn = math.tau * (slices_gone / SLICES - 0.25)
    x, y = round(130 * math.cos(turn)), round(130 * math.sin(turn))
    is_most = int(slices_gone < SLICES / 2)
    return f"M0 0 {x} {y}A130 130 0 {is_most} 1 0-130Z"


@register.simple_tag
def plate() -> SafeString:
    """An empty plate; it says nothing that the words beside it do not."""
    return sliced_pizza(8)


@register.filter
def topping_symbol(topping: str) -> str:
    """The name of the sprite's part that shows a topping, after its `t-`."""
    return slug(topping) if topping in SHAPES else "other"


def _base(pizza: Any) -> str:
    """
    What lies under the toppings.

    It is read from what every line of an order remembers, too, and not from the
    menu's description: the ticket shows the pizza that the menu showed.
    """
    if "bbq" in pizza.name.lower():
        return "bbq"
    return "classic" if pizza.toppings else "margherita"


def _title(pizza: Any, size: str, own: list[str], extras: list[str]) -> str:
    words = f"{size.capitalize()} {pizza.name}"
    if own:
        words += f" with {_listed(own)}"
    if extras:
        words += f", plus {_listed(extras)}"
    return words


def _listed(toppings: list[str]) -> str:
    *first, last = (topping.lower() for topping in toppings)
    return f"{', '.join(first)} and {last}" if first else last
