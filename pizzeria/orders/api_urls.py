from django.urls import path

from pizzeria.orders import api

urlpatterns = [
    path("orders/", api.Orders.as_view(), name="api_orders"),
    path("orders/<int:order_id>/", api.OneOrder.as_view(), name="api_order"),
    path(
        "orders/<int:order_id>/cancel/",
        api.CancelOrder.as_view(),
        name="api_order_cancel",
    ),
    path(
        "orders/<int:order_id>/change/",
        api.ChangeOrder.as_view(),
        name="api_order_change",
    ),
    path(
        "orders/<int:order_id>/refund/",
        api.RefundOrder.as_view(),
        name="api_order_refund",
    ),
    path(
        "orders/<int:order_id>/again/", api.OrderAgain.as_view(), name="api_order_again"
    ),
]
