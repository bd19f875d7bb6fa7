from http import HTTPStatus

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from pizzeria.access import SignedInRequest, login_required
from pizzeria.exceptions import Conflict
from pizzeria.orders.models import Order
from pizzeria.ratings.forms import RatingForm
from pizzeria.ratings.models import Rating, is_rateable
from pizzeria.ratings.services import rate_order


@require_http_methods(["GET", "HEAD", "POST"])
@login_required()
def order_rate(request: SignedInRequest, order_id: int) -> HttpResponse:
    """Ask what the customer thought of an order, and keep it."""
    order = get_object_or_404(Order.objects.of(request.user), pk=order_id)
    rating, now = Rating.of(order), timezone.now()
    data = request.POST if request.method == "POST" else None
    said = {"stars": rating.stars, "words": rating.words} if rating else None
    form = RatingForm(data, initial=said)
    status = HTTPStatus.BAD_REQUEST if form.is_bound else HTTPStatus.OK
    if form.is_valid():
        try:
            rate_order(
                order_id=order_id, customer=request.user, now=now, **form.cleaned_data
            )
        except Conflict as refusal:
            form.add_error(None, refusal.message)
            status = HTTPStatus.CONFLICT
        else:
            messages.success(request, "Thank you! You can change it for a day.")
            return HttpResponseRedirect(
                order.get_absolute_url(), status=HTTPStatus.SEE_OTHER
            )
    context = {
        "order": order,
        "form": form,
        "rating": rating,
        "can_rate": is_rateable(order, rating, now=now),
    }
    return render(request, "ratings/rate.html", context, status=status)
