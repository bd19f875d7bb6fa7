"""
How often somebody may try what could be guessed.

The shop does not know how clients are told apart and counted: the setting RATE_LIMITER
names the module that does. It has `seconds_to_wait(request, scope)`, which counts, and
`too_many_requests(request, seconds)`.
"""

from importlib import import_module

from django.conf import settings
from django.http import HttpRequest, HttpResponse


def refusal_of(request: HttpRequest, scope: str) -> HttpResponse | None:
    """Count this request, and answer for it if it is one too many."""
    limiter = import_module(settings.RATE_LIMITER)
    seconds = limiter.seconds_to_wait(request, scope)
    if not seconds:
        return None
    answer: HttpResponse = limiter.too_many_requests(request, seconds)
    return answer
