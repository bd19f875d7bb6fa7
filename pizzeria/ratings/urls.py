from django.urls import path

from pizzeria.ratings import views

urlpatterns = [
    path("orders/<int:order_id>/rate/", views.order_rate, name="order_rate"),
]
