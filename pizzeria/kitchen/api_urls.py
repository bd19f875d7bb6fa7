from django.urls import path

from pizzeria.kitchen import api

urlpatterns = [
    path("kitchen/orders/", api.KitchenOrders.as_view(), name="api_kitchen_orders"),
    path(
        "kitchen/orders/<int:order_id>/status/",
        api.KitchenOrderStatus.as_view(),
        name="api_kitchen_order_status",
    ),
]
