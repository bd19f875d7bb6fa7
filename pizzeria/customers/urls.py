from django.urls import path

from pizzeria.customers import views

urlpatterns = [
    path("profile/", views.profile, name="profile"),
    path("profile/edit/", views.profile_edit, name="profile_edit"),
    path("profile/export/", views.profile_export, name="profile_export"),
    path("profile/erase/", views.profile_erase, name="profile_erase"),
    path("profile/addresses/add/", views.address_add, name="address_add"),
    path(
        "profile/addresses/<int:address_id>/", views.address_edit, name="address_edit"
    ),
    path(
        "profile/addresses/<int:address_id>/remove/",
        views.address_remove,
        name="address_remove",
    ),
    path("profile/favourites/<int:pizza_id>/", views.favourite, name="favourite"),
]
