from django.urls import path

from pizzeria.ratings import api

urlpatterns = [
    path(
        "orders/<int:order_id>/rating/",
        api.OrderRating.as_view(),
        name="api_order_rating",
    ),
]
