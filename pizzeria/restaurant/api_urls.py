from django.urls import path

from pizzeria.restaurant import api

urlpatterns = [
    path("restaurant/", api.TheRestaurant.as_view(), name="api_restaurant"),
    path(
        "management/restaurant/",
        api.ManagementRestaurant.as_view(),
        name="api_management_restaurant",
    ),
]
