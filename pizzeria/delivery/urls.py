from django.urls import path

from pizzeria.delivery import views

urlpatterns = [
    path("delivery/", views.delivery_board, name="delivery_board"),
    path("delivery/drivers/", views.delivery_drivers, name="delivery_drivers"),
    path("delivery/take/", views.delivery_take_all, name="delivery_take_all"),
    path("delivery/<int:order_id>/take/", views.delivery_take, name="delivery_take"),
    path(
        "delivery/<int:order_id>/deliver/",
        views.delivery_deliver,
        name="delivery_deliver",
    ),
    path("delivery/<int:order_id>/undo/", views.delivery_undo, name="delivery_undo"),
    path(
        "delivery/<int:order_id>/return/",
        views.delivery_return,
        name="delivery_return",
    ),
    path("delivery/<int:order_id>/move/", views.delivery_move, name="delivery_move"),
]
