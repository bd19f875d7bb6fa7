from django.urls import path

from pizzeria.menu import api

urlpatterns = [
    path("menu/", api.Menu.as_view(), name="api_menu"),
    path("menu/<int:pizza_id>/", api.MenuPizza.as_view(), name="api_menu_pizza"),
]
