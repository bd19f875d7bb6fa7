from django.urls import path

from pizzeria.kitchen import api

urlpatterns = [
    path("kitchen/", api.KitchenStatus.as_view(), name="api_kitchen"),
    path(
        "kitchen/capacity/", api.KitchenCapacity.as_view(), name="api_kitchen_capacity"
    ),
    path("kitchen/hours/", api.KitchenHours.as_view(), name="api_kitchen_hours"),
    path("kitchen/orders/", api.KitchenOrders.as_view(), name="api_kitchen_orders"),
    path(
        "kitchen/orders/<int:order_id>/status/",
        api.KitchenOrderStatus.as_view(),
        name="api_kitchen_order_status",
    ),
    path(
        "kitchen/orders/<int:order_id>/cook/",
        api.KitchenOrderCook.as_view(),
        name="api_kitchen_order_cook",
    ),
    path(
        "kitchen/orders/<int:order_id>/seen/",
        api.KitchenCancellationSeen.as_view(),
        name="api_kitchen_order_seen",
    ),
    path(
        "kitchen/orders/<int:order_id>/lines/<int:line_id>/tick/",
        api.KitchenLineTick.as_view(),
        name="api_kitchen_line_tick",
    ),
]
