"""Whether the restaurant is open, in a word."""

from django import template
from django.utils import timezone

from pizzeria.restaurant.hours import Opening
from pizzeria.restaurant.models import Restaurant

register = template.Library()


@register.simple_tag
def opening(restaurant: Restaurant | None = None) -> Opening | None:
    """Say how it is now; None for one that never closes, of which there is no word."""
    restaurant = restaurant or Restaurant.the_one()
    return restaurant.opening_at(timezone.now()) if restaurant.hours else None
