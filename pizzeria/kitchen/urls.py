from django.urls import path

from pizzeria.kitchen import views

urlpatterns = [
    path("kitchen/", views.kitchen_board, name="kitchen_board"),
    path(
        "kitchen/<int:order_id>/advance/", views.kitchen_advance, name="kitchen_advance"
    ),
]
