from django import template
from django.conf import settings
from django.urls import reverse

register = template.Library()


@register.simple_tag
def live_url(feed: str) -> str:
    """Return the address of a stream as the browser reaches it."""
    return f"{settings.LIVE_URL}{reverse('live_stream', args=[feed])}"
