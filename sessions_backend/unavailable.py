"""The answer to a request whose session cannot be known: 503, and when to come back."""

from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.template import TemplateDoesNotExist, loader

from sessions_backend.exceptions import StorageUnavailable

_TEMPLATE = "sessions_backend/unavailable.html"
_MESSAGE = "Your session cannot be reached at the moment. Please try again."


def _page(context: dict[str, object]) -> str:
    try:
        # Rendered without the request: context processors may want the session.
        return loader.get_template(_TEMPLATE).render(context)
    except TemplateDoesNotExist:
        # A project may look for no templates in its applications.
        return _MESSAGE


def unavailable_response(
    request: HttpRequest,
    outage: StorageUnavailable,
    *,
    instead_of: HttpResponseBase | None = None,
) -> HttpResponse:
    """Return a page for people, or JSON for whoever does not ask for HTML."""
    response: HttpResponse
    if "text/html" in request.headers.get("Accept", ""):
        context = {"message": _MESSAGE, "retry_after": outage.retry_after}
        response = HttpResponse(_page(context), status=outage.status_code)
    else:
        extra = {"retry_after": outage.retry_after}
        response = JsonResponse(
            {"code": outage.code, "message": _MESSAGE, "extra": extra},
            status=outage.status_code,
        )
    response.headers["Retry-After"] = str(outage.retry_after)
    response.headers["Cache-Control"] = "no-store"
    if instead_of is not None:
        # Closing it now would end the request; it is closed with the new response.
        response._resource_closers.extend(  # type: ignore[attr-defined]  # noqa: SLF001
            getattr(instead_of, "_resource_closers", [])
        )
    return response
