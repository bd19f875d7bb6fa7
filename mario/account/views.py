from http import HTTPStatus

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from mario.account import places
from mario.account.models import AuditEntry
from mario.identity.limits import limited
from mario.identity.recent_login import recent_login_required

MAY_END_STAFF = "account.end_staff_sessions"
_MOST_EVENTS = 15
_MOST_STAFF = 200


@never_cache
@login_required
@require_safe
def account(request: HttpRequest) -> HttpResponse:
    """Show what the shop knows of a login, and the way to what Keycloak knows."""
    assert isinstance(request.user, User)  # noqa: S101  # login_required
    context = {
        "events": AuditEntry.objects.filter(user=request.user)[:_MOST_EVENTS],
        "console_url": settings.OIDC_ACCOUNT_URL,
    }
    return render(request, "account/account.html", context)


@never_cache
@login_required
@require_safe
def account_sessions(request: HttpRequest) -> HttpResponse:
    assert isinstance(request.user, User)  # noqa: S101  # login_required
    found = places.places_of(request.user, this=request.session)
    return render(request, "account/sessions.html", {"places": found})


@never_cache
@login_required
@limited("account")
@require_POST
@recent_login_required
def account_session_end(request: HttpRequest) -> HttpResponse:
    """End one other session, or all others, of whoever asks."""
    user = request.user
    assert isinstance(user, User)  # noqa: S101  # login_required
    if "others" in request.POST:
        count = places.end_others(user, this=request.session)
        said = ngettext("%d session has ended.", "%d sessions have ended.", count)
        messages.success(request, said % count)
    elif places.end_one(user, request.POST.get("handle", "")):
        messages.success(request, "That session has ended.")
    else:
        messages.info(request, "That session had ended already.")
    return HttpResponseRedirect(reverse("account_sessions"))


@never_cache
@login_required
@permission_required(MAY_END_STAFF, raise_exception=True)
@require_safe
def account_staff(request: HttpRequest) -> HttpResponse:
    """Show managers where the people of the restaurant are logged in."""
    staff = [
        (person, places.places_of(person, this=request.session)) for person in _staff()
    ]
    return render(request, "account/staff.html", {"staff": staff})


@never_cache
@login_required
@permission_required(MAY_END_STAFF, raise_exception=True)
@limited("account")
@require_POST
@recent_login_required
def account_staff_end(request: HttpRequest) -> HttpResponse:
    user_id = request.POST.get("user", "")
    if not (user_id.isascii() and user_id.isdecimal() and len(user_id) < 18):  # noqa: PLR2004
        return HttpResponse(status=HTTPStatus.BAD_REQUEST)
    person = get_object_or_404(User, pk=int(user_id))
    if person not in _staff():
        raise Http404
    if places.end_one(person, request.POST.get("handle", "")):
        messages.success(request, f"A session of {person.get_username()} has ended.")
    else:
        messages.info(request, "That session had ended already.")
    return HttpResponseRedirect(reverse("account_staff"))


def _staff() -> list[User]:
    """The people of the restaurant; a superuser is ended in the admin."""
    found = User.objects.filter(
        groups__name__in=settings.STAFF_GROUPS, is_superuser=False, is_active=True
    )
    return list(found.distinct().order_by("username")[:_MOST_STAFF])
