from django.urls import path

from pizzeria.delivery import api

urlpatterns = [
    path("delivery/ready/", api.ReadyOrders.as_view(), name="api_delivery_ready"),
    path("delivery/tour/", api.Tour.as_view(), name="api_delivery_tour"),
    path("delivery/drivers/", api.Drivers.as_view(), name="api_delivery_drivers"),
    path("delivery/take/", api.TakeAll.as_view(), name="api_delivery_take_all"),
    path(
        "delivery/<int:order_id>/take/",
        api.TakeOrder.as_view(),
        name="api_delivery_take",
    ),
    path(
        "delivery/<int:order_id>/deliver/",
        api.DeliverOrder.as_view(),
        name="api_delivery_deliver",
    ),
    path(
        "delivery/<int:order_id>/undo/",
        api.UndoDelivery.as_view(),
        name="api_delivery_undo",
    ),
    path(
        "delivery/<int:order_id>/return/",
        api.BringBackOrder.as_view(),
        name="api_delivery_return",
    ),
    path(
        "delivery/<int:order_id>/move/",
        api.MoveStop.as_view(),
        name="api_delivery_move",
    ),
]
