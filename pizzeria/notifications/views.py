from http import HTTPStatus

from django.core.paginator import Paginator
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import render, resolve_url
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from pizzeria.access import SignedInRequest, login_required
from pizzeria.notifications import services
from pizzeria.notifications.models import Notification

NOTIFICATIONS_PER_PAGE = 20


@require_safe
@login_required()
def notification_list(request: SignedInRequest) -> HttpResponse:
    """Show what one was told and did not dismiss, newest first."""
    return _show_list(request)


@require_safe
@login_required()
def notification_badge(request: SignedInRequest) -> HttpResponse:
    """Show how many are unread; the bell of every page asks when it is told to."""
    return render(request, "notifications/_badge.html")


@require_POST
@login_required(back_to="notification_list")
def notification_read(request: SignedInRequest, notification_id: int) -> HttpResponse:
    """Note that one was read."""
    try:
        services.mark_read(
            notification_id=notification_id, person=request.user, now=timezone.now()
        )
    except Notification.DoesNotExist as error:
        raise Http404 from error
    return _show_list_again(request)


@require_POST
@login_required(back_to="notification_list")
def notification_dismiss(
    request: SignedInRequest, notification_id: int
) -> HttpResponse:
    """Take one off the list."""
    try:
        services.dismiss(
            notification_id=notification_id, person=request.user, now=timezone.now()
        )
    except Notification.DoesNotExist as error:
        raise Http404 from error
    return _show_list_again(request)


@require_POST
@login_required(back_to="notification_list")
def notification_read_all(request: SignedInRequest) -> HttpResponse:
    services.mark_all_read(person=request.user, now=timezone.now())
    return _show_list_again(request)


def _show_list_again(request: SignedInRequest) -> HttpResponse:
    if request.htmx:
        return _show_list(request)
    return HttpResponseRedirect(
        resolve_url("notification_list"), status=HTTPStatus.SEE_OTHER
    )


def _show_list(request: SignedInRequest) -> HttpResponse:
    mine = Notification.objects.of(request.user).kept().select_related("order")
    page = Paginator(mine, NOTIFICATIONS_PER_PAGE).get_page(request.GET.get("page"))
    template = "notifications/notification_list.html"
    if request.htmx:
        template += "#list"
    return render(request, template, {"notifications": page})
