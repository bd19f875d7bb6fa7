from django.urls import path

from pizzeria.orders import views

urlpatterns = [
    path("checkout/", views.checkout, name="checkout"),
    path("orders/", views.order_list, name="order_list"),
    path("orders/<int:order_id>/", views.order_detail, name="order_detail"),
    path("orders/<int:order_id>/cancel/", views.order_cancel, name="order_cancel"),
    path("orders/<int:order_id>/change/", views.order_change, name="order_change"),
    path("orders/<int:order_id>/refund/", views.order_refund, name="order_refund"),
    path("orders/<int:order_id>/again/", views.order_again, name="order_again"),
    path("track/<str:token>/", views.track, name="track"),
]
