"""How the management's pages write figures."""

from typing import Any

from django import template

from pizzeria.ratings.figures import Rated

register = template.Library()

_NOTHING = "–"


@register.filter
def minutes(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.0f} min"


@register.filter
def rating(rated: Rated) -> str:
    if rated.average is None:
        return _NOTHING
    return f"{rated.average:.1f} ({rated.count})"


@register.filter
def whole(number: int) -> str:
    return f"{number:,}"


@register.filter
def percent(share: float | None) -> str:
    return _NOTHING if share is None else f"{share:.0%}"


@register.inclusion_tag("management/_numbers.html")
def figure(
    label: str, value: Any, *, change: Any = None, beside: str = "", note: str = ""
) -> dict[str, Any]:
    return {
        "label": label,
        "value": value,
        "change": change,
        "beside": beside,
        "note": note,
    }


@register.inclusion_tag("management/_staff.html")
def staff_table(title: str, people: list[Any], average_is: str) -> dict[str, Any]:
    return {"title": title, "people": people, "average_is": average_is}
