from http import HTTPStatus

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render, resolve_url
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from pizzeria.access import SignedInRequest, login_required
from pizzeria.exceptions import ChangedMeanwhile
from pizzeria.roles import CHANGE_VOUCHERS
from pizzeria.vouchers.forms import VoucherForm
from pizzeria.vouchers.models import Voucher
from pizzeria.vouchers.services import save_voucher

VOUCHERS_PER_PAGE = 25


@require_safe
@login_required(permission=CHANGE_VOUCHERS)
def management_vouchers(request: SignedInRequest) -> HttpResponse:
    """List the vouchers, with how often each was used."""
    pages = Paginator(Voucher.objects.with_uses(), VOUCHERS_PER_PAGE)
    context = {"page": pages.get_page(request.GET.get("page"))}
    return render(request, "vouchers/voucher_list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required(permission=CHANGE_VOUCHERS)
def management_voucher_add(request: SignedInRequest) -> HttpResponse:
    """Make a new voucher."""
    return _show_form(request, VoucherForm(request.POST or None))


@require_http_methods(["GET", "HEAD", "POST"])
@login_required(permission=CHANGE_VOUCHERS)
def management_voucher_edit(request: SignedInRequest, voucher_id: int) -> HttpResponse:
    """Change a voucher, or switch it off; it is never deleted."""
    voucher = get_object_or_404(Voucher, pk=voucher_id)
    data = request.POST if request.method == "POST" else None
    return _show_form(request, VoucherForm(data, instance=voucher), voucher_id)


def _show_form(
    request: SignedInRequest, form: VoucherForm, voucher_id: int | None = None
) -> HttpResponse:
    status = HTTPStatus.BAD_REQUEST if form.is_bound else HTTPStatus.OK
    if form.is_valid():
        try:
            voucher = save_voucher(
                fields=form.terms,
                actor=request.user,
                now=timezone.now(),
                voucher_id=voucher_id,
                seen=form.cleaned_data["seen"],
            )
        except ChangedMeanwhile as conflict:
            messages.error(request, conflict.message)
            form = VoucherForm(instance=Voucher.objects.get(pk=form.instance.pk))
            status = HTTPStatus.CONFLICT
        except ValidationError as error:
            # Somebody took the code since the form was looked at.
            form.add_error(None, error)
        else:
            messages.success(request, f"{voucher.code} is saved.")
            to = resolve_url("management_vouchers")
            return HttpResponseRedirect(to, status=HTTPStatus.SEE_OTHER)
    context = {"form": form, "voucher_id": voucher_id}
    return render(request, "vouchers/voucher_form.html", context, status=status)
