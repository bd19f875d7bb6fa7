from django.urls import path

from pizzeria.cart import views

urlpatterns = [
    path("cart/", views.cart, name="cart"),
    path("cart/add/", views.cart_add, name="cart_add"),
    path("cart/update/", views.cart_update, name="cart_update"),
    path("cart/remove/", views.cart_remove, name="cart_remove"),
    path("cart/undo/", views.cart_undo, name="cart_undo"),
    path("cart/voucher/", views.cart_voucher, name="cart_voucher"),
    path("cart/<str:key>/edit/", views.cart_edit, name="cart_edit"),
]
