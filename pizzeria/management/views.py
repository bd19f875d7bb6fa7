from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from pizzeria.access import SignedInRequest, login_required
from pizzeria.management import figures
from pizzeria.management.exports import hours_csv, pizzas_csv, sales_csv
from pizzeria.management.forms import PeriodForm
from pizzeria.management.stages import say_bottleneck
from pizzeria.roles import VIEW_FIGURES

_EXPORTS = {"sales": sales_csv, "pizzas": pizzas_csv, "hours": hours_csv}


@require_safe
@login_required(permission=VIEW_FIGURES)
def management_dashboard(request: SignedInRequest) -> HttpResponse:
    """Show how today goes; the page asks again for its figures by itself."""
    template = "management/management_dashboard.html"
    if request.htmx:
        template += "#figures"
    report = figures.overview(now=timezone.now())
    context = {
        **report,
        "zone": settings.TIME_ZONE,
        "week_words": figures.say_week(report["week_change"]),
    }
    return render(request, template, context)


@require_safe
@login_required(permission=VIEW_FIGURES)
def management_operations(request: SignedInRequest) -> HttpResponse:
    """Show who did what, when it was busy, and who ordered most."""
    form = PeriodForm(request.GET, default="today")
    report = figures.operations(form.span, now=timezone.now())
    context = {
        **report,
        "peak_finding": figures.say_peak(report["peak"]),
        "bottleneck": say_bottleneck(report["stages"]),
        "most_finding": figures.say_most(report),
    }
    return _answer(request, "operations", form, context)


@require_safe
@login_required(permission=VIEW_FIGURES)
def management_analytics(request: SignedInRequest) -> HttpResponse:
    """Show how sales went, in charts that each have their table."""
    form = PeriodForm(request.GET, default="month")
    report = figures.analytics(form.span, grouping=form.grouping_name)
    context = {
        **report,
        "revenue_finding": figures.say_change(
            "Revenue", report["revenue_change"], report["period"]
        ),
        "orders_finding": figures.say_change(
            "Orders", report["orders_change"], report["period"]
        ),
        "pizza_finding": figures.say_best(report["pizzas"]),
        "charts": _charts(report),
        "status_finding": figures.say_delivered(report["total"]),
    }
    return _answer(request, "analytics", form, context)


@require_safe
@login_required(permission=VIEW_FIGURES)
def management_export(request: SignedInRequest, table: str) -> HttpResponse:
    """Answer one of the tables as a file for a spreadsheet."""
    if table not in _EXPORTS:
        raise Http404
    form = PeriodForm(request.GET, default="month")
    if not form.is_valid():
        return _answer(
            request,
            "analytics",
            form,
            figures.analytics(form.span, grouping="day"),
        )
    span = form.span
    report = (
        figures.operations(span, now=timezone.now())
        if table == "hours"
        else figures.analytics(span, grouping=form.grouping_name)
    )
    return HttpResponse(
        _EXPORTS[table](report),
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{table}-{span.first}-to-'
            f'{span.last}.csv"'
        },
    )


def _answer(
    request: SignedInRequest, page: str, form: PeriodForm, context: dict[str, Any]
) -> HttpResponse:
    return render(
        request,
        f"management/management_{page}.html",
        {"form": form, "zone": settings.TIME_ZONE, **context},
        status=HTTPStatus.OK if form.is_valid() else HTTPStatus.BAD_REQUEST,
    )


def _charts(report: dict[str, Any]) -> dict[str, Any]:
    series = report["series"]
    top = report["pizzas"][:10]
    return {
        "labels": [span["start"].isoformat() for span in series],
        "revenue": [float(span["numbers"].revenue) for span in series],
        "orders": [span["numbers"].orders for span in series],
        "delivered": [span["numbers"].delivered for span in series],
        "cancelled": [span["numbers"].cancelled for span in series],
        "statuses": [one["label"] for one in report["statuses"]],
        "status_orders": [one["orders"] for one in report["statuses"]],
        "pizzas": [pizza["name"] for pizza in top],
        "pizza_revenue": [float(pizza["numbers"].revenue) for pizza in top],
    }
