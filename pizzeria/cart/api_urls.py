from django.urls import path

from pizzeria.cart import api

urlpatterns = [
    path("cart/", api.CartOfCaller.as_view(), name="api_cart"),
    path("cart/undo/", api.CartUndo.as_view(), name="api_cart_undo"),
    path("cart/voucher/", api.CartVoucher.as_view(), name="api_cart_voucher"),
    path("cart/items/", api.CartItems.as_view(), name="api_cart_items"),
    path("cart/items/<str:key>/", api.CartItem.as_view(), name="api_cart_item"),
]
