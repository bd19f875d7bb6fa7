from django.urls import path

from pizzeria.menu import api

urlpatterns = [
    path("menu/", api.Menu.as_view(), name="api_menu"),
    path("menu/<int:pizza_id>/", api.MenuPizza.as_view(), name="api_menu_pizza"),
    path(
        "menu/<int:pizza_id>/price/",
        api.MenuPizzaPrice.as_view(),
        name="api_menu_pizza_price",
    ),
    path("management/menu/", api.ManagedMenu.as_view(), name="api_management_menu"),
    path(
        "management/menu/bulk/",
        api.ManagedMenuBulk.as_view(),
        name="api_management_menu_bulk",
    ),
    path(
        "management/menu/<int:pizza_id>/",
        api.ManagedPizza.as_view(),
        name="api_management_menu_pizza",
    ),
    path(
        "management/menu/<int:pizza_id>/restore/",
        api.ManagedPizzaRestore.as_view(),
        name="api_management_menu_restore",
    ),
    path(
        "management/menu/<int:pizza_id>/history/",
        api.ManagedPizzaHistory.as_view(),
        name="api_management_menu_history",
    ),
]
