from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils import timezone
from unfold.admin import ModelAdmin

from pizzeria.admin_rules import ReadOnly
from pizzeria.events.models import OutboxEvent, OutboxQuerySet, ReceivedEvent

_BY_HAND = "Parked in the admin."


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
class OutboxEventAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]  # untyped
    list_display = ["type", "subject", "occurred_at", "tries", "sent_at", "parked_at"]
    list_filter = [StateFilter, "type"]
    search_fields = ["=subject", "=event_id"]
    actions = ["send_again", "park"]
    date_hierarchy = "occurred_at"
    show_full_result_count = False

    def has_resend_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_superuser)

    @admin.action(description="Send parked events again", permissions=["resend"])
    def send_again(self, request: HttpRequest, queryset: OutboxQuerySet) -> None:
        freed = queryset.exclude(parked_at=None).update(
            parked_at=None, tries=0, next_try_at=None
        )
        messages.success(request, f"The relay tries {freed} of them again.")

    @admin.action(description="Park waiting events", permissions=["resend"])
    def park(self, request: HttpRequest, queryset: OutboxQuerySet) -> None:
        """Let nobody wait for an event that its sink is not to have now."""
        waiting = queryset.pending()
        parked = waiting.update(parked_at=timezone.now(), last_error=_BY_HAND)
        messages.success(request, f"{parked} of them wait until they are sent again.")


@admin.register(ReceivedEvent)
class ReceivedEventAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]  # untyped
    list_display = ["type", "source", "event_id", "received_at", "received_from"]
    list_filter = ["type", "source"]
    search_fields = ["=event_id", "=subject"]
    list_select_related = ["received_from"]
