from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

register = template.Library()


@register.simple_tag
def oven_places(taken: int, capacity: int) -> SafeString:
    """Draw the oven's places: full circles for those that are taken."""
    places = max(taken, capacity)
    return format_html(
        '<svg class="oven-places" viewBox="0 0 {} 10" aria-hidden="true">{}</svg>',
        places * 10,
        format_html_join(
            "",
            '<circle cx="{}" cy="5" r="3.6" stroke="currentColor" stroke-width="1.4" '
            'fill="{}"/>',
            (
                (place * 10 + 5, "currentColor" if place < taken else "none")
                for place in range(places)
            ),
        ),
    )
