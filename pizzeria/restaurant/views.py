from http import HTTPStatus

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render, resolve_url
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from pizzeria.access import SignedInRequest, login_required
from pizzeria.exceptions import ChangedMeanwhile
from pizzeria.restaurant.forms import RulesForm
from pizzeria.restaurant.models import Restaurant
from pizzeria.restaurant.services import change_rules
from pizzeria.roles import CHANGE_RULES


@require_http_methods(["GET", "HEAD", "POST"])
@login_required(permission=CHANGE_RULES)
def management_restaurant(request: SignedInRequest) -> HttpResponse:
    """Say when it is open, where it delivers to, and from what sum on."""
    restaurant = Restaurant.the_one()
    data = request.POST if request.method == "POST" else None
    form = RulesForm(data, restaurant=restaurant)
    status = HTTPStatus.BAD_REQUEST if form.is_bound else HTTPStatus.OK
    if form.is_valid():
        try:
            change_rules(
                fields=form.rules,
                actor=request.user,
                now=timezone.now(),
                seen=form.cleaned_data["seen"],
            )
        except ChangedMeanwhile as conflict:
            messages.error(request, conflict.message)
            restaurant, status = Restaurant.the_one(), HTTPStatus.CONFLICT
            form = RulesForm(restaurant=restaurant)
        else:
            messages.success(request, "Saved. Orders keep to it from now on.")
            to = resolve_url("management_restaurant")
            return HttpResponseRedirect(to, status=HTTPStatus.SEE_OTHER)
    context = {
        "form": form,
        "opening": restaurant.opening_at(timezone.now()),
        "zone": settings.TIME_ZONE,
    }
    return render(request, "restaurant/restaurant.html", context, status=status)
