"""
Sessions in the admin: who has which, what each holds, and their end.

They are read from Redis at each request; ids are shown as handles and secrets masked.
The pages need nothing but Django's own templates, and fit unfold's.
"""

import json
from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import ngettext
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_POST, require_safe

from sessions_backend import budget, operators
from sessions_backend.models import Session
from sessions_backend.operators import Found

_MOST_SHOWN = 100


@admin.register(Session)
class SessionAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not at run time
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(
        self, request: HttpRequest, obj: Session | None = None
    ) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        guarded = self.admin_site.admin_view
        return [
            path(
                "",
                guarded(require_safe(self.list_view)),
                name="sessions_backend_session_changelist",
            ),
            path(
                "end/",
                guarded(require_POST(self.end_view)),
                name="sessions_backend_session_end",
            ),
            path(
                "<slug:handle>/",
                guarded(require_safe(self.session_view)),
                name="sessions_backend_session_change",
            ),
        ]

    def list_view(self, request: HttpRequest) -> HttpResponse:
        """List live sessions: those of the users that `q` may mean, or any."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        query = request.GET.get("q", "").strip()
        with budget.of_seconds(operators.BULK_SECONDS):
            found = _found(query)
        return self._page(
            request,
            "list",
            title="Sessions",
            query=query,
            rows=_rows(found[:_MOST_SHOWN], request),
            most_shown=_MOST_SHOWN if len(found) > _MOST_SHOWN else None,
        )

    @sensitive_variables("found")
    def session_view(self, request: HttpRequest, handle: str) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        with budget.of_seconds(operators.BULK_SECONDS):
            found = operators.find_by_handles([handle])
        if not found:
            raise Http404("This session has ended.")
        (row,) = _rows(found, request)
        return self._page(
            request,
            "session",
            title=f"Session {handle}",
            row=row,
            shown=json.dumps(
                operators.masked(found[0].record), indent=2, ensure_ascii=False
            ),
        )

    @sensitive_variables("found")
    def end_view(self, request: HttpRequest) -> HttpResponse:
        """End the chosen sessions, or all of the users who have them."""
        if not self.has_delete_permission(request):
            raise PermissionDenied
        own = getattr(request.session, "record_name", None)
        with budget.of_seconds(operators.BULK_SECONDS):
            live = operators.find_by_handles(request.POST.getlist("handle"))
            if "all_of_users" in request.POST:
                users = sorted({one.user_id for one in live if one.user_id})
                count = sum(operators.revoke_all(user, keep=own) for user in users)
            else:
                count = sum(operators.revoke(one) for one in live)
        if live:
            ended: Any = [Session(handle=one.handle) for one in live]
            self.log_deletions(request, ended)  # it only goes through them
        message = ngettext("%d session has ended.", "%d sessions have ended.", count)
        messages.success(request, message % count)
        return HttpResponseRedirect(
            reverse(
                "admin:sessions_backend_session_changelist",
                current_app=self.admin_site.name,
            )
        )

    def _page(self, request: HttpRequest, name: str, **context: Any) -> HttpResponse:
        return TemplateResponse(
            request,
            f"sessions_backend/admin/{name}.html",
            {
                **self.admin_site.each_context(request),
                "opts": self.model._meta,  # noqa: SLF001  # Django's public name
                "may_end": self.has_delete_permission(request),
                **context,
            },
        )


def _found(query: str) -> list[Found]:
    if not query:
        return list(operators.all_sessions(limit=_MOST_SHOWN + 1))
    return operators.find_by_handles([query]) or [
        found
        for user_id in operators.users_named(query)
        for found in operators.of_user(user_id)
    ]


def _rows(found: list[Found], request: HttpRequest) -> list[dict[str, Any]]:
    names = _user_names({one.user_id for one in found if one.user_id})
    return [
        {
            "handle": one.handle,
            "user": names.get(one.user_id or "", one.user_id),
            "ends_at": timezone.now() + timedelta(seconds=one.seconds_left)
            if one.seconds_left < operators.LONGEST_SECONDS
            else None,
            "keys": sorted(one.record or {}),
            "is_damaged": one.record is None,
            "is_own": one.name == getattr(request.session, "record_name", None),
        }
        for one in found
    ]


def _user_names(ids: set[str]) -> dict[str, str]:
    users: Any = get_user_model()
    field = users._meta.pk  # noqa: SLF001  # Django's public name
    known = []
    for user_id in ids:
        try:
            known.append(field.clean(user_id, None))
        except ValidationError:
            continue
    found = users._default_manager.in_bulk(known)  # noqa: SLF001  # the same
    return {str(pk): user.get_username() for pk, user in found.items()}
