from django.urls import include, path

urlpatterns = [
    path("", include("pizzeria.menu.api_urls")),
    path("", include("pizzeria.cart.api_urls")),
    path("", include("pizzeria.orders.api_urls")),
    path("", include("pizzeria.customers.api_urls")),
    path("", include("pizzeria.kitchen.api_urls")),
    path("", include("pizzeria.delivery.api_urls")),
    path("", include("pizzeria.notifications.api_urls")),
    path("", include("pizzeria.events.api_urls")),
    path("", include("pizzeria.management.api_urls")),
    path("", include("pizzeria.restaurant.api_urls")),
    path("", include("pizzeria.vouchers.api_urls")),
    path("", include("pizzeria.ratings.api_urls")),
]
