from django.urls import path

from pizzeria.restaurant import views

urlpatterns = [
    path(
        "management/restaurant/",
        views.management_restaurant,
        name="management_restaurant",
    ),
]
