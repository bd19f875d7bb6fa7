"""How the shop writes money, moments and addresses of files on its pages."""

from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from django import template
from django.conf import settings
from django.templatetags.static import static
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()


@register.filter
def money(amount: Decimal) -> str:
    """Dollars and cents: 16.887 is $16.89."""
    cents = Decimal(amount).quantize(Decimal("0.01"), ROUND_HALF_UP)
    return f"-${-cents:,}" if cents < 0 else f"${cents:,}"


@register.filter
def cents(amount: Decimal) -> int:
    """The same in whole cents, for the page's script to add up."""
    return int(Decimal(amount).quantize(Decimal("0.01"), ROUND_HALF_UP) * 100)


@register.simple_tag
def asset(path: str) -> str:
    """
    The address of a static file, also when the manifest of them is missing.

    Error pages use it: they must not fail for what made the first page fail.
    """
    try:
        return static(path)
    except ValueError:
        return f"{settings.STATIC_URL}{path}"


@register.simple_tag
def shop_phone() -> SafeString:
    """The restaurant's number, to be called with a tap."""
    number = settings.SHOP_PHONE
    dialled = "".join(sign for sign in number if sign in "+0123456789")
    return format_html('<a class="phone" href="tel:{}">{}</a>', dialled, number)


@register.simple_tag
def ago(moment: datetime | None, now: datetime | None = None) -> SafeString | str:
    """
    How long ago something happened, with the exact time on hover.

    The page's script keeps the words up to date; without it they are right as of
    the page's rendering.
    """
    if moment is None:
        return ""
    local = timezone.localtime(moment)
    return format_html(
        '<time datetime="{}" title="{}" data-ago>{}</time>',
        moment.isoformat(timespec="seconds"),
        f"{date_format(local, 'D j M Y, H:i')} {local.tzname()}",
        in_words(int(((now or timezone.now()) - moment).total_seconds()), local),
    )


def in_words(seconds: int, local: datetime) -> str:
    """Say it as "just now", "5 min ago", "2 h 5 min ago" or "on 3 May, 18:40"."""
    minutes = max(seconds, 0) // 60
    if minutes < 1:
        return "just now"
    if minutes < 60:  # noqa: PLR2004  # minutes of an hour
        return f"{minutes} min ago"
    if minutes < 12 * 60:
        hours, rest = divmod(minutes, 60)
        return f"{hours} h {rest} min ago" if rest else f"{hours} h ago"
    return f"on {date_format(local, 'j M, H:i')}"
