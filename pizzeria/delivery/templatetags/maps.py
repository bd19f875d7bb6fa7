from urllib.parse import quote

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from pizzeria.delivery.board import map_url

register = template.Library()


@register.simple_tag
def ways_to(address: str) -> SafeString:
    """Link an address to the phone's own maps, and to a map for everybody."""
    in_a_line = " ".join(address.split())
    # The phone's own numbers and maps; nothing is asked before somebody taps.
    return format_html(
        '<a class="btn" href="geo:0,0?q={}">Navigate</a> '
        '<a class="btn" href="{}" target="_blank" rel="noopener noreferrer">Map'
        '<span class="visually-hidden"> (opens a new tab)</span></a>',
        quote(in_a_line, safe=""),
        map_url(in_a_line),
    )
