from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from pizzeria.events.models import OutboxEvent, OutboxQuerySet, ReceivedEvent


class _ReadOnly:
    """What happened is not edited."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, *_: Any) -> list[tuple[str, str]]:
        return [("waiting", "Waiting"), ("parked", "Parked"), ("sent", "Sent")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() == "waiting":
            return queryset.pending()
        if self.value() == "parked":
            return queryset.exclude(parked_at=None)
        if self.value() == "sent":
            return queryset.exclude(sent_at=None)
        return queryset


@admin.register(OutboxEvent)
class OutboxEventAdmin(_ReadOnly, ModelAdmin):  # type: ignore[misc]  # untyped
    list_display = ["type", "subject", "occurred_at", "tries", "sent_at", "parked_at"]
    list_filter = [StateFilter, "type"]
    search_fields = ["=subject", "=event_id"]
    actions = ["send_again"]
    show_full_result_count = False

    def has_resend_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_superuser)

    @admin.action(description="Send parked events again", permissions=["resend"])
    def send_again(self, request: HttpRequest, queryset: OutboxQuerySet) -> None:
        freed = queryset.exclude(parked_at=None).update(
            parked_at=None, tries=0, next_try_at=None
        )
        messages.success(request, f"The relay tries {freed} of them again.")


@admin.register(ReceivedEvent)
class ReceivedEventAdmin(_ReadOnly, ModelAdmin):  # type: ignore[misc]  # untyped
    list_display = ["type", "source", "event_id", "received_at", "received_from"]
    list_filter = ["type"]
