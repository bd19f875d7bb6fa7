from django.urls import path

from pizzeria.menu import manage_views, views

urlpatterns = [
    path("", views.home, name="home"),
    path("menu/", views.menu, name="menu"),
    path("menu/<int:pizza_id>/", views.menu_pizza, name="menu_pizza"),
    path("management/menu/", manage_views.management_menu, name="management_menu"),
    path(
        "management/menu/add/",
        manage_views.management_menu_add,
        name="management_menu_add",
    ),
    path(
        "management/menu/bulk/",
        manage_views.management_menu_bulk,
        name="management_menu_bulk",
    ),
    path(
        "management/menu/<int:pizza_id>/",
        manage_views.management_menu_edit,
        name="management_menu_edit",
    ),
    path(
        "management/menu/<int:pizza_id>/retire/",
        manage_views.management_menu_retire,
        name="management_menu_retire",
    ),
    path(
        "management/menu/<int:pizza_id>/restore/",
        manage_views.management_menu_restore,
        name="management_menu_restore",
    ),
]
