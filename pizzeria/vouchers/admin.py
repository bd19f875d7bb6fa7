from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from unfold.admin import ModelAdmin

from pizzeria.admin_rules import person_at
from pizzeria.roles import CHANGE_VOUCHERS
from pizzeria.vouchers.forms import FIELDS, VoucherForm
from pizzeria.vouchers.models import Voucher
from pizzeria.vouchers.services import save_voucher


@admin.register(Voucher)
class VoucherAdmin(ModelAdmin):  # type: ignore[misc]  # unfold is untyped
    """Vouchers, changed as on the managers' page; never deleted."""

    list_display = ["code", "terms", "valid_until", "uses", "most_uses", "is_active"]
    list_filter = ["is_active", "kind"]
    search_fields = ["code"]
    form = VoucherForm
    fields = FIELDS

    def get_queryset(self, request: HttpRequest) -> Any:
        return Voucher.objects.with_uses()

    @admin.display(description="Uses")
    def uses(self, voucher: Any) -> int:
        counted: int = voucher.uses
        return counted

    def has_add_permission(self, request: HttpRequest) -> bool:
        return person_at(request).has_perm(CHANGE_VOUCHERS)

    def has_delete_permission(
        self, request: HttpRequest, obj: Voucher | None = None
    ) -> bool:
        return False

    def save_model(
        self, request: HttpRequest, obj: Voucher, form: VoucherForm, change: bool
    ) -> None:
        """Let the service write it, with its event."""
        saved = save_voucher(
            fields=form.terms,
            actor=person_at(request),
            now=timezone.now(),
            voucher_id=obj.pk if change else None,
        )
        obj.pk = saved.pk
