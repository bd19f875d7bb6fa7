from django.urls import include, path

urlpatterns = [
    path("", include("pizzeria.menu.urls")),
    path("", include("pizzeria.cart.urls")),
    path("", include("pizzeria.orders.urls")),
    path("", include("pizzeria.customers.urls")),
    path("", include("pizzeria.kitchen.urls")),
    path("", include("pizzeria.management.urls")),
    path("", include("pizzeria.delivery.urls")),
    path("", include("pizzeria.notifications.urls")),
    path("", include("pizzeria.live.urls")),
    path("", include("pizzeria.restaurant.urls")),
    path("", include("pizzeria.vouchers.urls")),
    path("", include("pizzeria.ratings.urls")),
]
